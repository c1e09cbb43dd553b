// The view of all predictions: a cloud of thousands of boxes, above a score, in their maps' colours.

import { mapBars } from "./bars.js";
import { LOOKS, mapLook } from "./paper.js";
import { cloud } from "./predictions.js";
import { html } from "./ui.js";

/** Draw boxes, the surest last and strongest. */
function paint(context, width, height, perMap) {
  const all = perMap.flatMap((some, k) => some.map((one) => ({ ...one, k })));
  all.sort((a, b) => a.score - b.score);
  context.lineWidth = 1;
  for (const { k, score, box } of all) {
    const [x0, y0, x1, y1] = box.map((edge, i) => edge * (i % 2 ? height : width));
    context.globalAlpha = 0.25 + 0.75 * score;
    context.strokeStyle = context.fillStyle = LOOKS[k].colour;
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
    context.fillRect((x0 + x1) / 2 - 1.5, (y0 + y1) / 2 - 1.5, 3, 3);
  }
}

export function cloudView({ frame, overlay }) {
  const slider = frame.slider({
    label: "predictions with a score of at least",
    name: "least",
    min: 0.01,
    max: 0.99,
    step: 0.01,
  });
  const label = "Predictions of each map";
  const part = html("div", {}, html("p", { class: "live-head" }, label));
  const panel = html("div", { class: "live-panel" }, part);
  const bars = mapBars({ label, into: part });
  let [before, perMap] = ["", []];

  return {
    controls: slider.closest("label"),
    panel,

    draw({ raw, found, preset }) {
      const least = frame.get("least");
      const key = `${raw.key} ${least}`;
      if (before !== (before = key)) perMap = cloud(raw, preset, least);
      overlay.show(`cloud ${key}`, (...on) => paint(...on, perMap));
      const counts = perMap.map((some) => some.length);
      const shown = counts.reduce((sum, n) => sum + n, 0);
      const most = Math.max(20, ...counts);
      bars(preset.maps, counts.map((n) => ({ share: n / most, words: String(n) })));
      const total = raw.priors.length / 4;
      const boxes = found.length === 1 ? "1 detection is" : `${found.length} detections are`;
      return {
        legend: preset.maps.map(({ name }, k) => [mapLook(k), name]),
        words:
          `${shown} of ${total} predictions have a score of ${least.toFixed(2)} or more; the other ` +
          `${total - shown} say background. After the score threshold and NMS, ${boxes} left.`,
      };
    },
  };
}
