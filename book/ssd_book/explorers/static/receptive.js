// Explorer: what a cell of a feature map sees of the picture.

import { fieldBox, nearestCell } from "./geometry.js";
import { INK, LOOKS, QUIET, clamp, mapLook, outlines } from "./paper.js";
import { explorer } from "./ui.js";

const SIZE = 300; // pixels of the picture's side
const NETWORKS = [
  ["ssd300", "SSD300 (VGG-16)"],
  ["slim300", "slim300"],
];

export default explorer({
  label: "What a cell of a feature map sees",
  state: ["network", "map", "point", "head"],

  build(frame) {
    const views = frame.get("views");
    const stage = frame.stage({ label: "Photograph with a cell and its receptive field" });
    frame.choice({
      label: "Feature map",
      name: "map",
      options: LOOKS.slice(0, 6).map(({ name }, k) => [k, name]),
    });
    frame.more(() => {
      frame.select({ label: "Network", name: "network", options: NETWORKS });
      frame.check({ label: "With a 3 × 3 head on top", name: "head" });
    });
    const table = frame.table({
      label: "The six maps",
      header: ["map", "cells", "stride, px", "sees, px", "90 %, px"],
    });
    const point = (x, y) => frame.set({ point: stage.fractions(x, y).map((v) => clamp(v, 0, 1)) });

    return function draw() {
      const maps = views[frame.get("network")];
      const k = frame.get("map");
      const view = maps[k];
      const head = frame.get("head");
      const { row, column } = nearestCell(view, frame.get("point").map((at) => SIZE * at));
      const whole = fieldBox(view, row, column, head);
      const [x0, y0, x1, y1] = whole.map((at) => clamp(at / SIZE, 0, 1));
      const [cx, cy] = [column, row].map((at) => (view.centre + at * view.stride) / SIZE);
      const half = view.stride / SIZE / 2;

      stage.picture(frame.get("picture"));
      // what it does not see is veiled: four strips around the field
      const veil = { fill: "#ffffff", "fill-opacity": 0.72, stroke: "none" };
      stage.rect("above", [0, 0, 1, y0], veil);
      stage.rect("below", [0, y1, 1, 1], veil);
      stage.rect("left", [0, y0, x0, y1], veil);
      stage.rect("right", [x1, y0, 1, y1], veil);
      const lines = [];
      for (let i = 0; i <= view.cells; i++) {
        const at = (view.centre + (i - 0.5) * view.stride) / SIZE;
        if (at > 0 && at < 1) lines.push([at, 0, at, 1], [0, at, 1, at]);
      }
      const pale = { fill: "none", stroke: QUIET, "stroke-width": 0.6, opacity: 0.7 };
      stage.put("grid", "path", { d: outlines(lines.map((line) => stage.px(line))), ...pale });
      stage.rect("rim", [x0, y0, x1, y1], { fill: "none", stroke: "#ffffff", "stroke-width": 5, opacity: 0.8 });
      stage.rect("field", [x0, y0, x1, y1], { ...mapLook(k), "stroke-width": 2.6 });
      const square = [cx - half, cy - half, cx + half, cy + half].map((at) => clamp(at, 0, 1));
      stage.rect("cell", square, { fill: LOOKS[k].colour, "fill-opacity": 0.35, stroke: INK, "stroke-width": 1.5 });
      const ground = stage.rect("ground", [0, 0, 1, 1], { fill: "transparent" });
      stage.follow(ground, point);
      stage.knob("knob", stage.x(cx), stage.y(cy), {
        label: `cell at row ${row}, column ${column} of ${view.name}; arrow keys go to the next cell`,
        to: point,
        by: (dx, dy) => {
          const next = (at, by) =>
            clamp((view.centre + clamp(at + by, 0, view.cells - 1) * view.stride) / SIZE, 0, 1);
          frame.set({ point: [next(column, dx), next(row, dy)] });
        },
      });

      table(
        maps.map(({ name, cells, stride, field, reach }, i) => [
          i === k ? `▸ ${name}` : name,
          cells,
          stride,
          field + (head ? 2 * stride : 0),
          reach ?? "–",
        ]),
      );
      const width = whole[2] - whole[0];
      const share = (100 * (x1 - x0) * (y1 - y0)).toFixed(0);
      const said = [
        `${view.name}, row ${row}, column ${column}: ${head ? "its head" : "the cell"} sees ${width} × ${width} pixels, ` +
          `${share} % of the picture.`,
      ];
      if (width > SIZE) said.push("That is wider than the picture; the rest is padding.");
      if (view.reach && !head) said.push(`90 % of the influence comes from about ${view.reach} × ${view.reach} pixels.`);
      frame.say(said.join(" "));
    };
  },
});
