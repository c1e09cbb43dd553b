// Things that a reader puts into a scene, {id, name, box}: drawn for the eye and for the detector.
//
// Both draw the same polygons: the eye sees SVG, sharp at any size, and the detector gets the
// pixels of a canvas of its own size, so that nothing is resized. Boxes are xyxy in fractions of
// the picture; the last thing of a scene is in front.

import { SVG } from "./paper.js";

export const SIDE = 300; // pixels of the picture that the book's detector takes

/** Path data of polygons of one colour each, [[colour, d], ..], in the unit square times 1000. */
const paths = (polygons) => polygons.map(([fill, ...at]) => [fill, `M${at.join(" ")}Z`]);

/** The drawings of scenes.json, ready to be drawn. */
export function drawings({ things, background }) {
  const shapes = new Map();
  for (const [name, { aspect, polygons }] of Object.entries(things)) {
    const parts = paths(polygons);
    shapes.set(name, { aspect, parts, brushes: parts.map(([fill, d]) => [fill, new Path2D(d)]) });
  }
  return { shapes, background };
}

/** A group of SVG with a thing in it, in the unit square times 1000. */
export function group({ parts }) {
  const node = document.createElementNS(SVG, "g");
  for (const [fill, d] of parts) {
    const path = document.createElementNS(SVG, "path");
    path.setAttribute("fill", fill);
    path.setAttribute("d", d);
    node.append(path);
  }
  return node;
}

/** A small picture of a thing, for a button. */
export function icon(shape, side) {
  const { aspect } = shape;
  const [w, h] = aspect > 1 ? [side, side / aspect] : [side * aspect, side];
  const svg = document.createElementNS(SVG, "svg");
  const node = group(shape);
  node.setAttribute("transform", `scale(${w / 1000} ${h / 1000})`);
  svg.append(node);
  for (const [name, value] of [["width", w], ["height", h], ["viewBox", `0 0 ${w} ${h}`]]) {
    svg.setAttribute(name, value);
  }
  svg.setAttribute("aria-hidden", "true");
  return svg;
}

/** The box of a thing by its centre and its scale, the root of width x height. */
export function boxOf({ aspect }, x, y, scale) {
  const [w, h] = [scale * Math.sqrt(aspect), scale / Math.sqrt(aspect)];
  return [x - w / 2, y - h / 2, x + w / 2, y + h / 2];
}

/** The root of width x height, in fractions of the picture. */
export const scaleOf = ([x0, y0, x1, y1]) => Math.sqrt((x1 - x0) * (y1 - y0));

function brush(context, { brushes }, [x0, y0, x1, y1], side, only) {
  const [w, h] = [(x1 - x0) * side, (y1 - y0) * side];
  context.setTransform(w / 1000, 0, 0, h / 1000, x0 * side, y0 * side);
  for (const [fill, path] of brushes) {
    context.fillStyle = only ?? fill;
    context.fill(path);
  }
}

/** A canvas of `side` pixels, and the pixels of scenes on it, RGBA. */
export function camera({ shapes, background }, side) {
  const canvas = document.createElement("canvas");
  canvas.width = canvas.height = side;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  const pixels = () => context.getImageData(0, 0, side, side).data;
  return {
    /** What the detector gets. */
    picture(things) {
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.globalCompositeOperation = "source-over";
      context.fillStyle = background.sky;
      context.fillRect(0, 0, side, side);
      context.fillStyle = background.ground;
      const horizon = Math.round(background.horizon * side);
      context.fillRect(0, horizon, side, side - horizon);
      for (const { name, box } of things) brush(context, shapes.get(name), box, side);
      return pixels();
    },

    /** The share of a thing that can be seen: not hidden by what is in front of it. */
    inSight(things, thing) {
      const count = () => pixels().reduce((sum, value, i) => sum + (i % 4 === 3 && value > 127), 0);
      context.setTransform(1, 0, 0, 1, 0, 0);
      context.clearRect(0, 0, side, side);
      context.globalCompositeOperation = "source-over";
      brush(context, shapes.get(thing.name), thing.box, side, "#000");
      const whole = count();
      context.globalCompositeOperation = "destination-out";
      for (const { name, box } of things.slice(things.indexOf(thing) + 1)) {
        brush(context, shapes.get(name), box, side, "#000");
      }
      return count() / Math.max(whole, 1);
    },
  };
}
