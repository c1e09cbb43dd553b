// Explorer: what a network detects in one picture, from before training to its end.

import { matchDetections } from "./geometry.js";
import { BLUE, INK, ORANGE, clamp } from "./paper.js";
import { explorer, listed, spaced } from "./ui.js";

const RIGHT = { stroke: BLUE };
const WRONG = { stroke: ORANGE, "stroke-dasharray": "5 3" };
const MISSED = { stroke: INK, "stroke-dasharray": "1.5 3" };
const SEEN = { stroke: BLUE };
const UNSEEN = { stroke: ORANGE, "stroke-dasharray": "5 3" };

const digits = (x) => x.toFixed(2);
const boxes = (ones) => ones.map(({ box }) => box);
const counted = (n, word) => (n === 1 ? `1 ${word}` : `${n} ${word}${word.endsWith("x") ? "es" : "s"}`);

/** The detections with at least this score, each with the verdict `right`, and the missed objects. */
function referee(detections, objects, least) {
  const found = detections.filter(([, score]) => score >= least);
  const shown = [];
  const missed = [];
  for (const k of new Set([...found, ...objects].map(([k]) => k))) {
    const ones = found.filter((row) => row[0] === k).map(([, score, ...box]) => ({ k, image: 0, score, box }));
    const truths = objects.filter((row) => row[0] === k).map(([, ...box]) => ({ k, image: 0, box }));
    const verdicts = matchDetections(ones, truths);
    const hits = new Set(verdicts.filter(({ hit }) => hit).map(({ groundTruth }) => groundTruth));
    shown.push(...verdicts.map(({ detection, hit }) => ({ ...ones[detection], right: hit })));
    missed.push(...truths.filter((_, g) => !hits.has(g)));
  }
  return { shown, missed };
}

export default explorer({
  label: "What the network detects while it learns",
  state: ["moment", "score_threshold"],

  build(frame) {
    const [frames, classes, objects] = ["frames", "classes", "objects"].map((name) => frame.get(name));
    const last = frames.length - 1;
    const at = () => clamp(frame.get("moment"), 0, last);
    const stage = frame.stage({ label: "A scene with the boxes that the network detects" });
    const legend = frame.legend({ into: frame.main });
    frame.player({ label: "moment", name: "moment", last: () => last, milliseconds: 1200 });
    frame.slider({
      ...{ label: "Samples seen", name: "moment", min: 0, max: last, step: 1 },
      show: (moment) => spaced(frames[clamp(moment, 0, last)][0]),
    });
    frame.slider({ label: "Score of at least", name: "score_threshold", min: 0.1, max: 0.95, step: 0.05 });
    const most = Math.ceil(Math.max(...frames.flatMap(([, seen, unseen]) => [seen, unseen])) / 5) * 5;
    const chart = frame.chart({
      label: "The loss on pictures seen and unseen at each moment",
      x: { from: 0, to: last, label: "moment", ticks: frames.map((_, i) => i) },
      y: { from: 0, to: most, label: "loss per positive", ticks: [0, most / 4, most / 2, (3 * most) / 4] },
      ratio: 0.6,
    });
    const lines = frame.legend();

    return function draw() {
      const [samples, seen, unseen, detections] = frames[at()];
      const { shown, missed } = referee(detections, objects, frame.get("score_threshold"));
      const [right, wrong] = [true, false].map((kind) => shown.filter((one) => one.right === kind));
      stage.picture(frame.get("picture"));
      stage.rects("missed", boxes(missed), { ...MISSED, "stroke-width": 3 });
      stage.rects("rim", boxes(shown), { stroke: "#fff", "stroke-width": 4 });
      stage.rects("wrong", boxes(wrong), { ...WRONG, "stroke-width": 1.6 });
      stage.rects("right", boxes(right), { ...RIGHT, "stroke-width": 2.5 });
      for (const [i, { k, score, box }] of right.entries()) {
        const [x, y, , bottom] = stage.px(box);
        const place = [clamp(x, 2, stage.width - 110), y > 16 ? y - 4 : Math.min(bottom + 14, stage.height - 4)];
        stage.text(`name ${i}`, ...place, `${classes[k]} ${digits(score)}`, { "font-weight": 600 });
      }
      legend([
        [RIGHT, `right: ${right.length}`],
        [WRONG, `wrong: ${wrong.length}`],
        [MISSED, `missed: ${missed.length}`],
      ]);

      chart.axes();
      chart.curve("seen", frames.map((one, i) => [i, one[1]]), SEEN);
      chart.curve("unseen", frames.map((one, i) => [i, one[2]]), UNSEEN);
      lines([
        [SEEN, `seen in training: ${digits(seen)}`],
        [UNSEEN, `unseen: ${digits(unseen)}`],
      ]);
      const go = (moment) => frame.set({ moment: clamp(Math.round(moment), 0, last) });
      chart.knob("knob", chart.x(at()), chart.y(unseen), {
        label: `${spaced(samples)} samples; arrow keys go to the next moment`,
        to: (x, y) => go(chart.values(x, y)[0]),
        by: (dx, dy) => go(at() + dx - dy),
      });
      frame.say(sentence({ samples, seen, unseen, right, wrong, missed, classes }));
    };
  },
});

/** What the reader sees, in words. */
function sentence({ samples, seen, unseen, right, wrong, missed, classes }) {
  const when = samples ? `After ${spaced(samples)} samples` : "Before training";
  const names = right.map(({ k }) => classes[k]);
  const found = right.length ? `${counted(right.length, "box")} right (${listed(names)})` : "no box right";
  return (
    `${when}: ${found}, ${wrong.length} wrong, ${counted(missed.length, "object")} missed. ` +
    `The loss is ${digits(seen)} on pictures seen and ${digits(unseen)} on unseen ones.`
  );
}
