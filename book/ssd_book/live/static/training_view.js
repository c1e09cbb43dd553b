// The view of the loss: which priors training would make positive, and what it would have to say.

import { mapBars } from "./bars.js";
import { INK, QUIET, mapLook } from "./paper.js";
import { lesson, lessonSaid, lossRows, objectRows } from "./truth.js";
import { html } from "./ui.js";

const OBJECT = { stroke: INK, "stroke-width": 2.5 };
const MINED = { stroke: INK, "stroke-width": 1, fill: "#fff" };

const UNTOLD = "There is no ground truth for this picture, or none of a class that this detector knows: without it there is no loss.";

export function trainingView({ frame, stage }) {
  const panel = html("div", { class: "live-panel" });
  const part = (title) => {
    const node = html("div", {}, html("p", { class: "live-head" }, title));
    panel.append(node);
    return node;
  };
  const [first, second, third] = ["Positives per object", "Positives per map", "The loss"].map(part);
  const objects = frame.table({
    label: "Positives per object",
    header: ["object", "positives", "best IoU"],
    into: first,
  });
  const bars = mapBars({ label: "Positives per map", into: second });
  const loss = frame.table({ label: "The loss", header: ["part", "priors", "loss / N"], into: third });
  let [before, told] = [null, null];

  return {
    controls: null,
    panel,

    draw(answer) {
      const { raw, preset } = answer;
      if (before !== (before = raw)) told = lesson(answer);
      panel.hidden = !told;
      if (!told) return { legend: [], words: UNTOLD };
      const { positives } = told;
      positives.forEach((some, k) => {
        const look = { ...mapLook(k), "stroke-width": 1.2 };
        stage.rects(`positives ${k}`, some.map(({ box }) => box), look);
      });
      stage.rects("objects", told.objects.map(({ box }) => box), OBJECT);
      let dots = "";
      for (const i of told.loss.negatives) {
        const [x, y] = [stage.x(raw.priors[4 * i]), stage.y(raw.priors[4 * i + 1])];
        dots += `M${(x - 2).toFixed(1)} ${(y - 2).toFixed(1)}h4v4h-4Z`;
      }
      stage.put("mined", "path", { d: dots, ...MINED });
      const counts = positives.map((some) => some.length);
      const most = Math.max(20, ...counts);
      bars(preset.maps, counts.map((n) => ({ share: n / most, words: String(n) })));
      objects(objectRows(told));
      loss(lossRows(told));
      return {
        legend: [
          [OBJECT, "ground truth: a thing's box"],
          [{ stroke: QUIET, "stroke-width": 1.2 }, "positives, in their maps' colours"],
          [{ d: "M10 3h6v6h-6Z", ...MINED }, "centre of a mined negative"],
        ],
        words: lessonSaid(told, raw.priors.length / 4),
      };
    },
  };
}
