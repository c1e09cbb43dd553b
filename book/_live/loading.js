// What the figure needs before it starts: files, with progress, and the detector's thread.

/** The bytes of a file; `step` is told each part's length. */
async function bytes(base, name, size, step, signal) {
  const missing = (why) => new Error(`${name} did not arrive from this server (${why}).`);
  const arrived = (promise) =>
    promise.catch((error) => {
      throw missing(error.message);
    });
  const answer = await arrived(fetch(new URL(name, base), { signal }));
  if (!answer.ok) throw missing(answer.status);
  const all = new Uint8Array(size);
  let at = 0;
  const reader = answer.body.getReader();
  for (;;) {
    const { done, value } = await arrived(reader.read());
    if (done) break;
    if (at + value.length > size) throw missing("it is another file");
    all.set(value, at);
    at += value.length;
    step(value.length);
  }
  if (at !== size) throw missing(`${at} of ${size} bytes`);
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

/** Start the detector's thread; returns {priors, ask}. `ask(pixels)` promises {logits, offsets, ms}. */
export async function detector(base, wasm, model) {
  const worker = new Worker(new URL("worker.js", base), { type: "module" });
  let settle;
  const next = () => new Promise((resolve, reject) => (settle = { resolve, reject }));
  worker.onmessage = ({ data }) => {
    if (data.failed) settle.reject(new Error(data.failed));
    else settle.resolve(data);
  };
  worker.onerror = (event) => {
    event.preventDefault();
    settle.reject(new Error(event.message || "worker.js, or a file that it needs, did not arrive."));
  };
  const ready = next();
  worker.postMessage({ wasm, model }, [wasm.buffer, model.buffer]);
  const { priors } = await ready.catch((error) => {
    worker.terminate();
    throw error;
  });
  return {
    priors,
    ask(pixels) {
      const answer = next();
      worker.postMessage({ pixels }, [pixels.buffer]);
      return answer;
    },
  };
}
