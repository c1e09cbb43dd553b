// Explorer: what the second stage of a detector cuts out of a feature map for one region.

import { binSpans, iou, regionCells, roiAlign, roiPool, samplePoints } from "./geometry.js";
import { BLUE, INK, ORANGE, QUIET, clamp, outlines } from "./paper.js";
import { explorer } from "./ui.js";

const SIZE = 224; // pixels of the picture's side
const BINS = 7;
const REGION = { stroke: BLUE };
const CELLS = { stroke: ORANGE, "stroke-dasharray": "9 4" };
const BIN = { stroke: INK, "stroke-width": 3 };
const EDGES = ["left", "top", "right", "bottom"];
const grey = (value) => `rgb(${Array(3).fill(Math.round((value / 99) * 255)).join()})`; // 0 to 99

export default explorer({
  label: "A region, its cells and its bins",
  state: ["region", "stride", "method", "bin"],

  build(frame) {
    const grids = frame.get("grids");
    const stage = frame.stage({ label: "Scene with a region and the cells that it becomes" });
    const legend = frame.legend({ into: frame.main });
    frame.choice({ label: "Stride, px", name: "stride", options: [[16, "16"], [32, "32"]] });
    frame.choice({
      label: "Method",
      name: "method",
      options: [["pool", "RoI pooling"], ["align", "RoIAlign"]],
    });
    const output = frame.stage({ label: "The 7 × 7 numbers of the region", into: frame.side });
    const table = frame.table({
      label: "The edges of the region",
      header: ["edge", "px", "÷ stride", "rounded", "ends, px"],
      into: frame.main,
    });
    const choose = (x, y) => {
      const [column, row] = output.fractions(x, y).map((at) => clamp(Math.floor(at * BINS), 0, BINS - 1));
      frame.set({ bin: [row, column] });
    };

    return function draw() {
      const stride = frame.get("stride");
      const rounds = frame.get("method") === "pool";
      const grid = grids[stride];
      const [row, column] = frame.get("bin");
      const region = frame.get("region").map((at) => at * SIZE);
      const [width, height] = [region[2] - region[0], region[3] - region[1]].map((side) => Math.round(side));
      const cells = regionCells(region, stride);
      const [left, top, right, bottom] = cells;
      const last = grid.length - 1;
      const part = stride / SIZE; // of the picture's side, in a cell
      const square = (i, j) => [j * part, i * part, (j + 1) * part, (i + 1) * part];
      const covered = [left, top, right + 1, bottom + 1].map((at) => at * stride);
      const values = (rounds ? roiPool : roiAlign)(grid, region, stride, BINS);

      // the picture, and inside the cells that are read what the map holds of it
      const centred = region.map((at) => at / stride - 0.5);
      const read = rounds ? cells : centred.map((at, i) => Math.floor(at) + (i > 1));
      stage.picture(frame.get("picture"));
      for (let i = Math.max(read[1], 0); i <= Math.min(read[3], last); i++) {
        for (let j = Math.max(read[0], 0); j <= Math.min(read[2], last); j++) {
          const look = { fill: grey(grid[i][j]), "fill-opacity": 0.8, stroke: "none" };
          stage.rect(`cell ${i} ${j}`, square(i, j), look);
        }
      }
      const lines = grid.map((_, i) => [[i * part, 0, i * part, 1], [0, i * part, 1, i * part]]).flat();
      const pale = { fill: "none", stroke: QUIET, "stroke-width": 0.6, opacity: 0.8 };
      stage.put("lines", "path", { d: outlines(lines.map((line) => stage.px(line))), ...pale });
      if (rounds) stage.rect("cells", covered.map((at) => at / SIZE), { ...CELLS, "stroke-width": 3 });
      const [ys, xs] = [samplePoints(centred[1], centred[3], BINS), samplePoints(centred[0], centred[2], BINS)];
      const spans = [binSpans(top, bottom, BINS)[row], binSpans(left, right, BINS)[column]];
      if (rounds) {
        const bin = [spans[1][0], spans[0][0], spans[1][1], spans[0][1]].map((at) => at * part);
        stage.rect("bin rim", bin, { stroke: "#ffffff", "stroke-width": 6 });
        stage.rect("bin", bin, BIN);
      }
      stage.handleBox("region", frame.get("region"), {
        label: `region, xyxy ${region.map((at) => Math.round(at)).join(", ")} in pixels`,
        tag: "region",
        attributes: REGION,
        set: (box) => frame.set({ region: box.map((at) => Math.round(at * SIZE) / SIZE) }),
      });
      if (!rounds) {
        const look = { r: 3, fill: INK, stroke: "#ffffff", "stroke-width": 1.5, "pointer-events": "none" };
        for (const y of ys[row]) {
          for (const x of xs[column]) {
            const place = { cx: stage.x((x + 0.5) * part), cy: stage.y((y + 0.5) * part) };
            stage.put(`point ${y} ${x}`, "circle", { ...place, ...look });
          }
        }
      }
      legend([
        [REGION, "the region"],
        ...(rounds ? [[CELLS, "its cells, rounded"]] : []),
        [BIN, rounds ? "cells of the marked bin" : "four points of the marked bin"],
      ]);

      // the 7 x 7 numbers
      const middle = { "text-anchor": "middle", "font-size": 12 };
      const place = (i, j) => [j / BINS, i / BINS, (j + 1) / BINS, (i + 1) / BINS];
      values.forEach((line, i) =>
        line.forEach((value, j) => {
          output.rect(`bin ${i} ${j}`, place(i, j), { fill: grey(value), stroke: QUIET, "stroke-width": 1 });
          const [x, y] = [output.x((j + 0.5) / BINS), output.y((i + 0.5) / BINS)];
          output.text(`value ${i} ${j}`, x, y + 4, Math.round(value), middle);
        }),
      );
      output.rect("marked", place(row, column), BIN);
      output.follow(output.rect("ground", [0, 0, 1, 1], { fill: "transparent" }), choose);
      const value = Math.round(values[row][column]);
      output.knob("knob", output.x((column + 0.84) / BINS), output.y((row + 0.84) / BINS), {
        label: `bin at row ${row}, column ${column}: ${value}; arrow keys go to the next bin`,
        to: choose,
        by: (dx, dy) => frame.set({ bin: [row + dy, column + dx].map((at) => clamp(at, 0, BINS - 1)) }),
      });

      table(
        EDGES.map((edge, i) => [
          edge,
          Math.round(region[i]),
          (region[i] / stride).toFixed(2),
          rounds ? cells[i] : "–",
          rounds ? covered[i] : Math.round(region[i]),
        ]),
      );
      const said = [`At stride ${stride} a region of ${width} × ${height} pixels`];
      if (rounds) {
        const [across, down] = [right - left + 1, bottom - top + 1];
        said.push(
          `becomes columns ${left} to ${right} and rows ${top} to ${bottom}, ${across} × ${down} cells.`,
          `They look at ${across * stride} × ${down * stride} pixels: IoU ${iou(region, covered).toFixed(2)} with the region.`,
        );
        const [tall, wide] = spans.map(([from, to]) => Math.max(Math.min(to, last + 1) - from, 0));
        said.push(`The marked bin takes the largest of ${wide} × ${tall} cells, ${value}.`);
        if (Math.max(right, bottom) > last) said.push("Cells beyond the map count as nothing.");
      } else {
        said.push("stays as it is.", `The marked bin is the mean of four points between the cells' centres, ${value}.`);
      }
      frame.say(said.join(" "));
    };
  },
});
