// node live.mjs FOLDER PICTURES RUNTIME ANSWERS [TRUTHS RAW]: what the page's detector finds in
// pictures and, where the TRUTHS are given, what its loss is.
//
// FOLDER has the page's files: detector.js, geometry.js, scenes.onnx. PICTURES holds RGBA pixels of
// 300 x 300, one picture after the other; RUNTIME is the folder of onnxruntime-web's files. TRUTHS is
// a list of {boxes, labels}; RAW gets each picture's logits and offsets, float32.
import { appendFileSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const SIDE = 300;
const [folder, pictures, runtime, answers, truths, raw] = process.argv.slice(2);
const url = (...parts) => pathToFileURL(resolve(join(...parts))).href;
const { open } = await import(url(folder, "detector.js"));
const { match, multiboxLoss, postprocess } = await import(url(folder, "geometry.js"));
const ort = await import(url(runtime, "ort.wasm.min.mjs"));
ort.env.wasm.wasmPaths = { mjs: url(runtime, "ort-wasm-simd-threaded.mjs") };

const look = await open(
  ort,
  readFileSync(join(runtime, "ort-wasm-simd-threaded.wasm")),
  new Uint8Array(readFileSync(join(folder, "scenes.onnx"))),
  SIDE,
);
const pixels = readFileSync(pictures);
const size = 4 * SIDE * SIDE;
const objects = truths ? JSON.parse(readFileSync(truths, "utf8")) : [];
const all = [];
for (let at = 0; at < pixels.length; at += size) {
  const output = await look(pixels.subarray(at, at + size));
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
