// Pictures as the detector takes them: decoded, upright and stretched as Python does it.

import { resize } from "./resize.js";

const MOST_PIXELS = 64e6; // pixels; Python reads no more either
const TILE = 2048; // pixels that one canvas reads at once: they have a largest size
const VIEW = 1200; // longest side of what the eye gets
const AS_STORED = { colorSpaceConversion: "none", premultiplyAlpha: "none" };

/** Open a picture: {name, width, height, url, square, close}. `url` is for the eye. `square(side)`
 *  promises RGBA of side x side, made once for each side; `close` forgets the picture.
 *  Throws what was wrong, in a sentence. */
export async function openPicture(blob, name) {
  const { width, height } = await sizeOf(blob, name);
  if (width * height > MOST_PIXELS) {
    throw new Error(`${name} has ${width} × ${height} pixels, more than 64 million: shrink it.`);
  }
  if (isTurnedWebp(new Uint8Array(await blob.arrayBuffer()))) {
    throw new Error(`${name} is a WebP with a rotation, which browsers ignore: save it as JPEG or PNG.`);
  }
  const url = await view(await decoded(blob, name));
  const squares = new Map();
  return {
    ...{ name, width, height, url },
    async square(side) {
      if (!squares.has(side)) {
        const bitmap = await decoded(blob, name);
        squares.set(side, resize(pixelsOf(bitmap), bitmap.width, bitmap.height, side));
        bitmap.close();
      }
      return squares.get(side).slice();
    },
    close: () => URL.revokeObjectURL(url),
  };
}

/** The size of a picture, from its header: a picture that is too large is never decoded. */
function sizeOf(blob, name) {
  const url = URL.createObjectURL(blob);
  const image = new Image();
  return new Promise((resolve, reject) => {
    image.onload = () => resolve({ width: image.naturalWidth, height: image.naturalHeight });
    image.onerror = () => reject(notPicture(name));
    image.src = url;
  }).finally(() => URL.revokeObjectURL(url));
}

const notPicture = (name) =>
  new Error(`${name} is not a picture that this browser can read, or it is damaged. JPEG, PNG, WebP, GIF and BMP are read.`);

/** Decode upright, by the EXIF orientation; colours stay as they are stored. */
function decoded(blob, name) {
  return createImageBitmap(blob, AS_STORED).catch(() => {
    throw notPicture(name);
  });
}

/** The address of a small copy, upright. */
async function view(bitmap) {
  const scale = Math.min(1, VIEW / Math.max(bitmap.width, bitmap.height));
  const [w, h] = [bitmap.width, bitmap.height].map((side) => Math.max(1, Math.round(side * scale)));
  const canvas = new OffscreenCanvas(w, h);
  const context = canvas.getContext("2d");
  context.imageSmoothingQuality = "high";
  context.drawImage(bitmap, 0, 0, w, h);
  bitmap.close();
  return URL.createObjectURL(await canvas.convertToBlob());
}

/** RGBA of a picture. Transparency is dropped, as in Python, which shows the colours below it. */
export function pixelsOf(bitmap) {
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(Math.min(width, TILE), Math.min(height, TILE));
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const all = new Uint8ClampedArray(4 * width * height);
  let opaque = true;
  for (let y = 0; y < height; y += TILE) {
    for (let x = 0; x < width; x += TILE) {
      const [w, h] = [Math.min(TILE, width - x), Math.min(TILE, height - y)];
      context.clearRect(0, 0, w, h);
      context.drawImage(bitmap, -x, -y);
      const { data } = context.getImageData(0, 0, w, h);
      for (let at = 3; opaque && at < data.length; at += 4) opaque = data[at] === 255;
      for (let row = 0; row < h; row++) {
        all.set(data.subarray(4 * w * row, 4 * w * (row + 1)), 4 * ((y + row) * width + x));
      }
    }
  }
  return opaque ? all : (below(bitmap) ?? all);
}

let gl = null;

/** RGBA with the colours of transparent pixels, which a 2D canvas loses; null where WebGL is absent,
 *  or the picture too large for it. */
function below(bitmap) {
  gl ??= new OffscreenCanvas(1, 1).getContext("webgl");
  if (!gl || Math.max(bitmap.width, bitmap.height) > gl.getParameter(gl.MAX_TEXTURE_SIZE)) return null;
  const [texture, frame] = [gl.createTexture(), gl.createFramebuffer()];
  const pixels = new Uint8Array(4 * bitmap.width * bitmap.height);
  gl.bindTexture(gl.TEXTURE_2D, texture);
  gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, gl.RGBA, gl.UNSIGNED_BYTE, bitmap);
  gl.bindFramebuffer(gl.FRAMEBUFFER, frame);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  gl.readPixels(0, 0, bitmap.width, bitmap.height, gl.RGBA, gl.UNSIGNED_BYTE, pixels);
  gl.deleteFramebuffer(frame);
  gl.deleteTexture(texture);
  return pixels;
}

/** Whether a file is a WebP that its EXIF orientation turns. */
export function isTurnedWebp(bytes) {
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const tag = (at) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (tag(0) !== "RIFF" || tag(8) !== "WEBP") return false;
  try {
    for (let at = 12; at < bytes.length; ) {
      const size = data.getUint32(at + 4, true);
      if (tag(at) === "EXIF") return orientation(data, at + 8 + (tag(at + 8) === "Exif" ? 6 : 0)) > 1;
      at += 8 + size + (size % 2);
    }
  } catch (error) {
    if (!(error instanceof RangeError)) throw error; // else it is cut, and has none
  }
  return false;
}

/** The orientation in TIFF's tags, which start at `from`: 1 to 8, and 1 where there is none. */
function orientation(data, from) {
  const little = data.getUint8(from) === 0x49;
  const first = from + data.getUint32(from + 4, little);
  for (let i = 0; i < data.getUint16(first, little); i++) {
    const entry = first + 2 + 12 * i;
    if (data.getUint16(entry, little) === 0x112) {
      const value = data.getUint16(entry + 8, little);
      return value <= 8 ? value : 1;
    }
  }
  return 1;
}
