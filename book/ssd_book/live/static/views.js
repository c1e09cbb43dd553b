// What the figure shows of an answer of the detector: the reader chooses one of four views.
//
// A view is made by a function of {frame, stage, overlay} and returns {controls, panel, draw}: nodes
// that are shown with it (or null), and `draw(answer)`, which draws over the picture, fills the panel
// and returns {legend, words}. `rest()`, if it has one, forgets what it showed. An answer has the
// network's output `raw`, what post-processing made of it in `result` and `found`, the `truth` of the
// picture, [{name, box}] or null, and of the detector `names`, `preset` and `views`, what its maps see.

import { cloudView } from "./cloud_view.js";
import { detectionsView } from "./detections_view.js";
import { heatView } from "./heat_view.js";
import { overlay } from "./overlay.js";
import { trainingView } from "./training_view.js";
import { html } from "./ui.js";

const VIEWS = {
  detections: detectionsView,
  "all predictions": cloudView,
  "heat per map": heatView,
  "what training would say": trainingView,
};

/** The state of the views. */
export const VIEWED = { show: "detections", look: null, least: 0.05, heatOf: "0", heatMap: 2 };

/** Make the views and the choice between them; returns a function that draws an answer and returns its
 *  words. Without an answer it clears what the last one left. */
export function makeViews({ frame, stage, screen }) {
  const canvas = overlay(screen, stage);
  const parts = { frame, stage, overlay: canvas };
  const options = Object.keys(VIEWS).map((name) => [name, name]);
  frame.main.append(frame.choice({ label: "Show", name: "show", options }));
  const views = Object.entries(VIEWS).map(([name, make]) => ({ name, ...make(parts) }));
  frame.main.append(...views.map(({ controls }) => controls).filter(Boolean));
  const panels = html("div", { class: "live-panels" }, ...views.map(({ panel }) => panel));
  frame.main.after(panels); // on a phone close to the choice, and below both columns elsewhere
  const legend = frame.legend();

  return function draw(answer) {
    const show = frame.get("show");
    for (const { name, controls, panel } of views) {
      if (controls) controls.hidden = name !== show;
      panel.hidden = name !== show || !answer;
    }
    const view = views.find(({ name }) => name === show);
    canvas.begin();
    if (!answer) view.rest?.();
    const shown = answer && view.draw(answer);
    canvas.end();
    legend(shown?.legend ?? []);
    return shown?.words;
  };
}
