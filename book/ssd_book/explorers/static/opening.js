// Figures of one knob: a picture, a slider or a box to drag, and one number and a sentence that follow.

import { TOPICS_OF_PRIORS } from "./topics.js";
import { TOPICS_OF_DETECTORS } from "./topics_of_detectors.js";
import { explorer, html } from "./ui.js";

const TOPICS = { ...TOPICS_OF_PRIORS, ...TOPICS_OF_DETECTORS };

export default explorer({
  label: "A figure of one knob",
  state: ["at", "box"],

  build(frame) {
    const { slider, draw, picture } = TOPICS[frame.get("topic")](frame);
    const stage = frame.stage({ label: "Scene with its boxes", margin: 0.06 });
    const number = html("p", { class: "ssd-number", "aria-hidden": "true" });
    frame.root.classList.add("ssd-opening");
    frame.side.append(number, frame.words);
    if (slider) frame.slider({ ...slider, name: "at", min: frame.get("low"), max: frame.get("high") });
    frame.side.append(frame.foot);

    return function redraw() {
      stage.picture(frame.get("picture"), picture?.(frame.get("at")));
      const [value, words] = draw(stage, frame.get("at"));
      number.textContent = value;
      frame.say(words, value);
    };
  },
});
