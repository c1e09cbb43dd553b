// The view of heat: for each map, which of its cells see an object, or one class. A tile per map, of
// which one is drawn over the picture, too.

import { cellCentres } from "./geometry.js";
import { LOOKS } from "./paper.js";
import { heat } from "./predictions.js";
import { html } from "./ui.js";

/** Colour a canvas of one pixel per cell: the surer, the stronger. */
function colour(canvas, values, k) {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(LOOKS[k].colour.slice(at, at + 2), 16));
  const cells = Math.sqrt(values.length);
  canvas.width = canvas.height = cells;
  const image = new ImageData(cells, cells);
  values.forEach((value, i) => image.data.set([red, green, blue, 255 * Math.sqrt(value)], 4 * i));
  canvas.getContext("2d").putImageData(image, 0, 0);
}

const withArticle = (name) => `${/^[aeiou]/.test(name) ? "an" : "a"} ${name}`;

export function heatView({ frame, overlay }) {
  const select = frame.select({ label: "probability of", name: "heatOf", options: [] });
  const field = html("fieldset", { class: "live-tiles" });
  let [knows, tiles] = [null, []];

  /** Make the controls for the classes and maps of a detector. */
  function renew(names, { maps }) {
    knows = names;
    const classes = names.map((name, i) => html("option", { value: i + 1 }, name));
    select.replaceChildren(html("option", { value: 0 }, "any object"), ...classes);
    select.value = frame.get("heatOf");
    tiles = maps.map(({ name, cells }, k) => {
      const input = html("input", { type: "radio", name: "live-heat", value: k });
      input.addEventListener("change", () => frame.set({ heatMap: k }));
      const canvas = html("canvas", { "aria-hidden": "true" });
      const most = html("span", { class: "live-most" });
      const words = [html("span", {}, name), " ", html("span", {}, `${cells} × ${cells} cells`), " ", most];
      return { input, canvas, most, label: html("label", {}, input, canvas, ...words) };
    });
    const legend = html("legend", {}, "The maps; one is drawn over the picture");
    field.replaceChildren(legend, ...tiles.map(({ label }) => label));
  }
  let [before, maps] = ["", []];

  return {
    controls: select.closest("label"),
    panel: html("div", { class: "live-panel" }, field),

    draw({ raw, names, preset }) {
      if (knows !== names) renew(names, preset);
      const label = Number(frame.get("heatOf")) > names.length ? 0 : Number(frame.get("heatOf"));
      const shown = Math.min(frame.get("heatMap"), preset.maps.length - 1);
      const key = `${raw.key} ${label}`;
      if (before !== (before = key)) {
        maps = heat(raw, preset, label);
        maps.forEach(({ values }, k) => colour(tiles[k].canvas, values, k));
      }
      const places = maps.map(({ at }, k) => {
        const { cells } = preset.maps[k];
        return `row ${Math.floor(at / cells)}, column ${at % cells}`;
      });
      tiles.forEach(({ input, most }, k) => {
        input.checked = k === shown;
        const words = `up to ${maps[k].most.toFixed(2)}`;
        if (most.textContent !== words) most.textContent = words;
      });
      overlay.show(`heat ${key} ${shown}`, (context, width, height) => {
        const [first] = cellCentres(preset, shown);
        const whole = 2 * first * preset.maps[shown].cells; // cells with a step may leave the picture
        context.imageSmoothingEnabled = false;
        context.globalAlpha = 0.8;
        context.drawImage(tiles[shown].canvas, 0, 0, whole * width, whole * height);
      });
      const { name, cells } = preset.maps[shown];
      const what = label ? withArticle(names[label - 1]) : "an object";
      const surest = maps.reduce((best, map, k) => (map.most > maps[best].most ? k : best), 0);
      const other = preset.maps[surest].name;
      return {
        legend: [[{ stroke: LOOKS[shown].colour, "stroke-width": 8 }, `${name}: sure of ${what}`]],
        words:
          `On ${name} (${cells} × ${cells} cells) the probability of ${what} is highest in ${places[shown]}: ` +
          `${maps[shown].most.toFixed(2)}. ` +
          (surest === shown
            ? "No other map is surer."
            : `Of all maps, ${other} is surest: ${maps[surest].most.toFixed(2)} in ${places[surest]}.`),
      };
    },
  };
}
