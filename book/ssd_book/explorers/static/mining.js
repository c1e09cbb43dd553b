// Explorer: all priors sorted by their loss, and the negatives that count.

import { hardNegatives, iou, locate, makePriors, match, numPriors, priorXyxy } from "./geometry.js";
import { INK, LOOKS, QUIET, clamp, mapLook } from "./paper.js";
import { explorer } from "./ui.js";

const NEAR = 0.3; // IoU from which a negative is called a near miss
const FAR = 0.1; // IoU below which it is far from every label
const LEAST = 0.001; // the smallest loss that the chart shows

/** Number `i` of a view of float16 values. */
function half(view, i) {
  const bits = view.getUint16(2 * i, true);
  const [exponent, fraction] = [(bits >> 10) & 31, bits & 1023];
  return exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
}

/** A small circle around a place in pixels, as path data. */
const circle = ([x, y], r) => `M${(x - r).toFixed(1)} ${y.toFixed(1)}a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0`;

export default explorer({
  label: "Hard negatives: which priors count in the loss",
  state: ["scene", "ratio", "choice", "forget", "shown"],

  build(frame) {
    const preset = frame.get("preset");
    const count = numPriors(preset);
    const priors = makePriors(preset);
    const scenes = frame.get("scenes");
    const names = Object.keys(scenes);
    const random = Float64Array.from({ length: count }, (_, i) => (i * 2654435761) % 2 ** 32);

    const stage = frame.stage({ label: "Scene with the negatives that count" });
    const chart = frame.chart({
      label: "Loss of all priors, sorted",
      x: { from: 0, to: Math.log10(count), label: "place in the list of all priors", ticks: [] },
      y: { from: Math.log10(LEAST), to: 1.25, label: "−log p(background)", ticks: [] },
      ratio: 0.72,
    });
    const table = frame.table({ label: "What the loss is made of", header: ["priors", "count", "loss / N"] });
    frame.slider({ label: "Negatives per positive", name: "ratio", min: 0, max: 10, step: 1, show: (r) => `1 : ${r}` });
    frame.choice({
      label: "Which negatives",
      name: "choice",
      options: [["the hardest", "the hardest"], ["at random", "at random"]],
    });
    frame.more(() => {
      frame.choice({ label: "Scene", name: "scene", options: names.map((name) => [name, name]) });
      frame.check({ label: "Forget the first label", name: "forget" });
    });
    // the pointer over the curve picks a prior, as the knob does
    chart.svg.addEventListener("pointermove", (event) => {
      const place = chart.svg.getBoundingClientRect();
      if (event.pointerType === "mouse") pick(event.clientX - place.left);
    });

    const kept = new Map(); // what does not change with ratio and choice
    function survey() {
      const [name, forget] = [frame.get("scene"), frame.get("forget")];
      const key = `${name} ${forget}`;
      if (kept.has(key)) return kept.get(key);
      const first = names.indexOf(name) * count;
      const losses = Float64Array.from({ length: count }, (_, i) => half(frame.get("losses"), first + i));
      const boxes = scenes[name].boxes.slice(forget ? 1 : 0);
      const found = match(priors, boxes);
      const positive = Array.from(found.groundTruth, (owner) => owner >= 0);
      const order = Array.from(losses.keys()).sort((a, b) => losses[b] - losses[a] || a - b);
      const exact = order.filter((i) => !positive[i] && losses[i] >= frame.get("exact"));
      const all = exact.reduce((sum, i) => sum + losses[i], scenes[name].small);
      const own = Object.values(scenes[name].own[Number(forget)]).reduce((sum, loss) => sum + loss, 0);
      const nearest = (i) => Math.max(0, ...boxes.map((box) => iou(box, priorXyxy(priors, i))));
      // places lie closer together on the right, so a sample of them draws the whole curve
      const seen = order.filter((i) => losses[i] >= LEAST).map((_, place) => place);
      const places = seen.filter((p) => p < 100 || p % Math.ceil(p / 50) === 0);
      const result = { losses, positive, order, all, own, nearest, places };
      kept.set(key, result);
      return result;
    }

    const left = () => chart.x(0);
    const at = (place) => chart.x(Math.log10(place + 1));
    const up = (loss) => chart.y(Math.log10(Math.max(loss, LEAST)));
    function pick(x) {
      const place = Math.round(10 ** chart.values(clamp(x, left(), chart.width), 0)[0]) - 1;
      frame.set({ shown: clamp(place, 0, count - 1) });
    }

    return function draw() {
      const { losses, positive, order, all, own, nearest, places } = survey();
      const scene = scenes[frame.get("scene")];
      const ratio = frame.get("ratio");
      const ranked = frame.get("choice") === "at random" ? random : losses;
      const chosen = new Set(hardNegatives(ranked, positive, ratio));
      const shown = order[frame.get("shown")];

      // the picture
      stage.picture(scene.picture);
      const byMap = preset.maps.map(() => []);
      for (const i of chosen) byMap[locate(preset, i).map].push(i);
      byMap.forEach((some, k) => stage.rects(`map ${k}`, some.map((i) => [...priorXyxy(priors, i)]), mapLook(k)));
      scene.boxes.forEach((box, g) => {
        const gone = frame.get("forget") && g === 0;
        stage.rect(`box ${g}`, box, { stroke: INK, "stroke-width": 3, "stroke-dasharray": gone ? "2 5" : null });
        const [x, y] = stage.px(box);
        const words = gone ? `${scene.names[g]}: no label` : scene.names[g];
        stage.text(`name ${g}`, x + 4, Math.max(y - 5, 14), words, { "font-weight": 600 });
      });
      const { map } = locate(preset, shown);
      const look = { ...mapLook(map), "stroke-width": 4, fill: LOOKS[map].colour, "fill-opacity": 0.25 };
      stage.rect("shown", priorXyxy(priors, shown), look);

      // the curve
      chart.axes();
      const low = up(LEAST);
      for (const tick of [LEAST, 0.01, 0.1, 1, 10]) {
        chart.line(`loss line ${tick}`, [[left(), up(tick)], [at(count - 1), up(tick)]], { class: "ssd-grid" });
        chart.text(`loss ${tick}`, left() - 5, up(tick) + 4, tick, { "text-anchor": "end", "font-size": 12 });
      }
      for (const tick of [1, 10, 100, 1000, count]) {
        chart.text(`place ${tick}`, at(tick - 1), low + 16, tick, { "text-anchor": tick === count ? "end" : "middle", "font-size": 12 });
      }
      chart.line("curve", places.map((p) => [at(p), up(losses[order[p]])]), { stroke: QUIET, "stroke-width": 2 });
      const dots = [...preset.maps.map(() => ""), ""];
      order.forEach((i, place) => {
        if (!chosen.has(i) && !positive[i]) return;
        const spot = [at(place), up(losses[i])];
        if (positive[i]) dots[preset.maps.length] += circle(spot, 5);
        else dots[locate(preset, i).map] += circle(spot, 3);
      });
      dots.forEach((d, k) => {
        const mark = k < preset.maps.length ? { fill: LOOKS[k].colour } : { fill: "none", stroke: INK, "stroke-width": 1.5 };
        chart.put(`dots ${k}`, "path", { ...mark, d });
      });
      chart.text("marks", at(count - 1), up(10) + 4, "○ positives  ● negatives that count", { "text-anchor": "end", "font-size": 12 });
      const what = describe(shown);
      chart.knob("shown", at(frame.get("shown")), up(losses[shown]), {
        label: `highlighted prior: ${what}; arrow keys move along the list, with shift in steps of ten`,
        to: pick,
        by: (dx, dy, shift) => {
          const next = frame.get("shown") + (dx || dy) * (shift ? 10 : 1);
          frame.set({ shown: clamp(next, 0, count - 1) });
        },
      });

      function describe(i) {
        const overlap = nearest(i);
        const kind = positive[i] ? "a positive" : chosen.has(i) ? "a negative that counts" : "a negative left out";
        const p = Math.exp(-losses[i]);
        const chance = p < 0.01 ? p.toFixed(4) : p.toFixed(p > 0.99 ? 3 : 2);
        return `place ${frame.get("shown") + 1}, ${kind}, on ${LOOKS[map].name}, ` +
          `p(background) ${chance}, IoU ${overlap.toFixed(2)} with its nearest label`;
      }

      // the numbers
      const positives = positive.filter(Boolean).length;
      const held = [...chosen].reduce((sum, i) => sum + losses[i], 0);
      const share = (loss) => (positives ? (loss / positives).toFixed(2) : "–");
      table([
        ["positives", positives, share(own)],
        ["negatives that count", chosen.size, share(held)],
        ["all negatives", count - positives, share(all)],
      ]);
      const overlaps = [...chosen].map(nearest);
      const near = overlaps.filter((x) => x >= NEAR).length;
      const far = overlaps.filter((x) => x < FAR).length;
      const start = positives
        ? `${positives} positives, so ${chosen.size} of ${count - positives} negatives count. They carry ` +
          `${((100 * held) / all).toFixed(0)} % of the loss of all negatives. ${near} are near misses (IoU ${NEAR} or more), ` +
          `${far} are far from every label (IoU below ${FAR}).`
        : "Without a label there is no positive, and without a positive no negative counts. " +
          "This picture teaches nothing.";
      frame.say(`${start} Highlighted prior: ${what}.`);
    };
  },
});
