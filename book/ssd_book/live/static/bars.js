// Six bars, one per feature map, each with its words: a list, so that screen readers read it.

import { LOOKS } from "./paper.js";
import { html } from "./ui.js";

function makeRow({ name }, k) {
  const bar = html("span", { class: "live-bar", style: `--look: ${LOOKS[k].colour}` });
  const said = html("span");
  return { bar, said, row: html("li", {}, html("span", {}, name), bar, said) };
}

/** Bars in the maps' colours; the function returned takes the maps of a preset, and {share, words} for
 *  each, share in 0 .. 1. */
export function mapBars({ label, into }) {
  const list = html("ul", { class: "live-bars", "aria-label": label });
  into.append(list);
  let [before, rows] = [null, []];
  return (maps, values) => {
    if (before !== (before = maps)) {
      rows = maps.map(makeRow);
      list.replaceChildren(...rows.map(({ row }) => row));
    }
    values.forEach(({ share, words }, k) => {
      rows[k].bar.style.setProperty("--share", share.toFixed(3));
      if (rows[k].said.textContent !== words) rows[k].said.textContent = words;
    });
  };
}
