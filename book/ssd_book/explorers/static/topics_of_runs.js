// What the figures of one knob show of whole runs, and of rules that differ (chapters 15 to 19).

import { makePriors } from "./geometry.js";
import { ACCENT, QUIET } from "./paper.js";
import { drawPriors, drawTruths } from "./topics.js";
import { drawJudged, judged } from "./topics_of_detectors.js";
import { spaced } from "./ui.js";

const HOUR = 3600;

export const TOPICS_OF_RUNS = {
  speed(frame) {
    const { rates, batch, samples, steps, core } = frame.get("facts");
    const shown = (speed) => (speed < 10 ? speed.toFixed(1) : speed.toFixed(0));
    return {
      slider: { label: "Pictures per second", step: 0.05, show: (at) => shown(10 ** at) },
      chart: {
        label: "Learning rate over the iterations of the recipe",
        x: { from: 0, to: steps / 1000, label: "thousand iterations", ticks: [0, 40, 80, 100, 120] },
        y: { from: -6, to: -2.8, label: "learning rate", ticks: [-6, -5, -4, -3], show: (power) => `1e${power}` },
      },
      draw(chart, at) {
        const speed = 10 ** at;
        const hours = samples / speed / HOUR;
        const day = Math.min(steps, (24 * HOUR * speed) / batch);
        const done = rates.filter(([step]) => step < day);
        const rate = done.at(-1)[1];
        const places = (some) => some.map(([step, one]) => [step / 1000, Math.log10(one)]);
        const [[x, y]] = places([[day, rate]]);
        chart.curve("all", places(rates), { stroke: QUIET, "stroke-width": 2.4 });
        chart.curve("done", places([...done, [day, rate]]), { stroke: ACCENT, "stroke-width": 5 });
        chart.put("end", "circle", { cx: chart.x(x), cy: chart.y(y), r: 7, fill: ACCENT });
        const end = { x: chart.x(x), "font-size": 13, "text-anchor": x < 100 ? "start" : "end" };
        chart.text("day", end.x, chart.y(y) - 13, day < steps ? "after a day" : "done", end);
        const first =
          day < steps
            ? `The first day (red) ends at iteration ${spaced(Math.round(day / 100) * 100)} of ${spaced(steps)}, ` +
              `with a learning rate of ${Number(rate.toPrecision(1))}. `
            : "Both divisions of the learning rate fall into the first day. ";
        const whose = speed <= core ? "One core of this book's processor is that fast." : "";
        return [
          hours < 48 ? `${hours.toFixed(1)} hours` : `${(hours / 24).toFixed(1)} days`,
          `is what the published recipe takes at ${shown(speed)} pictures per second. ${first}${whose}`,
        ];
      },
    };
  },

  slipped(frame) {
    const { untrained, trained, apart, size } = frame.get("facts");
    const objects = frame.get("objects");
    return {
      slider: { label: "Boxes too far right", step: 1, show: (at) => `${at * apart} px` },
      draw(stage, at) {
        const off = (at * apart) / size;
        objects.forEach(({ box: [x0, y0, x1, y1] }, i) =>
          stage.rect(`box ${i}`, [x0 + off, y0, x1 + off, y1], { stroke: ACCENT, "stroke-width": 3 }),
        );
        const words = at
          ? `is the first loss of an untrained network, with each box ${at * apart} of ${size} pixels off. With the ` +
            `right boxes it is ${untrained[0].toFixed(1)}. A trained detector has something to compare ` +
            `them with: ${trained[at].toFixed(1)} instead of ${trained[0].toFixed(1)}.`
          : "is the first loss of an untrained network on this picture, whose boxes are right. " +
            `That of a trained detector is ${trained[0].toFixed(1)}.`;
        return [untrained[at].toFixed(1), words];
      },
    };
  },

  reading(frame) {
    const { readings } = frame.get("facts");
    const objects = frame.get("objects");
    return {
      slider: { label: "Read with", step: 1, show: (at) => readings[at].name },
      draw(stage, at) {
        const { name, found } = readings[at];
        const [hits, wrong] = drawJudged(stage, found, judged(found, objects));
        const rest = wrong.length
          ? `${wrong.length} other boxes are reported (orange).`
          : "Nothing else is reported.";
        const moral = at
          ? "The weights and their output are the same, and no line raises an error."
          : "These are the rules by which the weights were trained.";
        return [
          String(hits.length),
          `of ${objects.length} objects are found (blue), read ${at ? `with ${name}` : name}. ${rest} ${moral}`,
        ];
      },
    };
  },

  focal(frame) {
    const preset = frame.get("preset");
    const priors = makePriors(preset);
    const { hardest, counts, negatives, mined } = frame.get("facts");
    return {
      slider: { label: "Exponent γ", step: 0.1, show: (at) => at.toFixed(1) },
      draw(stage, at) {
        const count = counts[Math.round(at * 10)];
        drawPriors(stage, preset, priors, hardest.slice(0, count), count > mined ? 0.8 : 1.6);
        drawTruths(stage, frame.get("objects"));
        const weight = Number((0.1 ** at).toPrecision(2));
        const words = at
          ? `One that gets 0.9 for background weighs ${weight}.`
          : "Each weighs 1: this is the cross-entropy.";
        return [
          String(count),
          `of ${negatives} negatives hold nine tenths of the focal loss of them all (drawn). ${words} ` +
            `SSD would keep ${mined}, three per positive, and drop the others.`,
        ];
      },
    };
  },
};
