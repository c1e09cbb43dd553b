// Explorer: two boxes and their IoU.

import { area, intersection, iou, toCxcywh } from "./geometry.js";
import { sharedBox } from "./objects.js";
import { BLUE, INK, ORANGE } from "./paper.js";
import { explorer } from "./ui.js";

const show = (box) => box.map((number) => number.toFixed(2)).join(", ");

export default explorer({
  label: "Two boxes and their IoU",
  state: ["boxes"],

  build(frame) {
    const stage = frame.stage({ label: "Picture with two boxes" });
    const areas = frame.table({ label: "Areas", header: ["area", "% of the picture"] });
    const formats = frame.table({ label: "The boxes in numbers", header: ["box", "xyxy", "cxcywh"] });
    const goal = frame.goal("an IoU of 0.50 between two boxes of quite different shapes.");
    const looks = [
      { stroke: BLUE },
      { stroke: ORANGE, "stroke-dasharray": "9 4" },
    ];

    return function draw() {
      const boxes = frame.get("boxes");
      const [a, b] = boxes;
      const shared = intersection(a, b);
      const union = area(a) + area(b) - shared;
      const value = iou(a, b);

      stage.picture(frame.get("picture"));
      if (shared > 0) {
        const overlap = sharedBox(a, b);
        stage.rect("overlap", overlap, { fill: INK, "fill-opacity": 0.3, stroke: "none" });
        const [x, y, right, bottom] = stage.px(overlap);
        const middle = { "text-anchor": "middle", "font-size": 18, "font-weight": 600 };
        stage.text("value", (x + right) / 2, (y + bottom) / 2 + 5, value.toFixed(2), middle);
      }
      boxes.forEach((box, i) => {
        stage.handleBox(`box ${i}`, box, {
          label: `box ${"AB"[i]}, xyxy ${show(box)}`,
          tag: "AB"[i],
          attributes: looks[i],
          set: (moved) => frame.set({ boxes: boxes.map((old, j) => (j === i ? moved : old)) }),
        });
      });

      const percent = (part) => (100 * part).toFixed(1);
      areas([
        ["A", percent(area(a))],
        ["B", percent(area(b))],
        ["intersection", percent(shared)],
        ["union", percent(union)],
        ["IoU", value.toFixed(3)],
      ]);
      formats(boxes.map((box, i) => ["AB"[i], show(box), show(toCxcywh(box))]));
      const wide = boxes.map(([x0, y0, x1, y1]) => (x1 - x0) / (y1 - y0));
      const unlike = Math.abs(Math.log(wide[0] / wide[1])) > Math.log(1.5);
      goal(
        unlike && value.toFixed(2) === "0.50",
        "One number for many kinds of error: shifted, too large and misshapen boxes can all have 0.50.",
      );
      frame.say(
        shared > 0
          ? `The boxes share ${percent(shared)} % of the picture and cover ${percent(union)} % together: ` +
              `IoU = ${percent(shared)} / ${percent(union)} = ${value.toFixed(2)}. ` +
              (value >= 0.5 ? "That is a match, at SSD's threshold of 0.5." : "A match needs 0.5.")
          : "The boxes do not overlap: their IoU is 0, however near or far they are.",
      );
    };
  },
});
