// The reader's own detector: what an ONNX file says about itself, and why it cannot be used here.

import { makePriors } from "./geometry.js";
import { listed } from "./ui.js";

const FORMAT = "1"; // of the metadata that `python -m ssd_tutorial export` writes
const OUTPUTS = ["logits", "offsets", "priors"];
const DETECTIONS = ["boxes", "scores", "labels", "image"]; // with the post-processing inside
const UINT8 = 2;

/** The fields of a message of protobuf, [number, value]: a number, or bytes. */
function* fields(bytes) {
  let at = 0;
  const varint = () => {
    for (let value = 0, unit = 1; unit < 2 ** 70; unit *= 128) {
      if (at >= bytes.length) break;
      const byte = bytes[at++];
      value += (byte % 128) * unit;
      if (byte < 128) return value;
    }
    throw new RangeError("a number without an end");
  };
  while (at < bytes.length) {
    const key = varint();
    const [number, kind] = [Math.floor(key / 8), key % 8];
    if (kind === 0) {
      yield [number, varint()];
      continue;
    }
    const length = kind === 2 ? varint() : { 1: 8, 5: 4 }[kind];
    if (!number || !(at + length <= bytes.length)) throw new RangeError("a field without an end");
    yield [number, bytes.subarray(at, at + length)];
    at += length;
  }
}

const text = (bytes) => new TextDecoder().decode(bytes ?? new Uint8Array());
const first = (bytes, number) => new Map([...fields(bytes)].reverse()).get(number);
const every = (bytes, number) => [...fields(bytes)].filter(([n]) => n === number).map(([, v]) => v);

/** The name, type and shape of an input or output; a free dimension is null. */
function value(bytes) {
  const tensor = first(first(bytes, 2) ?? new Uint8Array(), 1) ?? new Uint8Array();
  const dims = every(first(tensor, 2) ?? new Uint8Array(), 1);
  const shape = dims.map((dim) => first(dim, 1) ?? null);
  return { name: text(first(bytes, 1)), type: first(tensor, 1), shape };
}

/** Inputs, outputs and metadata of an ONNX file; null if it is none. */
export function readHeader(bytes) {
  try {
    const graph = first(bytes, 7);
    if (!graph?.length) return null;
    const pair = (entry) => [text(first(entry, 1)), text(first(entry, 2))];
    return {
      metadata: Object.fromEntries(every(bytes, 14).map(pair)),
      inputs: every(graph, 11).map(value),
      outputs: every(graph, 12).map(value),
    };
  } catch {
    return null;
  }
}

const isWeights = (bytes) => bytes[8] === 0x7b && new DataView(bytes.buffer).getUint32(4, true) === 0;

/** What the page must know of a file of `python -m ssd_tutorial export`: {names, preset, side, model}.
 *  Throws why it is not one, in a sentence. */
export function describe(bytes, file, presets) {
  const refuse = (why) => {
    throw new Error(`${file} ${why}`);
  };
  if (bytes.length > 12 && isWeights(bytes)) {
    refuse("holds weights, not ONNX: python -m ssd_tutorial export writes the ONNX file from them.");
  }
  const header = readHeader(bytes) ?? refuse("is not an ONNX file, or is damaged.");
  const { metadata } = header;
  const outputs = header.outputs.map(({ name }) => name);
  const missing = OUTPUTS.filter((name) => !outputs.includes(name));
  if (DETECTIONS.every((name) => outputs.includes(name))) {
    refuse("has its post-processing inside, so there is nothing to look into: export it again without --postprocessing.");
  }
  if (missing.length) {
    const has = outputs.length ? `it outputs ${listed(outputs)}` : "it has no outputs";
    refuse(`is not a detector of this book: ${has}, and ${listed(missing)} ${missing.length > 1 ? "are" : "is"} missing.`);
  }
  if (metadata["ssd_tutorial.format"] !== FORMAT) {
    refuse("was not written by this version of python -m ssd_tutorial export: its metadata do not say so.");
  }
  const preset = presets[metadata.priors] ?? refuse(`has priors of a preset that this page does not know: ${metadata.priors}.`);
  const side = preset.image_size;
  const input = header.inputs.find(({ name }) => name === "images");
  if (input?.type !== UINT8 || String(input.shape.slice(1)) !== String([3, side, side])) {
    refuse(`does not take images of ${side} × ${side} pixels as bytes, as its priors do: export it again.`);
  }
  const names = parsed(metadata.classes);
  if (!Array.isArray(names) || !names.length || names.some((name) => typeof name !== "string")) {
    refuse("has no names of classes in its metadata: export it again.");
  }
  const variances = parsed(metadata.variances);
  return { names, side, model: metadata.model, preset: { ...preset, variances: variances?.length === 4 ? variances : preset.variances } };
}

function parsed(json) {
  try {
    return JSON.parse(json);
  } catch {
    return null;
  }
}

/** Throw, in a sentence, if a first answer is not that of a detector with this description. */
export function verify({ logits, offsets, priors }, { names, preset }, file) {
  const expected = makePriors(preset);
  const right = priors.length === expected.length && priors.every((v, i) => Math.abs(v - expected[i]) < 1e-5);
  if (!right) throw new Error(`${file} has other priors than its preset, ${preset.name}: export it again.`);
  const count = priors.length / 4;
  if (logits.length !== count * (names.length + 1) || offsets.length !== priors.length) {
    throw new Error(`${file} outputs ${logits.length / count} scores per prior, and has ${names.length} classes and a background.`);
  }
  if (![...logits, ...offsets].every(Number.isFinite)) {
    throw new Error(`${file} outputs numbers that are NaN or infinite: the training run has failed.`);
  }
}
