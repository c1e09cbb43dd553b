// The live figure on the book's page: its files come from the server, and the detector runs in a worker.

import { chooseDetector } from "./detectors.js";
import { asked, everything, thread } from "./loading.js";
import { Model } from "./page_model.js";
import { figure, firstState } from "./scene.js";
import { SIDE } from "./things.js";
import { html } from "./ui.js";

/** Load everything, and replace the picture in `place` by the figure. */
export async function start(place, { base, files, loaded, say }) {
  const all = await everything(base, files, loaded);
  say("Starting …");
  const eyes = await thread(base, all["ort/ort-wasm-simd-threaded.wasm"]);
  const { priors } = await eyes.open(all["scenes.onnx"], SIDE, "scenes").catch((error) => {
    eyes.stop();
    throw error;
  });
  const scenes = JSON.parse(new TextDecoder().decode(all["scenes.json"]));
  const { preset, presets, drawn, things } = scenes;
  const detector = { names: Object.keys(things), preset, side: SIDE, priors, slot: "scenes", model: "slim300" };
  const state = firstState(scenes, drawn[0].file);
  const el = html("div");
  place.replaceChildren(el);
  place.dataset.state = "alive";
  figure({
    ...{ scenes, detector, eyes, place, state: Object.keys(state) },
    readers: chooseDetector(eyes, presets),
    files: {
      drawn(frame) {
        const options = drawn.map(({ file, title }) => [file, title]);
        const select = frame.select({ label: "Scene of the validation split:", name: "drawn", options });
        const chosen = () => drawn.find(({ file }) => file === frame.get("drawn"));
        return { control: select.parentElement, chosen };
      },
      get: async ({ file }) => ({ blob: await (await asked(base, file)).blob() }),
      area: () => document,
      offer: "Choose a picture, drop it on this page, or paste it. It stays in this page.",
    },
  }).render({ model: new Model({ state: { module: "live", ...state } }), el });
  el.querySelector(".live-stage").focus({ preventScroll: true });
}
