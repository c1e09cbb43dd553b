// The detectors' thread. First message: {wasm}, the bytes of a file; answer {ready}. Then
// {model, side, slot}, bytes of an ONNX file and a name for it; answer {logits, offsets, priors} of a
// black picture. {pixels, slot}, RGBA of side x side; answer {logits, offsets, ms}. {drop}, a slot that
// is needed no longer; answer {}. Or, at any time, {failed}.

let open;
const looks = {}; // by slot

/** Whether WebAssembly may run here: a content security policy can forbid it, a browser lack it. */
function refused() {
  try {
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0)); // the shortest there is
    return false;
  } catch {
    return true;
  }
}

async function start({ wasm }) {
  if (refused()) return { failed: "wasm" };
  const detector = await import("./detector.js");
  const ort = await import("./ort/ort.wasm.min.mjs");
  ort.env.wasm.wasmPaths = new URL("./ort/", import.meta.url).href;
  open = (model, side) => detector.open(ort, wasm, model, side);
  return { ready: true };
}

async function add({ model, side, slot }) {
  const look = await open(model, side);
  looks[slot] = look;
  return look(new Uint8Array(4 * side * side)); // the first one takes longest
}

async function drop({ drop: slot }) {
  await looks[slot]?.close();
  delete looks[slot];
  return {};
}

onmessage = async ({ data }) => {
  try {
    if (data.wasm) return postMessage(await start(data));
    if (data.model) return postMessage(await add(data));
    if (data.drop) return postMessage(await drop(data));
    const from = performance.now();
    const { logits, offsets } = await looks[data.slot](data.pixels);
    const ms = performance.now() - from;
    postMessage({ logits, offsets, ms }, [logits.buffer, offsets.buffer]);
  } catch (error) {
    postMessage({ failed: String(error?.message ?? error) });
  }
};
