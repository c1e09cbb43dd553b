// Explorer: non-maximum suppression, played round by round.

import { nms } from "./geometry.js";
import { BLUE, INK, ORANGE, QUIET, clamp } from "./paper.js";
import { explorer } from "./ui.js";

const EACH = "each class";
const AS_ONE = "all as one";
const STAYS = { stroke: BLUE };
const DOUBTFUL = { ...STAYS, "stroke-dasharray": "1.5 2.5" };
const FALLS = { stroke: ORANGE, "stroke-dasharray": "5 3" };
const WAITS = { stroke: QUIET };
const SHOWN = 0.5; // lowest score of the detections shown

/** The boxes that take part, best first, and the rounds: which box stays, which it suppresses. */
function play(detections, classes, group, least, threshold) {
  const several = group === EACH || group === AS_ONE;
  const list = detections
    .map(([k, score, ...box]) => ({ k, score, box, name: classes[k] }))
    .filter(({ score, name }) => score > least && (several || name === group));
  const leagues = group === EACH ? classes.map((_, k) => list.filter((one) => one.k === k)) : [list];
  for (const league of leagues) {
    const suppressor = nms(league.map(({ box }) => box), threshold);
    league.forEach((one, i) => (one.to = suppressor[i] < 0 ? null : league[suppressor[i]]));
  }
  const rounds = list.filter((one) => !one.to).map((best) => ({ best, fallen: [] }));
  const round = new Map(rounds.map((one, r) => [one.best, r]));
  for (const one of list) {
    one.round = round.get(one.to ?? one); // in which it stays or is suppressed
    if (one.to) rounds[one.round].fallen.push(one);
  }
  return { list, rounds };
}

export default explorer({
  label: "Non-maximum suppression, round by round",
  state: ["group", "score_threshold", "iou_threshold", "step"],

  build(frame) {
    const [detections, classes] = [frame.get("detections"), frame.get("classes")];
    const told = classes.filter((name, k) => detections.some(([j, score]) => j === k && score > 0.1));
    const options = [...told, EACH, AS_ONE].map((name) => [name, name]);
    let before = "";
    let game; // for the thresholds in `before`: steps compute nothing
    const current = () => {
      const asked = ["group", "score_threshold", "iou_threshold"].map((name) => frame.get(name));
      if (before !== (before = JSON.stringify(asked))) game = play(detections, classes, ...asked);
      return game;
    };

    const stage = frame.stage({ label: "Picture with the detector's boxes" });
    const legend = frame.legend({ into: frame.main });
    const last = () => current().rounds.length + 1;
    const player = frame.player({ label: "step", name: "step", last, milliseconds: 900 });
    player.append(frame.button("To the end", () => frame.set({ step: last() })));
    frame.slider({ label: "IoU threshold", name: "iou_threshold", min: 0, max: 1, step: 0.05 });
    frame.more(() => {
      frame.choice({ label: "Boxes of", name: "group", options });
      frame.slider({ label: "score above", name: "score_threshold", min: 0.01, max: 0.99, step: 0.01 });
    });
    const chart = frame.chart({
      label: "Scores of the boxes, best first",
      x: { from: 0, to: 1, label: "boxes, best first", ticks: [] },
      y: { from: 0, to: 1, label: "score", ticks: [0, 0.5, 1] },
      ratio: 0.45,
    });
    const table = frame.table({ label: "Rounds", header: ["round", "keeps", "score", "removes"] });

    let [shown, atEnd, stepShown] = [null, false, 0]; // at the previous drawing

    return function draw() {
      const { list, rounds } = current();
      let step = Math.min(frame.get("step"), last());
      if (shown && shown !== game && atEnd && step === Math.min(stepShown, last())) step = last();
      if (step !== frame.get("step")) frame.set({ step });
      [shown, atEnd, stepShown] = [game, step === last(), step];
      const now = rounds[step - 1]; // none before the first round and at the end
      const groups = {
        waits: list.filter((one) => one.round >= step),
        falls: now?.fallen ?? [],
        fell: list.filter((one) => one.to && one.round < step - 1),
        stays: rounds.slice(0, step).map(({ best }) => best),
      };
      const boxes = (ones) => ones.map(({ box }) => box);
      const middle = ([x0, y0, x1, y1]) => [stage.x((x0 + x1) / 2), stage.y((y0 + y1) / 2)];
      const thread = (one) => [middle(one.box), middle(one.to.box)];

      stage.picture(frame.get("picture"));
      stage.rects("waits", boxes(groups.waits), { ...WAITS, "stroke-width": 0.8 });
      stage.rects("falls", boxes(groups.falls), { ...FALLS, "stroke-width": 1.2 });
      const doubtful = groups.stays.filter(({ score }) => score < SHOWN);
      stage.rects("doubtful", boxes(doubtful), { ...DOUBTFUL, "stroke-width": 1 });
      const sure = groups.stays.filter(({ score }) => score >= SHOWN);
      stage.rects("sure", boxes(sure), { ...STAYS, "stroke-width": 2.5 });
      const threads = (atEnd ? list.filter((one) => one.to) : groups.falls).map(thread);
      const ties = threads.map((ends) => `M${ends.map((at) => at.map((v) => v.toFixed(1))).join("L")}`);
      const thin = { stroke: FALLS.stroke, "stroke-width": 0.8, opacity: 0.8 };
      stage.put("threads", "path", { d: ties.join(""), ...thin });
      if (now) stage.rect("now", now.best.box, { ...STAYS, "stroke-width": 4 });
      writeTags(stage, now ? [now.best, ...sure.filter((one) => one !== now.best)] : sure);
      legend([
        [STAYS, "kept"],
        [{ ...DOUBTFUL, "stroke-width": 1.5 }, "kept, score below 0.5"],
        [FALLS, "suppressed by the box its line leads to"],
        [WAITS, "remaining"],
      ]);

      drawScores(chart, list, groups, frame);
      const from = Math.max(0, Math.min(step, rounds.length) - 5);
      table(
        rounds.slice(from, Math.min(step, rounds.length)).map(({ best, fallen }, i) => {
          return [from + i + 1, best.name, best.score.toFixed(2), fallen.length];
        }),
      );
      const counts = { waits: groups.waits.length, sure: sure.length };
      frame.say(sentence(frame, { list, rounds, now, step, ...counts }));
    };
  },
});

/** Write round, class and score into a free corner of each box; omit them if there is none. */
function writeTags(stage, ones) {
  const taken = [];
  for (const { box, round, name, score } of ones) {
    const [x, y, right, bottom] = stage.px(box);
    const places = [[x + 4, y + 15], [right - 100, bottom - 5], [x + 4, bottom - 5], [right - 100, y + 15]]
      .map(([across, down]) => [clamp(across, 3, stage.width - 110), down]);
    const free = ([a, b]) => taken.every(([c, d]) => Math.abs(a - c) > 105 || Math.abs(b - d) > 16);
    const place = places.find(free);
    if (!place) continue;
    taken.push(place);
    const words = `${round + 1}: ${name} ${score.toFixed(2)}`;
    stage.text(`tag ${round}`, ...place, words, { "font-weight": 600 });
  }
}

/** A bar per box; the threshold is a line to drag. */
function drawScores(chart, list, { waits, falls, fell, stays }, frame) {
  chart.axis.x.to = Math.max(list.length, 1);
  chart.axis.x.ticks = list.length ? [1, list.length] : [];
  chart.axes();
  const rank = new Map(list.map((one, i) => [one, i + 1]));
  const low = chart.y(0).toFixed(1);
  const bar = (one) =>
    `M${chart.x(rank.get(one) - 0.5).toFixed(1)} ${low}V${(chart.y(one.score) - 1).toFixed(1)}`;
  const width = Math.max(1, Math.min(8, (chart.width - 60) / Math.max(list.length, 1) - 1));
  const bars = (key, ones, look, wide) =>
    chart.put(key, "path", { d: ones.map(bar).join(""), "stroke-width": wide, ...look });
  bars("waits", waits, WAITS, width);
  bars("fell", fell, { stroke: FALLS.stroke, opacity: 0.35 }, width);
  bars("falls", falls, { stroke: FALLS.stroke, "stroke-dasharray": "3 1" }, width);
  bars("stays", stays, STAYS, Math.max(width, 2.5));
  const least = frame.get("score_threshold");
  const y = chart.y(least);
  const line = [[chart.x(0), y], [chart.x(list.length || 1), y]];
  chart.line("threshold", line, { stroke: INK, "stroke-dasharray": "4 3", "stroke-width": 1 });
  const set = (score) =>
    frame.set({ score_threshold: clamp(Math.round(score * 100) / 100, 0.01, 0.99) });
  chart.knob("threshold knob", chart.x(list.length || 1) - 6, y, {
    label: `score threshold ${least.toFixed(2)}; arrow keys move it`,
    to: (_, at) => set(chart.values(0, at)[1]),
    by: (dx, dy, shift) => set(least + (dx - dy) * (shift ? 0.1 : 0.01)),
  });
}

/** The sentence under the picture. */
function sentence(frame, { list, rounds, now, step, waits, sure }) {
  const boxes = (n) => (n === 1 ? "1 box" : `${n} boxes`);
  const digits = (name) => frame.get(name).toFixed(2);
  const [least, threshold] = [digits("score_threshold"), digits("iou_threshold")];
  if (!list.length) return `No box of this kind has a score above ${least}.`;
  if (step === 0) {
    const have = list.length === 1 ? "has" : "have";
    return `${boxes(list.length)} ${have} a score above ${least}. Nothing is removed yet: press Next.`;
  }
  if (now) {
    const fall = now.fallen.length
      ? `It suppresses ${boxes(now.fallen.length)} with an IoU above ${threshold}.`
      : `No other box has an IoU above ${threshold} with it.`;
    const { name, score } = now.best;
    const best = `the best remaining box, a ${name} with a score of ${score.toFixed(2)}, is kept`;
    return `Round ${step}: ${best}. ${fall} Boxes remaining: ${waits}.`;
  }
  const suppressed = list.length - rounds.length;
  return (
    `The end: of ${boxes(list.length)}, ${rounds.length} are kept, ${sure} of them with a score of 0.5` +
    ` or more. ${suppressed} are suppressed, each by the box its line leads to.`
  );
}
