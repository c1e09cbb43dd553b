// Scenes with one knob, and challenges. Nothing here draws or uses the page, except that a challenge
// asks `inSight`, how much of a thing can be seen.
//
// A task is {label, words, scene(knob, make)}; one with a knob has {knob: {label, min, max, step,
// start, show}}; a challenge has `judge(state)`, which returns {done, words}: whether the scene
// that the detector has just seen meets it, and how far it is. `make(name, x, y, scale, stretch)`
// is a thing at a place, in fractions of the picture.

import { iou } from "./geometry.js";
import { SIDE, scaleOf } from "./things.js";

const pixels = (box) => Math.round(scaleOf(box) * SIDE);
const percent = (share) => `${Math.round(100 * share)} %`;
const DEFAULT_NMS = 0.45; // the sliders stand there at first
const DEFAULT_SCORE = 0.5;

/** What the detector has found for a thing: the best box of its class with an IoU >= 0.5, if any. */
export function foundFor(thing, found) {
  return found.find((one) => one.name === thing.name && iou(one.box, thing.box) >= 0.5);
}

export const TASKS = {
  shrink: {
    label: "Shrink a cat",
    words: "Where does the detector lose it? Each of the twelve things is found at 24 px and lost at 14.",
    knob: { label: "size of the cat", min: 10, max: 60, step: 1, start: 40, show: (v) => `${v} px` },
    scene: (size, make) => [make("cat", 0.5, 0.55, size / SIDE)],
  },
  behind: {
    label: "Slide behind",
    words: "How much may be covered? Here the tail goes first, and is hardly missed. Try it from the left, or from above.",
    knob: { label: "covered", min: 0, max: 1, step: 0.05, start: 0.25, show: (v) => `${percent(v)} of the width` },
    scene(covered, make) {
      const cat = make("cat", 0.42, 0.6, 0.28);
      const house = make("house", 0, 0.58, 0.36);
      const left = cat.box[2] - covered * (cat.box[2] - cat.box[0]); // of the house
      const width = house.box[2] - house.box[0];
      return [cat, { ...house, box: [left, house.box[1], left + width, house.box[3]] }];
    },
  },
  two: {
    label: "Two cats",
    words: "From which distance are they two? NMS decides: try its slider at 0.30 and at 0.75, too.",
    knob: { label: "distance", min: 0, max: 1.6, step: 0.05, start: 0.3, show: (v) => `${v.toFixed(2)} widths` },
    scene(distance, make) {
      const [cat, other] = [make("cat", 0.42, 0.6, 0.24), make("cat", 0.42, 0.6, 0.24)];
      const by = distance * (cat.box[2] - cat.box[0]);
      const [x0, y0, x1, y1] = other.box;
      return [cat, { ...other, box: [x0 + by, y0, x1 + by, y1] }];
    },
  },
  stretch: {
    label: "Stretch",
    words: "There are priors of this shape, yet a cat that is pulled wide is no cat to the network. What is it?",
    knob: { label: "width of the cat", min: 1, max: 4, step: 0.1, start: 1, show: (v) => `${v.toFixed(1)} times` },
    scene: (times, make) => [make("cat", 0.5, 0.6, 0.24, times)],
  },

  hide: {
    label: "Hide the cat",
    words:
      "Cover the cat so that the detector finds no cat, with at least 60 % of it still in sight. Don't shrink it, bend it or push it out.",
    scene: (_, make) => [make("cat", 0.5, 0.62, 0.3), make("tree", 0.17, 0.5, 0.32), make("car", 0.82, 0.78, 0.24)],
    judge({ things, found, sliders, inSight }) {
      const cat = things.find((thing) => thing.name === "cat");
      if (!cat) return { words: "There is no cat in the scene." };
      const [x0, y0, x1, y1] = cat.box;
      const whole = x0 >= 0 && y0 >= 0 && x1 <= 1 && y1 <= 1 && scaleOf(cat.box) >= 0.25;
      const straight = Math.abs(Math.log(((x1 - x0) / (y1 - y0)) / cat.aspect)) < Math.log(1.25);
      if (!whole || !straight) return { words: "The cat must stay as it was: whole, as large, and not bent." };
      const share = inSight(cat);
      const cats = found.filter((one) => one.name === "cat");
      const seen = `${percent(share)} of the cat is in sight`;
      if (cats.length) return { words: `${seen}; its score is ${cats[0].score.toFixed(2)}.` };
      if (sliders.score > DEFAULT_SCORE) return { words: "Leave the score slider at 0.50." };
      if (share < 0.6) return { words: `Not found, but only ${percent(share)} of the cat is in sight.` };
      return { done: true, words: `Hidden: ${seen}, and no box says cat. Which part does the detector need?` };
    },
  },
  three: {
    label: "Three out of two",
    words: "Make the detector count three cats where there are two. The sliders stay where they are.",
    scene: (_, make) => [make("cat", 0.3, 0.6, 0.23), make("cat", 0.7, 0.6, 0.23)],
    judge({ things, found, sliders }) {
      const cats = found.filter((one) => one.name === "cat").length;
      if (things.length !== 2 || things.some((thing) => thing.name !== "cat")) {
        return { words: "There must be two cats, and nothing else." };
      }
      if (sliders.nms > DEFAULT_NMS || sliders.score < DEFAULT_SCORE) {
        return { words: "Put the sliders back: NMS to 0.45, score to 0.50." };
      }
      if (cats < 3) return { words: `The detector counts ${cats}.` };
      const why = "The one in the middle takes half of each, and overlaps neither enough for NMS";
      return { done: true, words: `${cats} cats out of two. ${why}: a lower NMS slider suppresses it.` };
    },
  },
  smallest: {
    label: "The smallest train",
    words: "Make the train as small as you can while the detector still finds it. Its size is the root of width × height; 18 px is good.",
    scene: (_, make) => [make("train", 0.5, 0.5, 0.3)],
    judge({ things, found, sliders, best }) {
      const trains = things.filter((thing) => thing.name === "train" && foundFor(thing, found));
      const smallest = Math.min(best ?? Infinity, ...trains.map((thing) => pixels(thing.box)));
      if (sliders.score < DEFAULT_SCORE) return { words: "Put the score slider back to 0.50." };
      if (smallest === Infinity) return { words: "No train is found." };
      const words = `The smallest train found so far has ${smallest} px.`;
      if (smallest > 18) return { best: smallest, words };
      const why = "Where it stands decides: the cells of the finest map are 8 px apart";
      return { best: smallest, done: true, words: `${words} ${why}.` };
    },
  },
};

export const CHALLENGES = Object.keys(TASKS).filter((name) => TASKS[name].judge);
export const KNOBS = Object.keys(TASKS).filter((name) => TASKS[name].knob);
