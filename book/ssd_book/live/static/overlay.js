// A canvas over the stage, for what is too much for SVG: it takes no pointer and says nothing.

import { html } from "./ui.js";

/** A canvas over `stage` in `screen`. Like what is drawn on the stage, it is empty unless drawn again. */
export function overlay(screen, stage) {
  const canvas = html("canvas", { class: "live-overlay", "aria-hidden": "true" });
  const context = canvas.getContext("2d");
  let [before, drawn] = ["", false];
  screen.append(canvas);

  function show(key, paint) {
    const { width, height } = stage;
    const scale = Math.min(devicePixelRatio, 2);
    drawn = true;
    if (before === (before = `${key} ${width} ${height} ${scale}`)) return;
    const from = performance.now();
    Object.assign(canvas, { width: Math.round(width * scale), height: Math.round(height * scale) }); // empties it
    canvas.style.width = stage.svg.style.width || "100%"; // a high picture is narrow
    context.scale(scale, scale);
    paint(context, width, height);
    globalThis.explorerTimes?.push(["overlay", performance.now() - from]);
  }

  return {
    begin: () => (drawn = false),
    /** Draw by `paint(context, width, height)`, in CSS pixels, unless `key` is the same as last time. */
    show,
    end: () => drawn || show("empty", () => {}),
  };
}
