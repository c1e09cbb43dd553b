// Explorer: the scales of the feature maps, by any preset's rule or by the reader's own.

import { extraScale, iou, scales, toXyxy } from "./geometry.js";
import { centreKnob, drawObjects, nearestObject } from "./objects.js";
import { INK, LOOKS, QUIET, assign, clamp, mapLook } from "./paper.js";
import { explorer, html } from "./ui.js";

const FIELDS = ["s_min", "s_max", "first", "beyond", "whole_percent"];
const TOP = 1.2; // of the chart
const px = (pixels) => String(Number(pixels.toFixed(1)));
const signed = (pixels) => (Math.abs(pixels) < 0.05 ? "0" : px(pixels).replace("-", "−").replace(/^(?=\d)/, "+"));

/** All squares of a preset, two per map: {map, side, extra}. */
function squares(preset) {
  const s = scales(preset);
  return preset.maps.flatMap((_, map) => [
    { map, side: s[map], extra: false },
    { map, side: extraScale(s[map], s[map + 1]), extra: true },
  ]);
}

/** The square that overlaps a box most, of those around `place`: {map, side, extra, overlap}. */
function bestSquare(preset, place, box) {
  const all = squares(preset).map((square) => {
    const { side } = square;
    return { ...square, overlap: iou(toXyxy([...place, side, side]), box) };
  });
  return all.reduce((best, square) => (square.overlap > best.overlap ? square : best));
}

export default explorer({
  label: "Scales of the feature maps",
  state: [...FIELDS, "maps", "image_size", "compared", "centre"],

  build(frame) {
    const presets = frame.get("presets");
    const stage = frame.stage({ label: "Scene with the squares of each map", margin: 0.08 });
    const legend = frame.legend({ into: frame.main });

    const row = html("div", { class: "ssd-choice", role: "group", "aria-label": "Presets" });
    frame.main.prepend(row);
    const buttons = presets.map((preset) => {
      const { rule, maps, image_size } = preset;
      const button = frame.button(preset.name, () => frame.set({ ...rule, maps: maps.length, image_size }));
      row.append(button);
      return [preset, button];
    });
    const chart = frame.chart({
      label: "Scale of each map",
      x: { from: 0.6, to: 8.4, label: "map k", ticks: [1, 2, 3, 4, 5, 6, 7, 8] },
      y: { from: 0, to: TOP, label: "scale", ticks: [0, 0.2, 0.4, 0.6, 0.8, 1] },
      ratio: 0.66,
    });
    const count = frame.slider({
      label: "Feature maps",
      name: "maps",
      min: 3,
      max: 7,
      step: 1,
      show: (n) => `${n}, so m = ${frame.get("first") === null ? n : n - 1}`,
    });
    const byHand = presets.find(({ rule }) => rule.first !== null && rule.beyond !== null).rule;
    frame.more(() => {
      frame.check({ label: "First map by hand", name: "first", on: byHand.first, off: null });
      frame.check({ label: "Whole percents, as in Caffe", name: "whole_percent" });
      frame.check({ label: `s beyond the last map is ${byHand.beyond}`, name: "beyond", on: byHand.beyond, off: null });
      const all = presets.map(({ name }) => [name, name]);
      frame.select({ label: "Compare with", name: "compared", options: all });
    });
    const goal = frame.goal("a square that overlaps the chosen object with an IoU of 0.90 or more.");
    const table = frame.table({
      label: "Sides of the squares in pixels",
      header: ["px", "side", "second", "compared", "±"],
    });

    /** A point of the chart to drag up and down: it sets the trait `name`. */
    function scaleKnob(name, k, low, high) {
      const value = frame.get(name);
      const below = Math.min(chart.y(value) + 16, chart.y(0) - 4); // not on the axis
      chart.text(`name ${name}`, chart.x(k) + 12, below, name, { "font-size": 12 });
      const set = (s) => frame.set({ [name]: Number(clamp(s, low, high).toFixed(2)) });
      chart.knob(name, chart.x(k), chart.y(value), {
        label: `${name} = ${value.toFixed(2)}; arrows up and down change it, with shift faster`,
        to: (x, y) => set(chart.values(x, y)[1]),
        by: (dx, dy, shift) => set(value + (dx - dy) * (shift ? 0.05 : 0.01)),
      });
    }

    return function draw() {
      const rule = Object.fromEntries(FIELDS.map((name) => [name, frame.get(name)]));
      const [n, size] = [frame.get("maps"), frame.get("image_size")];
      const like = presets.find((preset) => preset.image_size === size);
      const own = { ...like, maps: like.maps.slice(0, n), rule };
      const same = ({ rule: theirs, maps, image_size }) =>
        image_size === size && maps.length === n && FIELDS.every((name) => theirs[name] === rule[name]);
      const names = presets.filter(same).map(({ name }) => name);
      const other = presets.find(({ name }) => name === frame.get("compared"));
      const [s, theirs] = [scales(own), scales(other)];

      for (const [preset, button] of buttons) assign(button, { "aria-pressed": String(same(preset)) });
      count.max = like.maps.length;
      count.value = n; // again: the old maximum may have limited it

      const centre = frame.get("centre");
      const objects = frame.get("objects");
      const object = nearestObject(objects, centre);
      stage.picture(frame.get("picture"));
      drawObjects(stage, objects, object);
      for (const { map, side, extra } of squares(own)) {
        const width = { "stroke-width": extra ? 1.2 : 2.4 };
        stage.rect(`square ${map} ${extra}`, toXyxy([...centre, side, side]), { ...mapLook(map), ...width });
      }
      centreKnob(frame, stage, "the squares");
      legend(own.maps.map(({ name }, k) => [mapLook(k), name]));

      chart.axes();
      chart.curve("mark", [[0.8, 1.08], [1.5, 1.08]], { stroke: QUIET, "stroke-dasharray": "5 4" });
      chart.text("compared", chart.x(1.6), chart.y(1.08) + 4, other.name, { "font-size": 12 });
      chart.curve("other", theirs.map((scale, k) => [k + 1, scale]), { stroke: QUIET, "stroke-dasharray": "5 4" });
      const start = rule.first === null ? 1 : 2; // the first map that the formula covers
      chart.curve("line", [[start, rule.s_min], [n, rule.s_max]], { "stroke-width": 1 });
      s.forEach((scale, k) => {
        const [x, y] = [chart.x(k + 1), chart.y(Math.min(scale, TOP))];
        const look = k < n ? { fill: LOOKS[k].colour } : { fill: "#ffffff", stroke: INK };
        const r = k === 0 || k === start - 1 || k === n - 1 ? 10 : 6; // larger below a knob
        chart.put(`scale ${k}`, "circle", { cx: x, cy: y, r, ...look });
      });
      if (rule.first !== null) scaleKnob("first", 1, 0.01, 1);
      scaleKnob("s_min", start, 0.01, rule.s_max - 0.01);
      scaleKnob("s_max", n, rule.s_min + 0.01, 1);

      table(
        s.map((scale, k) => {
          const second = k < n ? px(size * extraScale(scale, s[k + 1])) : "";
          const has = k < n ? k < theirs.length - 1 : n === theirs.length - 1;
          const theirSide = has ? px(size * theirs[k]) : "–";
          const name = k < n ? own.maps[k].name : "beyond";
          return [name, px(size * scale), second, theirSide, has ? signed(size * (scale - theirs[k])) : ""];
        }),
      );

      const m = n + 1 - start;
      const step = (rule.s_max - rule.s_min) / (m - 1);
      const taken = s[start] - s[start - 1];
      const round = rule.whole_percent && Math.abs(step - taken) > 1e-9 ? `, rounded down to ${taken.toFixed(2)}` : "";
      const [w, h] = [object.box[2] - object.box[0], object.box[3] - object.box[1]].map((side) => Math.round(size * side));
      const [mine, its] = [own, other].map((preset) => bestSquare(preset, centre, object.box));
      goal(mine.overlap >= 0.9, "Now choose another object: the same rule has to do for all of them.");
      const title = names.length ? names.join(" and ") : "Your own scales";
      frame.say(
        `${title}: m = ${m}, one step is (${rule.s_max.toFixed(2)} − ${rule.s_min.toFixed(2)}) / ${m - 1} = ` +
          `${Number(step.toFixed(4))}${round}. The ${object.name} is ${w} × ${h} px; its best square here is ` +
          `the ${mine.extra ? "second" : "small"} one of ${own.maps[mine.map].name}, ${px(size * mine.side)} px: ` +
          `IoU ${mine.overlap.toFixed(2)}.` +
          (names.includes(other.name) ? "" : ` With ${other.name} it would be ${its.overlap.toFixed(2)}.`),
      );
    };
  },
});
