// Which priors are matched to which object: per object and per map. Nothing here draws.

import { match, priorXyxy, priorsPerMap } from "./geometry.js";

/**
 * The result of matching xyxy boxes. `objects` has for each box the number of its `priors`, the `best`
 * IoU of any prior (its `favourite`; `taker` is the box that the favourite is matched to) and of its
 * `own` ones; `positives` has for each map {prior, box, owner}; `groundTruth` is that of `match`.
 */
export function survey(preset, priors, boxes, threshold, rule) {
  const { groundTruth, iou: overlaps, favourites } = match(priors, boxes, threshold, rule);
  const objects = favourites.map(({ prior, iou: best }) => ({ priors: 0, best, own: 0, favourite: best ? prior : -1 }));
  const positives = preset.maps.map(() => []);
  const ends = [];
  priorsPerMap(preset).forEach((count, k) => ends.push(count + (ends[k - 1] ?? 0)));
  for (let i = 0, k = 0; i < groundTruth.length; i++) {
    if (i === ends[k]) k++;
    const owner = groundTruth[i];
    if (owner < 0) continue;
    positives[k].push({ prior: i, box: priorXyxy(priors, i), owner });
    objects[owner].priors++;
    objects[owner].own = Math.max(objects[owner].own, overlaps[i]);
  }
  for (const object of objects) object.taker = groundTruth[object.favourite];
  return { objects, positives, groundTruth };
}
