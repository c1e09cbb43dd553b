// The detector: an ONNX file, run by onnxruntime-web on one thread. No page, no worker: node can
// run it, too, which is how tests/parity/live.py compares it with Python.

/** Red, green and blue of RGBA pixels, one plane after the other, in `planes`. */
export function pack(rgba, planes) {
  const n = planes.length / 3;
  for (let i = 0, j = 0; i < n; i++, j += 4) {
    planes[i] = rgba[j];
    planes[n + i] = rgba[j + 1];
    planes[2 * n + i] = rgba[j + 2];
  }
  return planes;
}

/** Open a detector of pictures of `side` x `side` pixels: `ort` is the runtime's module, `wasm` and
 *  `model` the bytes of two files. */
export async function open(ort, wasm, model, side) {
  ort.env.wasm.numThreads = 1; // more need headers that a static host cannot set
  ort.env.wasm.wasmBinary = wasm;
  const session = await ort.InferenceSession.create(model, { executionProviders: ["wasm"] });
  const planes = new Uint8Array(3 * side * side);
  let priors = null; // the same for every picture

  /** Raw output for RGBA pixels: logits [P, C] and offsets [P, 4], flat, and the priors. */
  async function look(rgba) {
    const images = new ort.Tensor("uint8", pack(rgba, planes), [1, 3, side, side]);
    const out = await session.run({ images });
    priors ??= out.priors.data.slice();
    const [logits, offsets] = [out.logits.data.slice(), out.offsets.data.slice()];
    for (const tensor of [images, ...Object.values(out)]) tensor.dispose();
    return { logits, offsets, priors };
  }
  look.close = () => session.release();
  return look;
}
