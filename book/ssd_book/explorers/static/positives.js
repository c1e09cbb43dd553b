// Which priors are matched to which object: per object and per map. Nothing here draws.

import { iou, match, priorXyxy, priorsPerMap } from "./geometry.js";

/**
 * The result of matching xyxy boxes. `objects` has for each box the number of its `priors`, the `best`
 * IoU of any prior (its `favourite`; `taker` is the box that the favourite is matched to) and of its
 * `own` ones; `positives` has for each map {prior, box, owner}; `groundTruth` is that of `match`.
 */
export function survey(preset, priors, boxes, threshold, rule) {
  const { groundTruth, iou: overlaps } = match(priors, boxes, threshold, rule);
  const objects = boxes.map(() => ({ priors: 0, best: 0, own: 0, favourite: -1 }));
  const positives = preset.maps.map(() => []);
  const ends = [];
  priorsPerMap(preset).forEach((count, k) => ends.push(count + (ends[k - 1] ?? 0)));
  const corners = [0, 0, 0, 0];
  for (let i = 0, k = 0; i < groundTruth.length; i++) {
    if (i === ends[k]) k++;
    priorXyxy(priors, i, corners);
    for (let g = 0; g < boxes.length; g++) {
      const overlap = iou(boxes[g], corners);
      if (overlap > objects[g].best) Object.assign(objects[g], { best: overlap, favourite: i });
    }
    const owner = groundTruth[i];
    if (owner < 0) continue;
    positives[k].push({ prior: i, box: [...corners], owner });
    objects[owner].priors++;
    objects[owner].own = Math.max(objects[owner].own, overlaps[i]);
  }
  for (const object of objects) object.taker = groundTruth[object.favourite];
  return { objects, positives, groundTruth };
}
