// What the figure needs before it starts: files, with progress, and the detector's thread.

const missing = (name, why) => new Error(`${name} did not arrive from this server (${why}).`);

/** The bytes of a file; `step` is told each part's length. */
async function bytes(base, name, size, step, signal) {
  const arrived = (promise) =>
    promise.catch((error) => {
      throw missing(name, error.message);
    });
  const answer = await arrived(fetch(new URL(name, base), { signal }));
  if (!answer.ok) throw missing(name, answer.status);
  const all = new Uint8Array(size);
  let at = 0;
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await arrived(reader.read());
    if (done) break;
    if (at + value.length > size) throw missing(name, "it is another file");
    all.set(value, at);
    at += value.length;
    step(value.length);
  }
  if (at !== size) throw missing(name, `${at} of ${size} bytes`);
  return all;
}

/** All files, {name: bytes}; one that is missing stops the others. */
export async function everything(base, files, loaded) {
  const stop = new AbortController();
  let sum = 0;
  const step = (length) => loaded((sum += length));
  const load = async ([name, size]) => [name, await bytes(base, name, size, step, stop.signal)];
  try {
    return Object.fromEntries(await Promise.all(Object.entries(files).map(load)));
  } catch (error) {
    stop.abort();
    throw error;
  }
}

/** Start the detectors' thread; returns {open, ask, close, stop}. `open(model, side, slot)` promises the answer to a
 *  black picture, {logits, offsets, priors}; `ask(pixels, slot)` promises {logits, offsets, ms}. */
export async function thread(base, wasm) {
  const worker = new Worker(new URL("worker.js", base), { type: "module" });
  let settle = {};
  worker.onmessage = ({ data }) => {
    if (data.failed) settle.reject(new Error(data.failed));
    else settle.resolve(data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    settle.reject?.(new Error(event.message || "worker.js, or a file that it needs, did not arrive."));
  };
  let line = Promise.resolve(); // one at a time
  const send = (message, ...buffers) => {
    const answer = line.then(() => {
      worker.postMessage(message, buffers);
      return new Promise((resolve, reject) => (settle = { resolve, reject }));
    });
    line = answer.catch(() => {});
    return answer;
  };
  await send({ wasm }, wasm.buffer).catch((error) => {
    worker.terminate();
    throw error;
  });
  return {
    open: (model, side, slot) => send({ model, side, slot }, model.buffer),
    ask: (pixels, slot) =>
      send({ pixels, slot }, pixels.buffer).catch(({ message }) => {
        throw new Error(`The detector stopped: ${message}. Reload the page to start it again.`);
      }),
    where: "on one thread of this device",
    close: (slot) => send({ drop: slot }),
    stop: () => worker.terminate(),
  };
}

/** A small file, loaded when it is asked for. */
export async function asked(base, name) {
  const answer = await fetch(new URL(name, base)).catch((error) => {
    throw missing(name, error.message);
  });
  if (!answer.ok) throw missing(name, answer.status);
  return answer;
}
