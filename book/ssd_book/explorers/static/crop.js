// Explorer: SSD's random crop, trial by trial, and what remains of the picture.

import { centreInside, iou, toCxcywh } from "./geometry.js";
import { BLUE, INK, QUIET, clamp } from "./paper.js";
import { explorer, listed } from "./ui.js";

const TRIAL = { stroke: BLUE, "stroke-width": 3, "stroke-dasharray": "9 4" };
const WHITE = "#ffffff";
const BOLD = { "font-weight": 600, "font-size": 16 };
const scaled = (box, size) => box.map((x, i) => x * size[i % 2]);
const fractions = (box, size) => box.map((x, i) => x / size[i % 2]);

/** The outcome of a trial: IoUs, which centres are inside, and whether a sampler accepts it. */
function judge([number, crop, pixels], { boxes, size }, minimum) {
  const ious = boxes.map((box) => iou(crop, fractions(box, size)));
  const best = ious.indexOf(Math.max(...ious));
  const inside = boxes.map((box) => centreInside(box, pixels));
  const accepted = ious[best] >= minimum && inside.includes(true);
  return { number, crop, pixels, ious, best, inside, accepted };
}

/** The state: the seed's draw, the sampler's minimum (null: no crop), its trials, the last one shown.
 *  Null if the page does not contain the seed. */
function look(frame) {
  const draw = frame.get("draws")[frame.get("seed")];
  if (!draw) return null;
  const [asked, minima, own] = ["minimum", "minima", "own"].map((name) => frame.get(name));
  const sampler = asked === "drawn" ? draw.chosen : minima.indexOf(asked);
  const minimum = sampler === null ? null : minima[sampler];
  const drawn = sampler === null ? [] : draw.samplers[sampler];
  const trials = drawn.map((trial) => judge(trial, draw, minimum));
  const shown = trials.slice(0, frame.get("trial"));
  const pixels = own && scaled(own, draw.size).map(Math.round);
  const now = own ? judge([null, own, pixels], draw, minimum ?? 0) : shown.at(-1);
  return { draw, minimum, trials, shown, now };
}

/** Draw the canvas and the photograph on it; `map` maps the canvas to the paper. */
function photograph(paper, frame, { place, size }, map, mirrored) {
  const node = (key, tag, box, more) => {
    const [x, y, right, bottom] = paper.px(box);
    paper.put(key, tag, { x, y, width: right - x, height: bottom - y, ...more });
  };
  node("canvas", "rect", [0, 0, 1, 1], { fill: frame.get("canvas") });
  const transform = mirrored && `translate(${paper.x(1)} 0) scale(-1 1)`;
  const look = { href: frame.get("picture"), preserveAspectRatio: "none", transform };
  node("photograph", "image", map(fractions(place, size)), look);
}

function outlined(paper, boxes) {
  paper.rects("rims", boxes, { stroke: WHITE, "stroke-width": 4 });
  paper.rects("objects", boxes, { stroke: INK, "stroke-width": 2 });
}

/** Write the names into their boxes' corners, without overlaps. */
function named(paper, boxes, names) {
  const taken = [];
  boxes.forEach((box, i) => {
    let [x, y] = paper.px(box);
    while (taken.some(([a, b]) => Math.abs(a - x) < 80 && Math.abs(b - y) < 15)) y += 15;
    taken.push([x, y]);
    const left = Math.min(x + 7, paper.width - 7.5 * names[i].length - 4); // letters are about as wide
    paper.text(`name ${i}`, left, y + 18, names[i], { "font-weight": 600 });
  });
}

export default explorer({
  label: "The random crop, trial by trial",
  state: ["seed", "minimum", "trial", "own", "draws"],

  build(frame) {
    const names = frame.get("names");
    const lastSeed = frame.get("seeds") - 1; // of those that the page contains
    const { size } = Object.values(frame.get("draws"))[0]; // a canvas has the photograph's aspect ratio
    const stage = frame.stage({ label: "The picture and a trial", ratio: size[1] / size[0] });
    const last = () => look(frame)?.trials.length ?? 0;
    const settle = () => look(frame) && frame.set({ trial: last() }); // how the search ends
    const show = String;
    frame
      .slider({ label: "Seed", name: "seed", min: 0, max: lastSeed, step: 1, show })
      .addEventListener("input", settle);
    frame.button("Next seed", () => {
      frame.set({ seed: frame.get("seed") + 1 });
      settle();
    });
    frame.player({ label: "Step", name: "trial", last, milliseconds: 700 });
    frame.more(() => {
      const samplers = frame.get("minima").map((minimum) => [minimum, minimum ? `≥ ${minimum}` : "any"]);
      frame
        .choice({ label: "Minimum IoU", name: "minimum", options: [["drawn", "as drawn"], ...samplers] })
        .addEventListener("change", settle);
    });
    frame.legend()([
      [{ stroke: INK }, "object"],
      [TRIAL, "this trial (drag it)"],
      [{ stroke: QUIET }, "refused earlier"],
    ]);
    const result = frame.stage({ label: "What the network gets", into: frame.side });
    const header = ["object", "IoU", "centre"];
    const table = frame.table({ label: "Objects", header, into: frame.main });
    let step = ""; // of the reader's own crop, which the next step removes

    function drawTrials({ draw, shown, now }) {
      const boxes = draw.boxes.map((box) => fractions(box, draw.size));
      photograph(stage, frame, draw, (box) => box);
      if (now?.accepted) {
        const pale = { fill: WHITE, "fill-opacity": 0.6, "fill-rule": "evenodd", stroke: "none" };
        stage.rects("cut off", [[0, 0, 1, 1], now.crop], pale);
      }
      const before = shown.filter((trial) => trial !== now && !trial.accepted);
      stage.rects("refused", before.map(({ crop }) => crop), { stroke: QUIET });
      outlined(stage, boxes);
      boxes.forEach((box, i) => {
        const [x, y] = toCxcywh(stage.px(box));
        const dot = `M${x - 5} ${y}a5 5 0 1 0 10 0a5 5 0 1 0 -10 0`;
        const cross = `M${x - 5} ${y - 5}l10 10m0 -10l-10 10`;
        const d = !now || now.inside[i] ? dot : cross;
        stage.put(`centre rim ${i}`, "path", { d, stroke: WHITE, "stroke-width": 6 });
        stage.put(`centre ${i}`, "path", { d, stroke: INK, "stroke-width": 2.5, fill: INK });
      });
      if (now) {
        stage.rect("trial rim", now.crop, { stroke: WHITE, "stroke-width": 6 });
        const value = `${now.ious[now.best].toFixed(2)} ${now.accepted ? "✓" : "✗"}`;
        const label = `the crop, best IoU ${value}`;
        const set = (own) => frame.set({ own });
        stage.handleBox("trial", now.crop, { label, set, attributes: TRIAL });
        const [, , right, bottom] = stage.px(now.crop);
        const look = { ...BOLD, "text-anchor": "end", fill: TRIAL.stroke };
        stage.text("value", right - 10, bottom - 10, value, look);
      }
      named(stage, boxes, names);
    }

    /** Draw the crop as the network's square, with the boxes that stay, clipped at its border. */
    function drawResult({ boxes, size, place, mirror }, { pixels, inside, accepted }) {
      const [left, top, right, bottom] = pixels;
      const cut = ([x0, y0, x1, y1]) =>
        fractions([x0 - left, y0 - top, x1 - left, y1 - top], [right - left, bottom - top]);
      photograph(result, frame, { size, place }, (box) => cut(scaled(box, size)), mirror);
      if (!accepted) {
        result.rect("pale", [0, 0, 1, 1], { fill: WHITE, "fill-opacity": 0.75 });
        const look = { ...BOLD, "text-anchor": "middle" };
        return void result.text("refused", result.x(0.5), result.y(0.5), "refused", look);
      }
      const mirrored = ([x0, y0, x1, y1]) => (mirror ? [1 - x1, y0, 1 - x0, y1] : [x0, y0, x1, y1]);
      const stays = (_, i) => inside[i];
      const kept = boxes.filter(stays).map((box) => mirrored(cut(box).map((x) => clamp(x, 0, 1))));
      outlined(result, kept);
      named(result, kept, names.filter(stays));
    }

    return function draw() {
      const at = ["seed", "minimum", "trial"].map((name) => frame.get(name)).join();
      if (step && at !== step && frame.get("own")) frame.set({ own: null });
      step = at;
      const found = look(frame);
      const now = found?.now;
      const cells = (i) => [now.ious[i].toFixed(2), now.inside[i] ? "● inside" : "✕ outside"];
      table(names.map((name, i) => [name, ...(now ? cells(i) : ["–", "–"])]));
      frame.say(sentence(found));
      if (found) drawTrials(found);
      const whole = { pixels: [0, 0, ...(found?.draw.size ?? [])], inside: names, accepted: true };
      if (now || found?.minimum === null) drawResult(found.draw, now ?? whole);
      else result.picture("");
    };

    function sentence(found) {
      const seed = frame.get("seed");
      if (!found) return `This page contains the seeds 0 to ${lastSeed}; seed ${seed} needs Python.`;
      const { draw, minimum, shown, now } = found;
      const ratio = draw.size[0] / (draw.place[2] - draw.place[0]);
      const start = `Seed ${seed}${ratio > 1 ? `, expanded ${ratio.toFixed(1)} times` : ""}: `;
      const end = draw.mirror ? " Then it is mirrored." : "";
      if (!now && minimum === null) return `${start}the picture is used as it is, without a crop.${end}`;
      const wish = minimum ? `an IoU of at least ${minimum} is required. ` : "any IoU will do. ";
      if (!now) return `${start}${wish}No trial is shown yet: press Next or Play.`;
      const which = now.number ? `Trial ${now.number}` : "Your crop";
      const best = now.ious[now.best];
      const value = best ? `IoU ${best.toFixed(2)} with the ${names[now.best]}` : "it touches no object";
      const trial = `${start}${wish}${which}: ${value}, `;
      const left = now.number > shown.length; // the page contains only part of a long search
      const skipped = left ? ` Trials ${shown.length} to ${now.number - 1} were refused, too.` : "";
      if (!now.accepted) {
        const why = !best || now.inside.includes(true) ? "" : "no centre is inside, ";
        const all = now.number === frame.get("most") ? ` None of ${now.number} trials succeeded.` : "";
        return `${trial}${why}refused.${skipped}${all}`;
      }
      const verb = (list, word) => `${listed(list)} ${word}${list.length === 1 ? "s" : ""}`;
      const kept = names.filter((_, i) => now.inside[i]);
      const gone = names.filter((_, i) => !now.inside[i]);
      const who = gone.length ? `${verb(kept, "stay")}; ${verb(gone, "leave")}` : "all objects stay";
      return `${trial}accepted: ${who}.${skipped}${end}`;
    }
  },
});
