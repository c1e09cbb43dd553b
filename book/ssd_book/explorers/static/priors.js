// Explorer: the list of priors, cell by cell, over a photograph.

import { boxesPerCell, cellCentres, makePriors, priorXyxy, priorsPerMap } from "./geometry.js";
import { INK, LOOKS, QUIET, clamp, mapLook, outlines } from "./paper.js";
import { explorer } from "./ui.js";

const MARGIN = 0.34; // of the picture's side: room for boxes that leave it
const ROUNDING = 1e-6; // a box that ends on the border does not cross it
const SHAPES = [
  ["all", "all"],
  ["small", "small square"],
  ["large", "large square"],
  ["2", "2 : 1"],
  ["1/2", "1 : 2"],
  ["3", "3 : 1"],
  ["1/3", "1 : 3"],
];

/** A preset's list: the priors, their shapes, their first indices. */
function catalogue(preset) {
  const priors = makePriors(preset);
  const counts = priorsPerMap(preset);
  const maps = preset.maps.map((map, k) => {
    const pairs = map.ratios.flatMap((r) => [`${r}`, `1/${r}`]);
    const centres = cellCentres(preset, k);
    const first = counts.slice(0, k).reduce((sum, n) => sum + n, 0);
    return { ...map, centres, first, count: counts[k], shapes: ["small", "large", ...pairs] };
  });
  return { preset, priors, maps, total: priors.length / 4, perCell: boxesPerCell(preset) };
}

const crosses = (box) =>
  Math.min(box[0], box[1]) < -ROUNDING || Math.max(box[2], box[3]) > 1 + ROUNDING;

/** The priors of map k that pass the filters: their corners, xyxy. */
function chosenBoxes({ priors, maps, perCell }, k, shape, crossing) {
  const { first, count, shapes } = maps[k];
  const found = [];
  for (let i = first; i < first + count; i++) {
    if (shape !== "all" && shapes[(i - first) % perCell[k]] !== shape) continue;
    const box = priorXyxy(priors, i, [0, 0, 0, 0]);
    if (!crossing || crosses(box)) found.push(box);
  }
  return found;
}

/** Side of a map's cells, and the cell around a place. */
function cellAt(preset, map, [x, y]) {
  const side = preset.centres === "step" ? map.step_px / preset.image_size : 1 / map.cells;
  const at = (value) => clamp(Math.floor(value / side), 0, map.cells - 1);
  return { side, row: at(y), column: at(x) };
}

/** A function that caches its results. */
function remembered(compute) {
  const known = new Map();
  return (...key) => {
    const name = key.map((part) => part.preset?.name ?? part).join(" ");
    if (known.size > 99) known.clear(); // such as while a window is resized
    if (!known.has(name)) known.set(name, compute(...key));
    return known.get(name);
  };
}

export default explorer({
  label: "Priors: the list of boxes, cell by cell",
  state: ["preset", "map", "point", "shape", "crossing", "everything"],

  build(frame) {
    const presets = frame.get("presets");
    const known = remembered((name) => catalogue(presets[name]));
    const boxesOf = remembered(chosenBoxes);
    const stage = frame.stage({ label: "Photograph with one cell's boxes", margin: MARGIN });
    const cellTable = frame.table({
      label: "The boxes of this cell",
      header: ["prior", "shape", "w × h, px", "border"],
      into: frame.main,
    });
    const names = Object.keys(presets).map((name) => [name, name]);
    const mapChoice = frame.choice({
      label: "Feature map",
      name: "map",
      options: LOOKS.map(({ name }, k) => [k, name]),
    });
    frame.more(() => {
      const select = frame.select({ label: "Priors", name: "preset", options: names });
      select.addEventListener("change", () => {
        frame.set({ map: Math.min(frame.get("map"), presets[select.value].maps.length - 1) });
      });
      frame.select({ label: "Shape", name: "shape", options: SHAPES });
      frame.check({ label: "Leave out boxes inside the picture", name: "crossing" });
      frame.check({ label: "All cells of this map", name: "everything" });
    });
    const goal = frame.goal("find a cell whose centre lies outside the picture.");
    const mapTable = frame.table({
      label: "The running count",
      header: ["map", "priors", "sum so far", "kept"],
    });
    const outlinesOf = remembered((list, k, shape, crossing) =>
      outlines(boxesOf(list, k, shape, crossing).map((box) => stage.px(box))),
    );
    const gridOf = remembered((list, k, side) => {
      const { cells } = list.maps[k];
      const boxes = [];
      for (let i = 0; i < cells; i++) {
        boxes.push([i * side, 0, (i + 1) * side, cells * side], [0, i * side, cells * side, (i + 1) * side]);
      }
      return outlines(boxes.map((box) => stage.px(box)));
    });
    const point = (x, y) => frame.set({ point: stage.fractions(x, y).map((v) => clamp(v, 0, 1)) });

    return function draw() {
      const list = known(frame.get("preset"));
      const k = Math.min(frame.get("map"), list.maps.length - 1);
      const map = list.maps[k];
      const [shape, crossing, everything] = ["shape", "crossing", "everything"].map(frame.get, frame);
      const { side, row, column } = cellAt(list.preset, map, frame.get("point"));
      const first = map.first + (row * map.cells + column) * list.perCell[k];
      const [cx, cy] = [map.centres[column], map.centres[row]];
      [...mapChoice.querySelectorAll("label")].forEach((label, i) => (label.hidden = i >= list.maps.length));

      const cell = map.shapes.map((name, i) => {
        const box = priorXyxy(list.priors, first + i, [0, 0, 0, 0]);
        const out = crosses(box);
        return { name, index: first + i, box, out, drawn: (shape === "all" || shape === name) && (out || !crossing) };
      });
      const counts = list.maps.map((_, i) => boxesOf(list, i, shape, crossing).length);

      stage.picture(frame.get("picture"));
      if (everything) {
        const d = outlinesOf(list, k, shape, crossing, stage.width);
        const thin = { fill: "none", stroke: LOOKS[k].colour, "stroke-width": 0.6 };
        stage.put("everything", "path", { d, ...thin, opacity: clamp(6.5 / Math.sqrt(map.count), 0.06, 0.8) });
      }
      const pale = { fill: "none", stroke: QUIET, "stroke-width": 0.7, opacity: 0.8 };
      stage.put("grid", "path", { d: gridOf(list, k, side, stage.width), ...pale });
      const square = [column * side, row * side, (column + 1) * side, (row + 1) * side];
      const mark = { fill: LOOKS[k].colour, "fill-opacity": 0.3, stroke: INK, "stroke-width": 1.5 };
      stage.rect("cell", square, mark);
      const drawn = cell.filter((prior) => prior.drawn).map(({ box }) => box);
      stage.rects("rim", drawn, { stroke: "#ffffff", "stroke-width": 4, opacity: 0.8 });
      stage.rects("boxes", drawn, { ...mapLook(k), "stroke-width": 2.2 });
      const ground = stage.rect("ground", [-MARGIN, -MARGIN, 1 + MARGIN, 1 + MARGIN], { fill: "transparent" });
      stage.follow(ground, point);
      stage.knob("knob", stage.x(cx), stage.y(cy), {
        label: `cell at row ${row}, column ${column} of ${map.name}; arrow keys go to the next cell`,
        to: point,
        by: (dx, dy) => {
          const next = (at, by) => clamp((clamp(at + by, 0, map.cells - 1) + 0.5) * side, 0, 1);
          frame.set({ point: [next(column, dx), next(row, dy)] });
        },
      });

      const shown = Object.fromEntries(SHAPES);
      const size = list.preset.image_size;
      cellTable(
        cell.map(({ name, index, box, out, drawn: yes }) => [
          index,
          yes ? shown[name] : `${shown[name]} (not drawn)`,
          `${Math.round((box[2] - box[0]) * size)} × ${Math.round((box[3] - box[1]) * size)}`,
          out ? "crosses" : "inside",
        ]),
      );
      const all = counts.reduce((sum, count) => sum + count, 0);
      mapTable([
        ...list.maps.map(({ name, count, first: before }, i) => [
          i === k ? `▸ ${name}` : name,
          `${count}`,
          before + count,
          counts[i],
        ]),
        ["all", list.total, list.total, all],
      ]);
      const out = cell.filter((prior) => prior.out).length;
      const many = out === cell.length ? "All" : out || "None";
      const said = [
        `${map.name}, row ${row}, column ${column}: priors ${first} to ${first + cell.length - 1} of ${list.total}.`,
        `${many} of its ${cell.length} boxes ${out > 1 ? "cross" : "crosses"} the border.`,
      ];
      if (Math.max(cx, cy) > 1 + ROUNDING) said.push("Its centre lies outside the picture.");
      goal(
        Math.max(cx, cy) > 1 + ROUNDING,
        `The cells of ${map.name} are ${map.step_px} px wide, and ${map.cells} of them together wider than the picture.`,
      );
      if (all < list.total) {
        said.push(`The filters keep ${all} of all ${list.total} priors, ${counts[k]} of them on ${map.name}.`);
      }
      frame.say(said.join(" "));
    };
  },
});
