// Shared by explorers over a drawn scene: its objects, and a place that snaps to one of them.

import { toCxcywh } from "./geometry.js";
import { INK, clamp } from "./paper.js";

const SNAP = 0.025; // in fractions of the picture

function distance(object, [x, y]) {
  const [cx, cy] = toCxcywh(object.box);
  return Math.hypot(cx - x, cy - y);
}

/** The object, {name, box}, whose centre is nearest to a place. */
export function nearestObject(objects, place) {
  const nearer = (a, b) => (distance(b, place) < distance(a, place) ? b : a);
  return objects.reduce(nearer);
}

/** The part that two boxes share, xyxy; inverted if they share nothing. */
export function sharedBox(a, b) {
  return [0, 1, 2, 3].map((i) => (i < 2 ? Math.max(a[i], b[i]) : Math.min(a[i], b[i])));
}

/** Draw the objects' boxes, the chosen one's thicker. */
export function drawObjects(stage, objects, chosen) {
  for (const [i, object] of objects.entries()) {
    const width = object === chosen ? 3 : 1;
    stage.rect(`object ${i}`, object.box, { stroke: INK, "stroke-width": width });
  }
}

/** A knob at the trait `centre`. Dragged near the centre of an object, it snaps to it. */
export function centreKnob(frame, stage, what) {
  const [x, y] = frame.get("centre");
  const set = (place) => frame.set({ centre: place.map((at) => Number(clamp(at, 0, 1).toFixed(4))) });
  stage.knob("centre", stage.x(x), stage.y(y), {
    label: `centre of ${what}, ${x.toFixed(2)}, ${y.toFixed(2)}; arrow keys move it, with shift faster`,
    to: (...at) => {
      const place = stage.fractions(...at);
      const object = nearestObject(frame.get("objects"), place);
      set(distance(object, place) < SNAP ? toCxcywh(object.box).slice(0, 2) : place);
    },
    by: (dx, dy, shift) => {
      const step = shift ? 0.05 : 0.01;
      set([x + dx * step, y + dy * step]);
    },
  });
}
