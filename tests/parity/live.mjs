// node live.mjs FOLDER PICTURES RUNTIME ANSWERS [TRUTHS RAW]: what the page's detector finds in
// pictures and, where the TRUTHS are given, what its loss is.
//
// FOLDER has the page's files: detector.js, resize.js, geometry.js, scenes.onnx. PICTURES holds, one
// after the other, width and height of each and its RGBA pixels; RUNTIME is the folder of onnxruntime-web's files. TRUTHS is
// a list of {boxes, labels}; RAW gets each picture's logits and offsets, float32.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const SIDE = 300;
const [folder, pictures, runtime, answers, truths, raw] = process.argv.slice(2);
const url = (...parts) => pathToFileURL(resolve(join(...parts))).href;
const { open } = await import(url(folder, "detector.js"));
const { resize } = await import(url(folder, "resize.js"));
const { match, multiboxLoss, postprocess } = await import(url(folder, "geometry.js"));
const ort = await import(url(runtime, "ort.wasm.min.mjs"));
ort.env.wasm.wasmPaths = { mjs: url(runtime, "ort-wasm-simd-threaded.mjs") };

const look = await open(
  ort,
  readFileSync(join(runtime, "ort-wasm-simd-threaded.wasm")),
  new Uint8Array(readFileSync(join(folder, "scenes.onnx"))),
  SIDE,
);
const bytes = readFileSync(pictures);
const objects = truths ? JSON.parse(readFileSync(truths, "utf8")) : [];
const all = [];
for (let at = 0; at < bytes.length; ) {
  const [width, height] = [bytes.readUInt32LE(at), bytes.readUInt32LE(at + 4)];
  const pixels = bytes.subarray(at + 8, (at += 8 + 4 * width * height));
  const output = await look(resize(pixels, width, height, SIDE));
  const { logits, offsets, priors } = output;
  const { candidates, kept } = postprocess(logits, offsets, priors);
  const found = kept.map((i) => candidates[i]).map(({ label, score, box }) => [label, score, ...box]);
  const truth = objects[all.length];
  if (!truth) {
    all.push({ found });
    continue;
  }
  const { groundTruth } = match(priors, truth.boxes);
  const loss = multiboxLoss(output, { ...truth, groundTruth });
  for (const array of [logits, offsets]) appendFileSync(raw, new Uint8Array(array.buffer));
  all.push({ found, loss: { ...loss, negatives: loss.negatives.length } });
}
writeFileSync(answers, JSON.stringify(all));
process.exit(0); // the runtime keeps node waiting
