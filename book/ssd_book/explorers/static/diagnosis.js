// Explorer: ten runs, each with one fault, to be diagnosed.

import { BLUE, INK, ORANGE, QUIET, clamp } from "./paper.js";
import { explorer, html } from "./ui.js";

const PARTS = [
  ["total", "total"],
  ["confidence", "confidence"],
  ["localization", "localization"],
];
const LETTERS = "ABCDEFGHIJ".split("");
const THIS = { stroke: ORANGE };
const DOT = { "stroke-dasharray": "0.1 99", "stroke-dashoffset": -12, "stroke-linecap": "round", "stroke-width": 8 };
const SOUND = { stroke: QUIET, "stroke-dasharray": "5 3" };
const BOX = { stroke: BLUE, fill: "none" };

/** The chosen part of the losses of a point of a curve; null where they are not numbers. */
const partOf = (name, [, total, box]) =>
  total === null || box === null ? null : { total, confidence: total - box, localization: box }[name];

/** The point of a curve that is nearest to a number of samples. */
const nearest = (curve, samples) =>
  curve.reduce((best, one) => (Math.abs(one[0] - samples) < Math.abs(best[0] - samples) ? one : best));

const inside = (box) => box.slice(0, 4).every((corner) => corner > -0.02 && corner < 1.02);

export default explorer({
  label: "Ten runs, each with one fault",
  state: ["run", "part", "at", "diagnoses"],

  build(frame) {
    const [runs, clues, pictures] = ["runs", "clues", "pictures"].map((name) => frame.get(name));
    const top = frame.get("top");
    const last = runs.sound.curve.at(-1)[0];
    const stage = frame.stage({ label: "Four pictures that the run learns from, with their boxes" });
    const legend = frame.legend({ into: frame.main });
    const table = frame.table({
      label: "Measured on the first 320 samples",
      header: ["first 320 samples", "this run", "sound run"],
      into: frame.main,
    });
    frame.choice({ label: "Run", name: "run", options: LETTERS.map((letter) => [letter, letter]) });
    frame.choice({ label: "Loss", name: "part", options: PARTS });
    const chart = frame.chart({
      label: "Loss over the samples seen",
      x: { from: 0, to: last, label: "samples seen", ticks: [0, last / 4, last / 2, (3 * last) / 4, last] },
      y: { from: 0, to: top, label: "loss per positive", ticks: [0, top / 4, top / 2, (3 * top) / 4, top] },
      ratio: 0.8,
    });
    const lines = frame.legend();
    const select = html("select", {}, html("option", { value: "" }, "choose …"));
    select.append(...Object.keys(clues).map((name) => html("option", { value: name }, name)));
    select.addEventListener("change", () => {
      const { [frame.get("run")]: _, ...others } = frame.get("diagnoses");
      frame.set({ diagnoses: select.value ? { ...others, [frame.get("run")]: select.value } : others });
    });
    frame.side.append(html("label", { class: "ssd-control" }, "Your diagnosis ", select));

    return function draw() {
      const letter = frame.get("run");
      const run = runs[letter];
      const part = frame.get("part");
      select.value = frame.get("diagnoses")[letter] ?? "";

      drawPictures(stage, run, pictures[run.sheet]);
      const boxes = run.boxes.flat();
      const outside = boxes.filter((box) => !inside(box)).length;
      legend([
        [BOX, `box, with a dot at (xmin, ymin): ${boxes.length - outside}`],
        ...(outside ? [[{ stroke: "none" }, `outside the pictures: ${outside}`]] : []),
      ]);
      table(run.checks.map(([name, value], i) => [name, value, runs.sound.checks[i][1]]));

      chart.axes();
      drawCurves(chart, runs.sound, part, top, "sound", SOUND);
      drawCurves(chart, run, part, top, "this", THIS);
      lines([
        [THIS, `run ${letter}`],
        [SOUND, "sound run"],
        ...(part === "total" ? [[{ ...THIS, ...DOT }, `run ${letter}, unseen pictures`], [{ ...SOUND, ...DOT }, "sound run, unseen pictures"]] : []),
      ]);
      const at = nearest(runs.sound.curve, frame.get("at"));
      const here = chart.x(at[0]);
      chart.line("reading", [[here, chart.y(0)], [here, chart.y(top)]], { stroke: INK, "stroke-width": 1 });
      const go = (samples) => frame.set({ at: Math.round(clamp(samples, 0, last)) });
      chart.knob("knob", here, chart.y(0), {
        label: `${at[0]} samples; arrow keys move along the curves`,
        to: (x, y) => go(chart.values(x, y)[0]),
        by: (dx, dy, shift) => go(at[0] + (dx - dy) * (shift ? 5 : 1) * runs.sound.curve[0][0]),
      });
      frame.say(`${reading(run, runs.sound, part, at)} ${verdict(frame, runs, clues)}`);
    };
  },
});

/** Draw the sheet of four pictures, and on each its boxes, with a dot at (xmin, ymin). */
function drawPictures(stage, run, sheet) {
  stage.picture(sheet);
  stage.rects("panes", [[0, 0, 0.5, 0.5], [0.5, 0, 1, 0.5], [0, 0.5, 0.5, 1], [0.5, 0.5, 1, 1]], { stroke: "#fff", "stroke-width": 3 });
  const taken = []; // by names: [middle, line, half of the width], in pixels
  const free = ([x, y, half]) => taken.every(([a, b, other]) => Math.abs(x - a) > half + other || Math.abs(y - b) > 11);
  const names = []; // written last, or the next box would cover them
  run.boxes.forEach((boxes, pane) => {
    const [left, up] = [pane % 2, Math.floor(pane / 2)];
    boxes.forEach((box, i) => {
      if (!inside(box)) return;
      const [x0, y0, x1, y1, name] = box;
      const place = [Math.min(x0, x1) + left, Math.min(y0, y1) + up, Math.max(x0, x1) + left, Math.max(y0, y1) + up];
      const halved = place.map((at) => at / 2);
      stage.rect(`rim ${pane} ${i}`, halved, { stroke: "#fff", "stroke-width": 4 });
      stage.rect(`box ${pane} ${i}`, halved, { ...BOX, "stroke-width": 2 });
      const at = { cx: stage.x((x0 + left) / 2), cy: stage.y((y0 + up) / 2) };
      stage.put(`dot ${pane} ${i}`, "circle", { ...at, r: 4, fill: BOX.stroke, stroke: "#fff" });
      const words = { "font-size": 11, "font-weight": 600, "text-anchor": "middle" };
      const middle = clamp(stage.x((halved[0] + halved[2]) / 2), stage.x(left / 2) + 32, stage.x((left + 1) / 2) - 32);
      const [low, high] = [stage.y(up / 2) + 11, stage.y((up + 1) / 2) - 4];
      const [top, bottom] = [stage.y(halved[1]), stage.y(halved[3])];
      const lines = [bottom + 11, top - 4, bottom - 5, top + 11, (top + bottom) / 2 + 4];
      const places = lines.map((line) => [middle, clamp(line, low, high), 3.2 * name.length]);
      const spot = places.find(free) ?? places[0];
      taken.push(spot);
      names.push([`name ${pane} ${i}`, ...spot.slice(0, 2), name, words]);
    });
  });
  for (const each of names) stage.text(...each);
}

/** Draw a run's curve, cut at the top of the chart, and the dots of its losses on unseen pictures. */
function drawCurves(chart, run, part, top, key, look) {
  const points = run.curve.map((one) => [one[0], partOf(part, one)]).filter(([, loss]) => loss !== null);
  const cut = points.map(([samples, loss]) => [samples, Math.min(loss, top)]);
  if (cut.length) chart.curve(`${key} curve`, cut, look);
  if (run.ended !== null && cut.length) {
    const [samples, loss] = cut.at(-1);
    const words = { "font-size": 13, "font-weight": 700 };
    chart.text(`${key} end`, chart.x(samples) + 4, chart.y(loss) + 4, "NaN", words);
  }
  if (part !== "total") return;
  run.unseen.forEach(([samples, loss], i) => {
    const at = { cx: chart.x(samples), cy: chart.y(Math.min(loss, top)), r: 4 };
    chart.put(`${key} unseen ${i}`, "circle", { ...at, fill: look.stroke, stroke: "#fff" });
  });
}

const digits = (loss) => (loss >= 100 ? loss.toFixed(0) : loss.toFixed(2));

/** What the curves say at a number of samples. */
function reading(run, sound, part, at) {
  const what = `${part} loss`;
  const its = run.ended !== null && at[0] >= run.ended ? null : partOf(part, nearest(run.curve, at[0]));
  const own = its === null ? `is not a number: NaN came after ${run.ended} samples` : `is ${digits(its)}`;
  return `After ${at[0]} samples the ${what} ${own}; that of the sound run is ${digits(partOf(part, at))}.`;
}

/** What the diagnosis is worth. */
function verdict(frame, runs, clues) {
  const [letter, given] = [frame.get("run"), frame.get("diagnoses")];
  const solved = LETTERS.filter((one) => given[one] === runs[one].fault).length;
  const said = given[letter];
  if (!said) return "What is wrong? Look at the pictures and at the table, then choose.";
  if (said !== runs[letter].fault) return `Not “${said}”: that would show ${clues[said]}. Look again.`;
  return `Right: ${said}. ${runs[letter].sign} ${solved} of ${LETTERS.length} runs solved.`;
}
