// Explorer: ground truths to drag, and the priors that are matched to them.

import { area, makePriors, numPriors } from "./geometry.js";
import { INK, LOOKS, ORANGE, mapLook } from "./paper.js";
import { survey } from "./positives.js";
import { explorer, html, listed } from "./ui.js";

const MOST = 8; // ground truths

/** Objects by the names that they have here. */
const named = (objects) => objects.map((object, g) => ({ name: `G${g}`, ...object }));

/** Slanted lines that hatch a box given in pixels. */
function hatch([x0, y0, x1, y1], gap = 9) {
  let d = "";
  for (let at = x0 + gap; at < x1 + y1 - y0; at += gap) {
    const [low, high] = [Math.max(x0, at - (y1 - y0)), Math.min(x1, at)]; // x at the ends of the line
    d += `M${low.toFixed(1)} ${(y0 + at - low).toFixed(1)}L${high.toFixed(1)} ${(y0 + at - high).toFixed(1)}`;
  }
  return d;
}

/** Stack the boxes' nodes with the smaller ones on top, so that each can be dragged. */
function stack(nodes, boxes) {
  const order = [...nodes.keys()].sort((a, b) => area(boxes[b]) - area(boxes[a]) || a - b);
  const sorted = order.map((g) => nodes[g]);
  const follows = (a, b) => a.compareDocumentPosition(b) & Node.DOCUMENT_POSITION_FOLLOWING;
  if (sorted.every((node, i) => !i || follows(sorted[i - 1], node))) return;
  const at = Math.max(0, sorted.indexOf(document.activeElement)); // a node that moves loses the focus
  sorted.slice(0, at).forEach((node) => sorted[at].before(node));
  sorted.slice(at + 1).reverse().forEach((node) => sorted[at].after(node));
}

export default explorer({
  label: "Matching: which priors are matched to which object",
  state: ["boxes", "photograph", "threshold", "rule", "preset", "chosen", "only"],

  build(frame) {
    const presets = frame.get("presets");
    const priorsOf = {}; // computed when first needed
    const stage = frame.stage({ label: "Photograph with ground truths", ratio: 2 / 3, margin: 0.06 });
    const row = (label, into, buttons) =>
      into.append(html("div", { class: "ssd-player", role: "group", "aria-label": label }, ...buttons));
    const starts = Object.entries(frame.get("examples")).map(([words, state]) =>
      frame.button(words, () => frame.set(structuredClone(state))),
    );
    row("Examples", frame.main, starts);
    const table = frame.table({
      label: "The ground truths",
      header: ["object", "priors", "best IoU", "matched"],
      into: frame.main,
    });
    const names = Object.keys(presets).map((name) => [name, name]);
    const rules = ["bipartite", "argmax"].map((name) => [name, name]);
    frame.choice({ label: "Step one: a prior for every ground truth", name: "rule", options: rules });
    frame.slider({ label: "Step two: threshold", name: "threshold", min: 0.2, max: 0.9, step: 0.05 });
    const goal = frame.goal("make an object vanish: no prior may be matched to it.");
    const bars = frame.chart({ label: "Positives of each feature map", ratio: 0.48 });
    frame.more(() => {
      frame.select({ label: "Priors", name: "preset", options: names });
      frame.check({ label: "Draw only the priors of the box touched last", name: "only" });
    });
    const add = frame.button("Add a box", addBox);
    const remove = frame.button("Remove", () => removeBox(chosenBox()));
    row("Ground truths", frame.main, [add, remove]);

    const chosenBox = () => Math.min(frame.get("chosen"), frame.get("boxes").length - 1);

    function addBox() {
      const boxes = frame.get("boxes");
      const shift = 0.06 * boxes.length;
      frame.set({ boxes: [...boxes, [0.1 + shift, 0.5 - shift, 0.3 + shift, 0.8 - shift]], chosen: boxes.length });
    }

    function removeBox(index) {
      const boxes = frame.get("boxes").filter((_, g) => g !== index);
      const next = Math.max(0, Math.min(index, boxes.length - 1));
      if (stage.svg.contains(document.activeElement)) {
        (boxes.length ? stage.nodes.get(`box ${next}`) : add).focus(); // otherwise the focus is lost
      }
      frame.set({ boxes, chosen: next });
    }

    function drawBars(preset, counts) {
      const rowHeight = bars.height / preset.maps.length;
      const most = Math.max(20, ...counts);
      preset.maps.forEach((map, k) => {
        const y = (k + 0.5) * rowHeight;
        bars.line(`look ${k}`, [[6, y], [40, y]], { ...mapLook(k), "stroke-width": 3 });
        bars.text(`map ${k}`, 48, y + 4.5, map.name);
        const bar = { x: 112, y: y - 6, width: ((bars.width - 150) * counts[k]) / most, height: 12 };
        bars.put(`bar ${k}`, "rect", { ...bar, fill: LOOKS[k].colour });
        bars.text(`count ${k}`, bar.x + bar.width + 5, y + 4.5, counts[k], { "font-weight": 600 });
      });
    }

    return function draw() {
      const preset = presets[frame.get("preset")];
      const priors = (priorsOf[preset.name] ??= makePriors(preset));
      const [boxes, threshold, chosen] = [frame.get("boxes"), frame.get("threshold"), chosenBox()];
      const { objects, positives } = survey(preset, priors, boxes, threshold, frame.get("rule"));
      const truths = named(objects);

      stage.picture(frame.get("pictures")[frame.get("photograph")]);
      positives.forEach((some, k) => {
        const shown = some.filter(({ owner }) => !frame.get("only") || owner === chosen);
        stage.rects(`map ${k}`, shown.map(({ box }) => box), mapLook(k));
      });
      const nodes = boxes.map((box, g) => {
        const { name, priors: count } = truths[g];
        if (!count) {
          const d = hatch(stage.px(box));
          const look = { stroke: ORANGE, "stroke-width": 1.5, "pointer-events": "none" };
          stage.put(`hatch ${g}`, "path", { d, ...look });
        }
        const where = box.map((x) => x.toFixed(2)).join(", ");
        const node = stage.handleBox(`box ${g}`, box, {
          label: `ground truth ${name}, priors: ${count}, xyxy ${where}; delete removes it`,
          tag: count ? name : `${name} lost`,
          attributes: {
            stroke: count ? INK : ORANGE,
            "stroke-dasharray": count ? null : "2 5",
            "stroke-width": g === chosen ? 4 : 3,
          },
          set: (moved) => frame.set({ boxes: frame.get("boxes").map((old, i) => (i === g ? moved : old)) }),
          remove: () => removeBox(g),
        });
        node.onfocus = () => frame.set({ chosen: g });
        return node;
      });
      stack(nodes, boxes);

      drawBars(preset, positives.map((some) => some.length));
      table(
        truths.map(({ name, priors: count, best, own }) => [
          name,
          count,
          best.toFixed(2),
          count ? own.toFixed(2) : "lost",
        ]),
      );
      const gone = truths.find(({ priors: count }) => !count);
      goal(gone, `To the network ${gone?.name} is background, in every picture that looks like this one.`);
      add.disabled = boxes.length >= MOST;
      remove.disabled = !boxes.length;
      remove.textContent = boxes.length ? `Remove ${truths[chosen].name}` : "Remove";
      frame.say(words(truths, numPriors(preset), threshold, frame.get("rule")));
    };
  },
});

/** The outcome in sentences. */
function words(truths, total, threshold, rule) {
  const count = truths.reduce((sum, { priors }) => sum + priors, 0);
  const namesOf = (test) => truths.filter(test).map(({ name }) => name);
  const untouched = namesOf(({ best }) => best === 0);
  const lost = truths.filter(({ priors, best }) => !priors && best > 0);
  const alone = namesOf(({ priors, best }) => priors && best < threshold);
  const displaced = truths.filter(({ priors, best, own }) => priors && own < best);
  const said = [
    `${count} of ${total} priors are positive; the other ${total - count} must predict “background”.`,
  ];
  if (untouched.length) said.push(`No prior touches ${listed(untouched)}.`);
  for (const { name, taker } of lost) {
    said.push(`${name} is lost: G${taker} took its best prior, and no other prior is matched to ${name}.`);
  }
  if (alone.length) {
    said.push(`No prior reaches ${threshold.toFixed(2)} with ${listed(alone)}: only step one finds a match.`);
  }
  for (const { name, taker, best, own } of displaced) {
    said.push(`G${taker} has the best prior of ${name} (${best.toFixed(2)}): ${name} gets at most ${own.toFixed(2)}.`);
  }
  if (rule === "argmax" && truths.length && !lost.length) said.push("Here argmax loses no object.");
  return said.join(" ");
}
