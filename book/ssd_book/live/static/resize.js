// Stretches a picture to the detector's square as Pillow does: bilinear with antialias, to the byte.
//
// A canvas would do it in another way, and move scores by up to 0.08. Pillow works in two passes, each
// rounded to bytes, with weights in fixed point: first along the rows, then along the columns. (From
// version 13 on it takes high pictures the other way round, which moves a byte by 1; torch does not.)

const BITS = 22; // of a weight's fraction
const HALF = 1 << (BITS - 1);

/** For each of `to` pixels: the first of `from` pixels that it is made of, how many, their weights. */
function weights(from, to) {
  const scale = from / to;
  const support = Math.max(scale, 1); // of the triangle: no pixel is left out when it shrinks
  const most = Math.ceil(support) * 2 + 1;
  const [first, count] = [new Int32Array(to), new Int32Array(to)];
  const all = new Int32Array(to * most);
  for (let i = 0; i < to; i++) {
    const centre = (i + 0.5) * scale;
    const low = Math.max(0, Math.trunc(centre - support + 0.5));
    const high = Math.min(from, Math.trunc(centre + support + 0.5));
    const own = [];
    for (let x = low; x < high; x++) {
      own.push(Math.max(0, 1 - Math.abs((x - centre + 0.5) * (1 / support))));
    }
    const sum = own.reduce((a, b) => a + b, 0);
    own.forEach((weight, k) => (all[i * most + k] = Math.trunc(0.5 + (weight / sum) * 2 ** BITS)));
    [first[i], count[i]] = [low, own.length];
  }
  return { first, count, all, most };
}

/** Stretch `lines` lines of pixels from one length to another. `step` and `next` are the distances,
 *  in bytes, of the pixels of a line and of the lines; `out`, with the same meaning, those of `to`. */
function pass(source, from, to, lines, step, next, target, out) {
  const { first, count, all, most } = weights(from, to);
  for (let i = 0; i < to; i++) {
    const [start, n, at] = [first[i] * step, count[i], i * most];
    for (let line = 0; line < lines; line++) {
      let p = start + line * next;
      let [red, green, blue] = [HALF, HALF, HALF];
      for (let k = 0; k < n; k++, p += step) {
        const weight = all[at + k];
        red += source[p] * weight;
        green += source[p + 1] * weight;
        blue += source[p + 2] * weight;
      }
      const q = i * out.step + line * out.next;
      target[q] = red >> BITS;
      target[q + 1] = green >> BITS;
      target[q + 2] = blue >> BITS;
      target[q + 3] = 255;
    }
  }
  return target;
}

/** The RGBA pixels of a picture, as RGBA of `side` x `side`; what is transparent becomes opaque. */
export function resize(pixels, width, height, side) {
  const row = 4 * side;
  let rows = pixels;
  if (width !== side) {
    rows = new Uint8ClampedArray(row * height);
    pass(pixels, width, side, height, 4, 4 * width, rows, { step: 4, next: row });
  }
  const square = new Uint8ClampedArray(row * side);
  if (height !== side) return pass(rows, height, side, side, row, 4, square, { step: row, next: 4 });
  square.set(rows);
  for (let alpha = 3; alpha < square.length; alpha += 4) square[alpha] = 255;
  return square;
}
