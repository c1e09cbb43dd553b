// Explorer: precision and recall of a detector on six scenes, as the score threshold falls.

import { apArea, apElevenPoints, envelope, matchDetections, precisionRecall } from "./geometry.js";
import { BLUE, INK, ORANGE, QUIET, clamp } from "./paper.js";
import { explorer } from "./ui.js";

const ALL = "all classes";
const HIT = { stroke: BLUE };
const FALSE = { stroke: ORANGE, "stroke-dasharray": "5 3" };
const MISSED = { stroke: INK, "stroke-dasharray": "1.5 3" };

/** The verdicts on all detections of a class, best first, and the objects to find. */
function referee(detections, objects, k, threshold) {
  const ones = detections
    .filter((row) => row[1] === k)
    .map(([image, , score, ...box]) => ({ image, score, box }));
  const truths = objects
    .filter((row) => row[1] === k)
    .map(([image, , difficult, ...box]) => ({ image, difficult, box }));
  const verdicts = matchDetections(ones, truths, threshold).map((one) => ({ ...one, ...ones[one.detection] }));
  return { verdicts, truths, total: truths.filter(({ difficult }) => !difficult).length };
}

/** Recall, precision and both APs of the verdicts with at least this score. */
function measure({ verdicts, truths, total }, least) {
  const counted = verdicts.filter(({ score, ignored }) => score >= least && !ignored);
  const { recall, precision } = precisionRecall(counted.map(({ hit }) => hit), total);
  const found = new Set(counted.filter(({ hit }) => hit).map(({ groundTruth }) => groundTruth));
  const missed = truths.filter(({ difficult }, g) => !difficult && !found.has(g));
  const [area, points] = [apArea(recall, precision), apElevenPoints(recall, precision)];
  return { counted, recall, precision, missed, area, points };
}

const mean = (numbers) => numbers.reduce((sum, x) => sum + x, 0) / numbers.length;
const digits = (x) => x.toFixed(2);

export default explorer({
  label: "Precision and recall as the score threshold falls",
  state: ["score_threshold", "iou_threshold", "group"],

  build(frame) {
    const [detections, objects, classes] = ["detections", "objects", "classes"].map((n) => frame.get(n));
    const columns = frame.get("columns");
    const rows = Math.ceil((1 + Math.max(...objects.map(([image]) => image))) / columns);
    let before = "";
    let games; // one per class, for the IoU threshold and the group in `before`
    const current = () => {
      const asked = [frame.get("iou_threshold"), frame.get("group")];
      if (before !== (before = JSON.stringify(asked))) {
        const chosen = classes.map((_, k) => k).filter((k) => [ALL, classes[k]].includes(asked[1]));
        games = chosen.map((k) => referee(detections, objects, k, asked[0]));
        for (const game of games) game.whole = measure(game, 0);
      }
      return games;
    };

    const stage = frame.stage({ label: "Six scenes with the detector's boxes", ratio: rows / columns });
    const legend = frame.legend({ into: frame.main });
    frame.slider({ label: "Score of at least", name: "score_threshold", min: 0.01, max: 0.99, step: 0.01 });
    frame.slider({ label: "IoU of a hit, at least", name: "iou_threshold", min: 0.05, max: 0.95, step: 0.05 });
    frame.select({ label: "Boxes of", name: "group", options: [...classes, ALL].map((n) => [n, n]) });
    const chart = frame.chart({
      label: "Precision against recall",
      x: { from: 0, to: 1, label: "recall", ticks: [0, 0.5, 1] },
      y: { from: 0, to: 1, label: "precision", ticks: [0, 0.5, 1] },
      ratio: 0.66,
    });
    const table = frame.table({ label: "Average precision", header: ["AP", "down to here", "whole list"] });

    return function draw() {
      const least = frame.get("score_threshold");
      const all = current();
      const parts = all.map((game) => measure(game, least));
      const counted = parts.flatMap((part) => part.counted);
      const place = ({ image, box: [x0, y0, x1, y1] }) => {
        const [column, row] = [image % columns, Math.floor(image / columns)];
        return [(column + x0) / columns, (row + y0) / rows, (column + x1) / columns, (row + y1) / rows];
      };
      const groups = {
        hit: counted.filter(({ hit }) => hit),
        false: counted.filter(({ hit }) => !hit),
        missed: parts.flatMap(({ missed }) => missed),
      };
      const single = all.length === 1;
      const look = { "stroke-width": single ? 2.5 : 1.6 };
      stage.picture(frame.get("picture"));
      const scenes = Array.from({ length: rows * columns }, (_, image) => ({ image, box: [0, 0, 1, 1] }));
      stage.rects("scenes", scenes.map(place), { stroke: "#fff", "stroke-width": 3 });
      stage.rects("rim", [...groups.hit, ...groups.false].map(place), { stroke: "#fff", "stroke-width": 4 });
      stage.rects("missed", groups.missed.map(place), { ...MISSED, "stroke-width": 3 });
      stage.rects("hit", groups.hit.map(place), { ...HIT, ...look });
      stage.rects("false", groups.false.map(place), { ...FALSE, ...look }); // on top: duplicates show
      if (single) writeScores(stage, counted, place);
      legend([
        [HIT, `hit: ${groups.hit.length}`],
        [FALSE, `false: ${groups.false.length}`],
        [MISSED, `missed: ${groups.missed.length}`],
      ]);

      drawCurves(chart, all, parts, frame);
      const both = (rule) => [mean(parts.map((p) => p[rule])), mean(all.map(({ whole }) => whole[rule]))].map(digits);
      table([["area", ...both("area")], ["11 points", ...both("points")]]);
      frame.say(sentence(frame, groups, both("area")));
    };
  },
});

/** Write the score of each box above it, where there is room. */
function writeScores(stage, ones, place) {
  const taken = [];
  ones.forEach((one, i) => {
    const [x, y, , bottom] = stage.px(place(one));
    const across = clamp(x, 2, stage.width - 30);
    const free = (at) => taken.every(([a, b]) => Math.abs(a - across) > 30 || Math.abs(b - at) > 12);
    const down = [y - 6, bottom + 14, bottom - 6].find((at) => at > 10 && at < stage.height && free(at));
    if (down === undefined) return;
    taken.push([across, down]);
    stage.text(`score ${i}`, across + 3, down, digits(one.score), { "font-size": 11, "font-weight": 600 });
  });
}

/** Draw whole curves thin, their parts down to the threshold thick; a single one in more detail. */
function drawCurves(chart, all, parts, frame) {
  chart.axes();
  const points = ({ recall, precision }) => recall.map((r, i) => [r, precision[i]]);
  all.forEach(({ whole }, i) => {
    chart.curve(`whole ${i}`, points(whole), { stroke: QUIET, "stroke-width": 1 });
  });
  if (all.length > 1) {
    parts.forEach((part, i) => chart.curve(`part ${i}`, points(part), { ...HIT, "stroke-width": 1.6 }));
    return;
  }
  const [part] = parts;
  const best = envelope(part.precision);
  const stairs = part.recall.flatMap((r, i) => [[part.recall[i - 1] ?? 0, best[i]], [r, best[i]]]);
  const last = part.recall.at(-1) ?? 0;
  const shape = [[0, 0], ...stairs, [last, 0]];
  chart.curve("area", shape, { fill: HIT.stroke, "fill-opacity": 0.15, stroke: "none" });
  chart.curve("stairs", stairs, { ...HIT, "stroke-width": 1.2, "stroke-dasharray": "2 2" });
  chart.curve("part", points(part), HIT);
  for (let k = 0; k <= 10; k++) {
    const height = best[part.recall.findIndex((r) => r >= k / 10)] ?? 0;
    const at = { cx: chart.x(k / 10), cy: chart.y(height), r: 3.5, fill: FALSE.stroke, stroke: "#fff" };
    chart.put(`point ${k}`, "circle", at);
  }
  const { whole } = all[0];
  const now = Math.max(part.counted.length - 1, 0);
  if (!whole.counted.length) return;
  const go = (i) => {
    const score = whole.counted[clamp(i, 0, whole.counted.length - 1)].score;
    frame.set({ score_threshold: clamp(Math.floor(score * 1e5) / 1e5, 0.01, 0.99) });
  };
  chart.knob("knob", chart.x(whole.recall[now]), chart.y(whole.precision[now]), {
    label: `the last box of ${part.counted.length}; arrow keys take one more or one less`,
    by: (dx, dy, shift) => go(now + (dx + dy) * (shift ? 5 : 1)),
    to(x, y) {
      const far = (i) => Math.hypot(chart.x(whole.recall[i]) - x, chart.y(whole.precision[i]) - y);
      go(whole.recall.reduce((nearest, _, i) => (far(i) < far(nearest) ? i : nearest), 0));
    },
  });
}

/** What the reader sees, in words. */
function sentence(frame, groups, [area, whole]) {
  const [hits, wrong, missed] = [groups.hit, groups.false, groups.missed].map(({ length }) => length);
  const what = frame.get("group") === ALL ? "objects" : `objects of class ${frame.get("group")}`;
  const [boxes, there] = [hits + wrong, hits + missed];
  const found = `${hits} of ${there} ${what} are found: recall ${digits(hits / Math.max(there, 1))}.`;
  const least = frame.get("score_threshold").toFixed(2);
  if (!boxes) return `No box scores ${least} or more. ${found}`;
  return (
    `${boxes} boxes score ${least} or more; ${hits} of them are right: precision ${digits(hits / boxes)}. ${found} ` +
    `The area so far is ${area}; with the rest of the list it becomes ${whole}.`
  );
}
