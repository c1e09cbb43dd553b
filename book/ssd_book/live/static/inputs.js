// What is looked at, and by which detector: the composed scene, a scene drawn at random, a photograph
// or the reader's own picture.
//
// A file that cannot be used changes nothing: a sentence says why.

import { openPicture } from "./pictures.js";
import { html, listed } from "./ui.js";

const SOURCES = [
  ["compose", "compose"],
  ["drawn", "drawn at random"],
  ["photograph", "a photograph"],
  ["file", "your picture"],
];
const MODEL_FILE = /\.(onnx|safetensors|pt|pth|ckpt|data)$/i;
const MOST_OPEN = 20; // pictures of the book that are kept
const NO_TRUTH =
  "This detector knows twelve drawn things, and takes every picture for a drawing. On a photograph, what it finds is wrong, and its scores don't say so: it has never been taught to answer that it does not know.";

/**
 * The controls. A picture to choose is an entry, {file, title, about} and, if it is known, `truth`;
 * `photographs` are such, too. `files` is where they come from: `drawn(frame)` makes the control of drawn
 * scenes, {control, chosen}, where `chosen()` returns an entry; `get(entry)` promises {blob} and what
 * else the entry lacks; the reader's own are dropped or pasted on `area(frame)`, which `offer` says.
 * `readers(frame, {detector, chooser})` returns what opens the reader's own detector: `open(file)`
 * promises a function that puts it to use, `now()` is the one that is chosen, and `follow()` shows that.
 *
 * Returns `now()`, {detector, picture, truth}, and `follow()`, to call at each drawing: `picture` is
 * null while the reader composes, and undefined while there is none to show.
 */
export function inputs(frame, { files, readers, detector, photographs }) {
  const get = (name) => frame.get(name);
  const opened = new Map(); // pictures of the book, by file
  let [mine, count] = [null, 0]; // the reader's picture
  let [wanted, loading] = [undefined, false]; // the book's picture that is shown or was tried; one at a time

  // --- controls ---
  const about = html("p", { class: "live-about" });
  const failed = html("p", { class: "live-side-words", role: "alert", hidden: "" });
  const chooser = (words, accept, label) => {
    const input = html("input", { type: "file", accept, hidden: "", "aria-label": label });
    const button = html("button", { type: "button" }, words);
    button.addEventListener("click", () => input.click());
    input.addEventListener("change", () => {
      take(input.files[0]);
      input.value = ""; // the same file again is a choice, too
    });
    return html("div", { class: "live-choose" }, button, input);
  };
  const choice = frame.choice({ label: "Scene", name: "source", options: SOURCES });
  const drawn = files.drawn(frame);
  const options = photographs.map(({ file, title }) => [file, title]);
  const ofPhotographs = frame.select({ label: "Photograph:", name: "photograph", options });
  const pictureFile = chooser("Choose a picture …", "image/*", "your picture");
  choice.after(drawn.control, ofPhotographs.parentElement, pictureFile, about);
  const detectors = readers(frame, { detector, chooser });
  frame.side.append(failed);
  for (const control of [choice, drawn.control, ofPhotographs]) {
    control.addEventListener("change", () => {
      say("");
      frame.set({ look: null }); // what was looked into is in another picture
    });
  }

  const say = (words) => {
    failed.textContent = words;
    failed.hidden = !words;
  };

  // --- files of the reader: chosen, dropped or pasted ---
  const area = files.area(frame);
  area.addEventListener("dragover", (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault(); // or the browser would open the file instead of the page
    frame.root.classList.add("live-dropping");
  });
  area.addEventListener("dragleave", (event) => {
    if (!area.contains(event.relatedTarget)) frame.root.classList.remove("live-dropping");
  });
  area.addEventListener("drop", (event) => {
    frame.root.classList.remove("live-dropping");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  area.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) take(event.clipboardData.files[0]);
  });

  let turn = 0; // a file that is chosen later wins
  async function take(file) {
    if (!file) return;
    const now = (turn += 1);
    say("");
    about.textContent = `Reading ${file.name} …`;
    try {
      const use = await (MODEL_FILE.test(file.name) ? detectors.open(file) : openOwnPicture(file));
      if (now === turn) use();
    } catch (error) {
      if (now === turn) say(error.message);
    }
    frame.ask();
  }

  async function openOwnPicture(file) {
    const picture = await openPicture(file, file.name);
    return () => {
      mine?.close();
      mine = { ...picture, id: `file ${(count += 1)}` };
      frame.set({ source: "file", file: count, look: null });
    };
  }

  // --- pictures of the book ---
  const chosen = () => {
    if (get("source") === "drawn") return drawn.chosen();
    if (get("source") === "photograph") return photographs.find(({ file }) => file === get("photograph"));
    return undefined;
  };

  async function load(entry) {
    loading = true;
    try {
      const { blob, ...more } = await files.get(entry);
      opened.set(entry.file, { ...(await openPicture(blob, entry.title)), ...entry, ...more, id: entry.file });
      const [[oldest, picture]] = opened;
      if (opened.size > MOST_OPEN && opened.delete(oldest)) picture.close();
    } catch (error) {
      say(error.message);
    }
    loading = false;
    frame.ask();
  }

  return {
    now() {
      const source = get("source");
      const asked = { detector: detectors.now() };
      if (source === "compose") return { ...asked, picture: null, truth: get("things") };
      if (source === "file") return { ...asked, picture: mine ?? undefined, truth: null };
      const picture = opened.get(chosen().file);
      return { ...asked, picture, truth: picture?.truth ?? null };
    },

    follow() {
      const source = get("source");
      const entry = chosen();
      if (!loading && wanted !== entry?.file) {
        if (wanted) say(""); // it was about that
        wanted = entry?.file;
        if (entry && !opened.has(wanted)) load(entry);
      }
      drawn.control.hidden = source !== "drawn";
      ofPhotographs.parentElement.hidden = source !== "photograph";
      pictureFile.hidden = source !== "file";
      detectors.follow();
      const words = entry ? [entry.about] : [];
      if (source === "file" && mine) words.push(`${mine.name}, ${mine.width} × ${mine.height} pixels.`);
      else if (source === "file") words.push(files.offer);
      if (detectors.now().file) words.push(describe(detectors.now()));
      else if (source === "photograph" || (source === "file" && mine)) words.push(NO_TRUTH);
      if (about.textContent !== words.join(" ")) about.textContent = words.join(" ");
    },
  };
}

function describe({ file, names, preset, side }) {
  const few = names.length > 8 ? [...names.slice(0, 7), `${names.length - 7} others`] : names;
  return `${file} takes ${side} × ${side} pixels, has the priors of ${preset.name}, and knows ${listed(few)}.`;
}
