// Explorer: one area, any shape. A box is stretched at constant area, among the priors of a cell.

import { area, extraScale, iou, scales, toXyxy } from "./geometry.js";
import { centreKnob, drawObjects, nearestObject } from "./objects.js";
import { INK, LOOKS, assign, clamp, mapLook } from "./paper.js";
import { explorer, html } from "./ui.js";

const WIDEST = 9; // the box goes from 1/9 to 9
const NEAR = 0.05; // difference of the logarithms of two ratios
const sides = (s, a) => [s * Math.sqrt(a), s / Math.sqrt(a)];
const nameOf = (a) => (a < 1 ? `1/${1 / a}` : `${a}`);
const show = (number) => number.toFixed(3);

export default explorer({
  label: "Aspect ratio of a box",
  state: ["map", "scale", "ratio", "centre"],

  build(frame) {
    const preset = frame.get("preset");
    const ofMap = scales(preset);
    const stage = frame.stage({ label: "Scene with the boxes of one cell", margin: 0.1 });
    const maps = preset.maps.map(({ name }, k) => [k, name]);
    const choice = frame.choice({ label: "Feature map", name: "map", options: maps });
    choice.addEventListener("change", () => frame.set({ scale: ofMap[frame.get("map")] }));
    const slider = frame.slider({ label: "Scale s", name: "scale", min: 0.05, max: 1, step: 0.01 });

    const row = html("div", { class: "ssd-choice", role: "group", "aria-label": "Ratios" });
    frame.main.append(html("div", {}, "Ratio a", row));
    const buttons = [1 / 3, 1 / 2, 1, 2, 3].map((ratio) => {
      const button = frame.button(nameOf(ratio), () => frame.set({ ratio }));
      row.append(button);
      return [ratio, button];
    });
    const bars = frame.chart({
      into: frame.main,
      label: "The roots as lengths",
      x: { from: 0, to: 3, label: "times s", ticks: [0, 1, 2, 3] },
      y: { from: 0, to: 2, label: "", ticks: [] },
      ratio: 0.4,
    });
    const goal = frame.goal("a box that beats the best of the cell by 0.05 or more.");
    const table = frame.table({
      label: "Boxes of the cell",
      header: ["ratio", "width", "height", "area", "IoU"],
    });

    function setRatio(ratio) {
      frame.set({ ratio: clamp(ratio, 1 / WIDEST, WIDEST) });
    }

    return function draw() {
      const [map, s, a, centre] = ["map", "scale", "ratio", "centre"].map((name) => frame.get(name));
      const { name, ratios } = preset.maps[map];
      const next = ofMap[map + 1];
      slider.max = Math.min(1, next);
      slider.value = s; // again: the old maximum may have limited it
      const around = (size) => toXyxy([...centre, ...size]);
      const large = extraScale(s, next);
      const shapes = [1, ...ratios.flatMap((r) => [r, 1 / r])];
      const priors = shapes.map((r) => ({ ratio: r, name: nameOf(r), box: around(sides(s, r)) }));
      priors.splice(1, 0, { ratio: 0, name: "1, extra", box: around([large, large]) });
      const [w, h] = sides(s, a);
      const box = around([w, h]);
      const object = nearestObject(frame.get("objects"), centre);
      const twin = s === ofMap[map] && priors.find(({ ratio }) => ratio === a);
      for (const [ratio, button] of buttons) {
        assign(button, { "aria-pressed": String(ratio === a) });
        button.style.display = shapes.includes(ratio) ? "" : "none";
      }

      // the picture; the corner to drag is the one with the most room
      const [right, down] = [centre[0] <= 0.5 ? 1 : -1, centre[1] <= 0.5 ? 1 : -1];
      const corner = ([width, height]) => [
        stage.x(centre[0] + (right * width) / 2),
        stage.y(centre[1] + (down * height) / 2),
      ];
      stage.picture(frame.get("picture"));
      drawObjects(stage, frame.get("objects"), object);
      const steps = Array.from({ length: 61 }, (_, i) => WIDEST ** (i / 30 - 1));
      const rail = steps.map((ratio) => corner(sides(s, ratio)));
      stage.line("rail", rail, { stroke: INK, "stroke-width": 1.2, "stroke-dasharray": "2 3" });
      for (const prior of priors) {
        stage.rect(`prior ${prior.name}`, prior.box, { ...mapLook(map), "stroke-width": 1.2 });
      }
      const tint = { fill: LOOKS[map].colour, "fill-opacity": 0.18, "stroke-width": 3.5 };
      stage.rect("box", box, { stroke: LOOKS[map].colour, ...tint });
      const words = { "text-anchor": right > 0 ? "start" : "end", "font-size": 12 };
      for (const { ratio, name: label } of priors) {
        const [x, y] = corner(ratio ? sides(s, ratio) : [large, large]);
        const away = ratio ? 7 : 12;
        const below = ratio === 1 ? 4 : down > 0 ? away + 6 : -away; // 1 is close to the extra square
        stage.put(`dot ${label}`, "circle", { cx: x, cy: y, r: 3.5, fill: LOOKS[map].colour });
        const beside = clamp(x + away * right, 44, stage.width - 44); // the text needs room
        stage.text(`name ${label}`, beside, y + below, label, words);
      }
      lengths(stage, box, [right, down], `${show(w)} wide`, `${show(h)} high`);
      centreKnob(frame, stage, "the boxes");
      const [x, y] = corner([w, h]);
      stage.knob("corner", clamp(x, 8, stage.width - 8), clamp(y, 8, stage.height - 8), {
        label: `corner, ratio ${a.toFixed(2)}; arrow keys change the ratio, with shift faster`,
        to: (...at) => {
          const [px, py] = stage.fractions(...at);
          const wanted = Math.max(Math.abs(px - centre[0]), 0.001) / Math.max(Math.abs(py - centre[1]), 0.001);
          setRatio(shapes.find((ratio) => Math.abs(Math.log(wanted / ratio)) < NEAR) ?? wanted);
        },
        by: (dx, dy, shift) => setRatio(a * (shift ? 1.1 : 1.02) ** (dx + dy)),
      });

      // the roots
      bars.axes();
      const root = Math.sqrt(a);
      [[1.95, root, "√a"], [0.95, 1 / root, "1/√a"]].forEach(([top, length, words]) => {
        const [x0, y0] = [bars.x(0), bars.y(top)];
        const size = { width: bars.x(length) - x0, height: bars.y(top - 0.8) - y0 };
        bars.put(words, "rect", { x: x0, y: y0, ...size, fill: LOOKS[map].colour, "fill-opacity": 0.3 });
        bars.text(`name ${words}`, x0 + 8, y0 + size.height / 2 + 5, `${words} = ${show(length)}`);
      });
      bars.curve("one", [[1, 0], [1, 2]], { "stroke-width": 1.2, "stroke-dasharray": "4 3" });

      const overlap = (prior) => iou(prior.box, object.box);
      const line = (words, one) => {
        const [x0, y0, x1, y1] = one.box;
        return [words, show(x1 - x0), show(y1 - y0), show(area(one.box)), overlap(one).toFixed(2)];
      };
      table([...priors.map((prior) => line(prior.name, prior)), line(`a = ${a.toFixed(2)}`, { box })]);

      const best = priors.reduce((p, q) => (overlap(q) > overlap(p) ? q : p));
      goal(
        overlap({ box }) >= overlap(best) + 0.05,
        "The cell has no such box, and it needs none: the network's offsets stretch the nearest one.",
      );
      const [ow, oh] = [object.box[2] - object.box[0], object.box[3] - object.box[1]];
      frame.say(
        `a = ${a.toFixed(2)}${twin ? `, as prior ${twin.name} of ${name}` : ""}: ` +
          `${s.toFixed(2)} · ${show(root)} = ${show(w)} wide, ${s.toFixed(2)} · ${show(1 / root)} = ${show(h)} high. ` +
          `The area stays ${s.toFixed(2)}² = ${show(s * s)}. IoU with the ${object.name} (ratio ${(ow / oh).toFixed(2)}): ` +
          `${overlap({ box }).toFixed(2)}; the best box of the cell is ${best.name}, with ${overlap(best).toFixed(2)}.`,
      );
    };
  },
});

/** Write a box's width and height on its sides away from the corner, as lengths with end bars; never off
 *  the paper. */
function lengths(stage, box, [right, down], wide, high) {
  const [x0, y0, x1, y1] = stage.px(box);
  const x = right > 0 ? Math.max(x0 - 9, 16) : Math.min(x1 + 9, stage.width - 16);
  const y = down > 0 ? Math.max(y0 - 9, 18) : Math.min(y1 + 9, stage.height - 18);
  const look = { stroke: INK, "stroke-width": 1.6 };
  stage.line("wide", [[x0, y - 4], [x0, y + 4], [x0, y], [x1, y], [x1, y - 4], [x1, y + 4]], look);
  stage.line("high", [[x - 4, y0], [x + 4, y0], [x, y0], [x, y1], [x - 4, y1], [x + 4, y1]], look);
  const words = { "text-anchor": "middle", "font-weight": 600 };
  const [middle, half] = [clamp((x0 + x1) / 2, 40, stage.width - 40), clamp((y0 + y1) / 2, 40, stage.height - 40)];
  stage.text("width", middle, y + (down > 0 ? -6 : 14), wide, words);
  stage.text("height", 0, 0, high, { ...words, transform: `translate(${x + (right > 0 ? -5 : 14)} ${half}) rotate(-90)` });
}
