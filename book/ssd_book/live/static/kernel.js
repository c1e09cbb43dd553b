// The live figure in a notebook: the kernel's detector answers (ssd_book/live/__init__.py).

import { figure, firstState } from "./scene.js";
import { html } from "./ui.js";

const SEED = /^\d{1,15}$/;
const PATIENCE = 3000; // milliseconds without an answer, before the figure says so
const SILENT =
  "The kernel has not answered for 3 seconds. If it is busy with another cell, the figure goes on when that is done; if it has died or was restarted, run this cell again.";
const GONE = "The kernel of this figure is gone: run its cell again.";
const asker = { name: Math.random().toString(36).slice(2), count: 0 }; // answers reach every view

const floats = ({ buffer, byteOffset, byteLength }) =>
  new Float32Array(buffer.slice(byteOffset, byteOffset + byteLength)); // a copy, since they may lie anywhere

/** A view's way to the kernel: `ask(question, buffer)` promises {content, buffers}. `tell` gets words
 *  when the kernel is silent, and "" when it answers. */
function lineTo(model, tell) {
  const asked = new Map(); // questions without an answer, by id
  const hear = (content, buffers) => {
    const settle = asked.get(content.id);
    if (!settle) return; // another view's
    settle();
    if (content.failed) settle.reject(new Error(content.failed));
    else settle.resolve({ content, buffers });
  };
  model.on("msg:custom", hear);
  const line = {
    tell,
    hangUp: () => model.off("msg:custom", hear),
    ask(question, ...buffers) {
      const id = `${asker.name} ${(asker.count += 1)}`;
      return new Promise((resolve, reject) => {
        const silence = setTimeout(() => line.tell(SILENT), PATIENCE);
        const settle = () => {
          clearTimeout(silence);
          asked.delete(id);
          line.tell("");
        };
        asked.set(id, Object.assign(settle, { resolve, reject }));
        try {
          model.send({ ...question, id }, undefined, buffers);
        } catch (error) {
          console.warn("live detector:", error);
          settle();
          reject(new Error(GONE));
        }
      });
    },
  };
  return line;
}

/** Scenes of any seed, as inputs.js asks for them. */
function seeds(frame) {
  const input = html("input", { type: "number", min: 0, step: 1 });
  input.addEventListener("change", () => frame.set({ drawn: input.value.trim(), look: null }));
  const control = html("label", { class: "ssd-control" }, "Seed: ", input);
  return {
    control,
    chosen() {
      const seed = frame.get("drawn");
      if (document.activeElement !== input) input.value = seed;
      const call = `draw_scene(${seed}, 0)`;
      return { seed, file: `seed ${seed}`, title: call, about: SEED.test(seed) ? `${call} in Python draws it.` : "" };
    },
  };
}

/** A picture of the kernel, as inputs.js asks for it. */
const pictures = (line) => async ({ seed, file }) => {
  if (seed !== undefined && !SEED.test(seed)) throw new Error("A seed is a whole number, 0 or more.");
  const question = seed === undefined ? { photograph: file } : { seed: Number(seed) };
  const { content, buffers } = await line.ask(question);
  return { blob: new Blob(buffers), truth: content.truth };
};

/** The kernel has one detector for this figure. */
const oneReader = (frame, { detector }) => ({
  async open({ name }) {
    throw new Error(`${name} is not a picture. LiveDetector("${name}") in a cell asks a detector of yours.`);
  },
  now: () => detector,
  follow() {},
});

/** Ask the kernel what its detector is, and show the figure; returns what stops it. */
async function begin(model, el, line) {
  const { content, buffers } = await line.ask({ open: true });
  const { scenes, detector } = content;
  const state = firstState(scenes, "1");
  for (const [name, value] of Object.entries(state)) {
    if (model.get(name) === undefined) model.set(name, value); // Python has the others
  }
  const eyes = {
    where: "computed in the kernel",
    whenSilent: (tell) => (line.tell = tell),
    async ask(pixels) {
      const { content, buffers } = await line.ask({ look: true }, pixels.buffer);
      const [logits, offsets] = buffers.map(floats);
      return { logits, offsets, ms: content.ms };
    },
  };
  return figure({
    ...{ scenes, eyes, readers: oneReader, place: el, state: Object.keys(state) },
    detector: { ...detector, priors: floats(buffers[0]) },
    files: {
      drawn: seeds,
      get: pictures(line),
      area: (frame) => frame.root,
      offer: "Choose a picture, drop it on this figure, or paste it here. Only the kernel gets it.",
    },
  }).render({ model, el });
}

export default {
  render({ model, el }) {
    const words = html("p", { role: "status" }, "Asking the kernel …");
    el.classList.add("live-place");
    el.replaceChildren(words);
    const tell = (said) => (words.textContent = said);
    const line = lineTo(model, tell);
    const begun = begin(model, el, line).catch((error) => void tell(error.message));
    return async () => {
      line.hangUp();
      const stop = await begun;
      stop?.();
    };
  },
};
