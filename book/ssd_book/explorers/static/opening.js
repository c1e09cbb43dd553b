// Figures of one knob: a picture, a slider or something to drag, and one number and a sentence that follow.

import { TOPICS_OF_PRIORS } from "./topics.js";
import { TOPICS_OF_DETECTORS } from "./topics_of_detectors.js";
import { TOPICS_OF_NETWORKS } from "./topics_of_networks.js";
import { TOPICS_OF_RUNS } from "./topics_of_runs.js";
import { explorer, html } from "./ui.js";

const TOPICS = { ...TOPICS_OF_PRIORS, ...TOPICS_OF_DETECTORS, ...TOPICS_OF_NETWORKS, ...TOPICS_OF_RUNS };

export default explorer({
  label: "A figure of one knob",
  state: ["at", "box", "point"],

  build(frame) {
    const { slider, draw, picture, chart } = TOPICS[frame.get("topic")](frame);
    const paper = chart
      ? frame.chart({ into: frame.main, ratio: 1, ...chart })
      : frame.stage({ label: "Scene with its boxes", margin: 0.06 });
    const number = html("p", { class: "ssd-number", "aria-hidden": "true" });
    frame.root.classList.add("ssd-opening");
    frame.side.append(number, frame.words);
    if (slider) frame.slider({ ...slider, name: "at", min: frame.get("low"), max: frame.get("high") });
    frame.side.append(frame.foot);

    return function redraw() {
      if (chart) paper.axes();
      else paper.picture(frame.get("picture"), picture?.(frame.get("at")));
      const [value, words] = draw(paper, frame.get("at"));
      number.textContent = value;
      frame.say(words, value);
    };
  },
});
