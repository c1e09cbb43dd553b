// What training would say of a scene whose objects are known. Nothing here draws.

import { multiboxLoss } from "./geometry.js";
import { survey } from "./positives.js";
import { listed } from "./ui.js";

const THRESHOLD = 0.5; // of matching

/** The things that are ground truths, {name, box}: boxes are cut at the border, as in training. */
function truths(things) {
  const cut = things.map(({ name, box }) => ({ name, box: box.map((edge) => Math.min(Math.max(edge, 0), 1)) }));
  const inside = cut.filter(({ box: [x0, y0, x1, y1] }) => x1 > x0 && y1 > y0);
  return inside.map((thing) => {
    const same = inside.filter(({ name }) => name === thing.name);
    const alone = same.length === 1;
    const said = alone ? thing.name : `${thing.name} ${same.indexOf(thing) + 1}`;
    return { ...thing, said, called: alone ? `the ${said}` : said };
  });
}

/** Objects with their positives, positives per map, and the loss, for an answer of the detector; null
 *  where nothing is known of the picture, or nothing that the detector knows. */
export function lesson({ raw, truth, preset, names }) {
  const things = truths((truth ?? []).filter(({ name }) => names.includes(name)));
  if (!truth || (truth.length && !things.length)) return null;
  const boxes = things.map(({ box }) => box);
  const labels = things.map(({ name }) => names.indexOf(name) + 1);
  const { objects, positives, groundTruth } = survey(preset, raw.priors, boxes, THRESHOLD);
  const { variances } = preset;
  const loss = multiboxLoss(raw, { boxes, labels, groundTruth }, { variances });
  return { objects: objects.map((one, g) => ({ ...one, ...things[g] })), positives, loss };
}

const lonely = ({ priors, best }) => priors && best < THRESHOLD;

/** Rows of the table of objects. */
export function objectRows({ objects }) {
  return objects.map((one) => [one.said, lonely(one) ? `${one.priors}, its best` : one.priors, one.best.toFixed(2)]);
}

/** Rows of the table of the loss. */
export function lossRows({ loss }) {
  const { positives, negatives } = loss;
  return [
    ["confidence, positives", positives, (loss.confidence - loss.ofNegatives).toFixed(3)],
    ["confidence, mined negatives", negatives.length, loss.ofNegatives.toFixed(3)],
    ["localization", positives, loss.localization.toFixed(3)],
    ["sum", positives + negatives.length, loss.total.toFixed(3)],
  ];
}

/** All of it in sentences. */
export function lessonSaid({ objects, loss }, total) {
  if (!loss.positives) {
    return "Without an object there is no positive, and without a positive no negative counts: the loss is 0.";
  }
  const each = objects.map(({ called, priors }) => `${priors} for ${called}`);
  const few = objects.filter(lonely).map(({ called }) => called);
  const best = few.length ? ` No prior reaches an IoU of 0.5 with ${listed(few)}: only its best prior is positive.` : "";
  return (
    `Of ${total} priors ${loss.positives} would be positive: ${listed(each)}.${best} With ` +
    `${loss.negatives.length} mined negatives, 3 per positive, the loss would be ${loss.total.toFixed(2)}: ` +
    `${loss.confidence.toFixed(2)} for confidence and ${loss.localization.toFixed(2)} for localization.`
  );
}
