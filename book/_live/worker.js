// The detector's thread. First message: {wasm, model}, the bytes of two files; answer {ready, priors}.
// Then {pixels, id}, RGBA of 300 x 300; answer {id, logits, offsets, ms}. Or, at any time, {failed}.

let look;

/** Whether WebAssembly may run here: a content security policy can forbid it, a browser lack it. */
function refused() {
  try {
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)); // the shortest there is
    return false;
  } catch {
    return true;
  }
}

async function start({ wasm, model }) {
  if (refused()) return { failed: "wasm" };
  const { SIDE, open } = await import("./detector.js");
  const ort = await import("./ort/ort.wasm.min.mjs");
  ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
  look = await open(ort, wasm, new Uint8Array(model));
  const { priors } = await look(new Uint8Array(4 * SIDE * SIDE)); // the first answer takes longest
  return { ready: true, priors };
}

onmessage = async ({ data }) => {
  try {
    if (data.model) return postMessage(await start(data));
    const from = performance.now();
    const { logits, offsets } = await look(data.pixels);
    const ms = performance.now() - from;
    postMessage({ id: data.id, logits, offsets, ms }, [logits.buffer, offsets.buffer]);
  } catch (error) {
    postMessage({ failed: String(error?.message ?? error) });
  }
};
