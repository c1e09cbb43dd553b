// Explorer: one prior's prediction, its four offsets on the curve of smooth L1, its scores, the sum.

import { crossEntropy, decode, encode, smoothL1, softmax, toXyxy } from "./geometry.js";
import { BLUE, INK, LOOKS, QUIET, clamp, mapLook } from "./paper.js";
import { explorer, html } from "./ui.js";

const FAR = 4; // end of the curve: larger differences are drawn there
// One mark and one name per offset; the marks are paths around 0, 0.
const OFFSETS = [
  { name: "shift in x", sign: "● x", mark: "M-6 0a6 6 0 1 0 12 0a6 6 0 1 0 -12 0Z" },
  { name: "shift in y", sign: "■ y", mark: "M-5.5 -5.5H5.5V5.5H-5.5Z" },
  { name: "width", sign: "◆ width", mark: "M0 -7.5L7.5 0L0 7.5L-7.5 0Z" },
  { name: "height", sign: "✚ height", mark: "M-2.5 -7H2.5V-2.5H7V2.5H2.5V7H-2.5V2.5H-7V-2.5H-2.5Z" },
];
const digits = (x, n) => (Math.abs(x) < 0.5 * 10 ** -n ? 0 : x).toFixed(n).replace("-", "−");
const sum = (numbers) => numbers.reduce((all, x) => all + x, 0);

export default explorer({
  label: "One prior, its prediction and its loss",
  state: ["prediction", "background", "balloon", "fish", "house", "matched", "alpha"],

  build(frame) {
    const classes = frame.get("classes");
    const prior = frame.get("prior");
    const truth = frame.get("truth");
    const variances = frame.get("variances");
    const chances = () => softmax(classes.map((name) => frame.get(name)));

    const stage = frame.stage({ label: "Scene with prior, ground truth and prediction" });
    const legend = frame.legend({ into: frame.main });
    const offsets = frame.table({
      label: "The four offsets",
      header: ["offset", "output", "target", "off by", "cost"],
      into: frame.main,
    });
    const chart = frame.chart({
      label: "Smooth L1 of the four differences",
      x: { from: -FAR, to: FAR, label: "difference, output − target", ticks: [-4, -2, -1, 0, 1, 2, 4] },
      y: { from: 0, to: FAR - 0.5, label: "cost", ticks: [0, 0.5, 1, 2, 3] },
      ratio: 0.6,
    });
    frame.choice({
      label: "This prior is matched to",
      name: "matched",
      options: [["balloon", "the balloon"], ["nothing", "nothing"]],
    });
    classes.forEach((name, c) => {
      const show = (score) => `${digits(score, 1)}, p = ${digits(chances()[c], 2)}`;
      frame.slider({ label: `Score of ${name}`, name, min: -10, max: 10, step: 0.1, show });
    });
    frame.slider({ label: "α, weight of the box loss", name: "alpha", min: 0, max: 4, step: 0.1, show: (a) => digits(a, 1) });
    const still = decode([0, 0, 0, 0], prior, variances);
    const row = html("div", { class: "ssd-choice", role: "group", "aria-label": "Predictions to try" });
    row.append(
      frame.button("Perfect box", () => frame.set({ prediction: [...truth] })),
      frame.button("The prior itself", () => frame.set({ prediction: [...still] })),
      frame.button("Equal scores", () => frame.set(Object.fromEntries(classes.map((name) => [name, 0])))),
    );
    frame.side.append(row);
    const bill = frame.table({ label: "The loss", header: ["part", "loss"] });

    const far = Array.from({ length: 161 }, (_, i) => -FAR + (2 * FAR * i) / 160);
    const shape = far.map((x) => [x, smoothL1(x)]);
    const bend = [-1, 1].map((x) => [x, smoothL1(x)]);

    function drawBoxes(box, positive) {
      stage.picture(frame.get("picture"));
      stage.rect("truth", truth, { stroke: INK, "stroke-width": 4, opacity: positive ? 1 : 0.3 });
      stage.rect("prior", toXyxy(prior), { ...mapLook(frame.get("map")), "stroke-width": 3 });
      stage.handleBox("prediction", box, {
        label: `prediction, xyxy ${box.map((x) => digits(x, 2)).join(", ")}`,
        attributes: { stroke: BLUE },
        set: (moved) => frame.set({ prediction: moved }),
      });
      legend([
        [{ stroke: BLUE }, "prediction: drag it"],
        [{ stroke: INK, "stroke-width": 4 }, "balloon, the ground truth"],
        [mapLook(frame.get("map")), `prior on ${LOOKS[frame.get("map")].name}`],
      ]);
    }

    function drawCurve(away, positive) {
      chart.axes();
      for (const [x, y] of bend) {
        chart.curve(`bend ${x}`, [[x, 0], [x, y]], { stroke: QUIET, "stroke-width": 1, "stroke-dasharray": "3 3" });
      }
      chart.curve("smooth L1", shape, { "stroke-width": 3, stroke: BLUE });
      if (!positive) return; // a negative has no target offsets
      away.forEach((x, m) => {
        const at = clamp(x, -FAR, FAR);
        const place = [chart.x(at), chart.y(smoothL1(at))].map((p) => p.toFixed(1));
        const look = { fill: INK, stroke: "#ffffff" };
        const move = `translate(${place.join(" ")})`;
        chart.put(OFFSETS[m].name, "path", { d: OFFSETS[m].mark, transform: move, "stroke-width": 1.5, ...look });
      });
    }

    return function draw() {
      const positive = frame.get("matched") !== "nothing";
      const label = positive ? classes.indexOf(frame.get("matched")) : 0;
      const alpha = frame.get("alpha");
      const box = frame.get("prediction");
      const said = encode(box, prior, variances);
      const wanted = encode(truth, prior, variances);
      const away = said.map((x, m) => x - wanted[m]);
      const costs = away.map((x) => (positive ? smoothL1(x) : 0));
      const boxLoss = sum(costs);
      const classLoss = crossEntropy(classes.map((name) => frame.get(name)), label);

      drawBoxes(box, positive);
      drawCurve(away, positive);
      const line = (numbers) => numbers.map((x, n) => digits(x, n < 2 ? 2 : 4));
      offsets([
        ...OFFSETS.map(({ sign }, m) => {
          const cells = line([said[m], wanted[m], away[m], costs[m]]);
          return [sign, ...(positive ? cells : [cells[0], "–", "–", "–"])];
        }),
        ["sum", "", "", "", positive ? digits(boxLoss, 4) : "–"],
      ]);
      const p = digits(chances()[label], 4);
      bill([
        [`class: −ln ${p}`, digits(classLoss, 4)],
        [`box: ${digits(alpha, 1)} × ${digits(boxLoss, 4)}`, digits(alpha * boxLoss, 4)],
        ["sum, before the division by N", digits(classLoss + alpha * boxLoss, 4)],
      ]);
      frame.say(words());

      function words() {
        const total = digits(classLoss + alpha * boxLoss, 2);
        const what = `it gives ${classes[label]} the probability ${digits(chances()[label], 2)}, which costs ${digits(classLoss, 2)}.`;
        if (!positive) {
          return `A negative: wherever its box lies, it costs nothing. Its class is background: ${what}`;
        }
        if (boxLoss < 0.0005) return `The box is perfect and costs nothing. Only the class remains: ${what}`;
        const worst = costs.indexOf(Math.max(...costs));
        const past = away.filter((x) => Math.abs(x) >= 1).length;
        const bent = [
          "All four differences lie below the bend",
          "One of four differences lies past the bend",
          "Two of four differences lie past the bend",
          "Three of four differences lie past the bend",
          "All four differences lie past the bend",
        ][past];
        return (
          `The box costs ${digits(boxLoss, 2)}. ${bent}; the ${OFFSETS[worst].name} is off by ` +
          `${digits(away[worst], 2)} and costs most, ${digits(costs[worst], 2)}. For the class, ${what} The total is ${total}.`
        );
      }
    };
  },
});
