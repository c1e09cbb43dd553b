// node live.mjs FOLDER PICTURES RUNTIME ANSWERS: what the page's detector finds in pictures.
//
// FOLDER has the page's files: detector.js, geometry.js, scenes.onnx. PICTURES holds RGBA pixels of
// 300 x 300, one picture after the other; RUNTIME is the folder of onnxruntime-web's files.
import { readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";

const [folder, pictures, runtime, answers] = process.argv.slice(2);
const url = (...parts) => pathToFileURL(resolve(join(...parts))).href;
const { SIDE, open } = await import(url(folder, "detector.js"));
const { postprocess } = await import(url(folder, "geometry.js"));
const ort = await import(url(runtime, "ort.wasm.min.mjs"));
ort.env.wasm.wasmPaths = { mjs: url(runtime, "ort-wasm-simd-threaded.mjs") };

const look = await open(
  ort,
  readFileSync(join(runtime, "ort-wasm-simd-threaded.wasm")),
  new Uint8Array(readFileSync(join(folder, "scenes.onnx"))),
);
const pixels = readFileSync(pictures);
const size = 4 * SIDE * SIDE;
const all = [];
for (let at = 0; at < pixels.length; at += size) {
  const { logits, offsets, priors } = await look(pixels.subarray(at, at + size));
  const { candidates, kept } = postprocess(logits, offsets, priors);
  all.push(kept.map((i) => candidates[i]).map(({ label, score, box }) => [label, score, ...box]));
}
writeFileSync(answers, JSON.stringify(all));
process.exit(0); // the runtime keeps node waiting
