// What is looked at, and by which detector: the composed scene, a drawn scene of the data set, a
// photograph or the reader's own picture; the book's detector of scenes or the reader's own.
//
// A file that cannot be used changes nothing: a sentence says why. No file leaves the page.

import { asked } from "./loading.js";
import { describe, verify } from "./own.js";
import { openPicture } from "./pictures.js";
import { html, listed } from "./ui.js";

const SOURCES = [
  ["compose", "compose"],
  ["drawn", "drawn at random"],
  ["photograph", "a photograph"],
  ["file", "your picture"],
];
const MODEL_FILE = /\.(onnx|safetensors|pt|pth|ckpt|data)$/i; // by their names; all but ONNX are refused
const MOST_MB = 1000; // of a detector: the runtime's memory has 4 GB
const NO_TRUTH =
  "This detector knows twelve drawn things, and every picture is drawn to it. On a photograph, what it finds is wrong, and its scores don't say so: it has never been taught to answer that it does not know.";

/** The controls of both. `scenes` is the book's detector, {file, names, preset, side, priors, slot}, and
 *  `eyes` the thread that runs it; `shipped` what scenes.json says of drawn scenes, photographs and
 *  presets. Returns `now()`, {detector, picture, truth}, and `follow()`, to call at each drawing:
 *  `picture` is null while the reader composes, and undefined while there is none to show. */
export function inputs(frame, { base, eyes, scenes, shipped }) {
  const { drawn, photographs, presets } = shipped;
  const get = (name) => frame.get(name);
  const opened = new Map(); // pictures of the book, by file
  let [mine, own, count] = [null, null, 0]; // the reader's picture and detector
  let wanted = null; // file of the book's picture that is chosen

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
  const options = (all) => all.map(({ file, title }) => [file, title]);
  const ofDrawn = frame.select({ label: "Scene of the validation split:", name: "drawn", options: options(drawn) });
  const ofPhotographs = frame.select({ label: "Photograph:", name: "photograph", options: options(photographs) });
  const pictureFile = chooser("Choose a picture …", "image/*", "your picture");
  const detectors = frame.choice({
    label: "Detector",
    name: "detector",
    options: [
      ["scenes", "of scenes"],
      ["own", "your own"],
    ],
  });
  const ownButton = detectors.querySelector('input[value="own"]');
  const modelFile = chooser("Choose an ONNX file …", ".onnx", "your detector");
  choice.after(ofDrawn.parentElement, ofPhotographs.parentElement, pictureFile, about);
  detectors.append(modelFile);
  frame.side.append(failed);
  for (const input of choice.querySelectorAll("input")) input.addEventListener("change", () => say(""));

  const say = (words) => {
    failed.textContent = words;
    failed.hidden = !words;
  };

  // --- files of the reader: chosen, dropped or pasted anywhere on the page ---
  document.addEventListener("dragover", (event) => {
    if (![...event.dataTransfer.types].includes("Files")) return;
    event.preventDefault(); // or the browser would open the file instead of the page
    frame.root.classList.add("live-dropping");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) frame.root.classList.remove("live-dropping");
  });
  document.addEventListener("drop", (event) => {
    frame.root.classList.remove("live-dropping");
    if (!event.dataTransfer.files.length) return;
    event.preventDefault();
    take(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) take(event.clipboardData.files[0]);
  });

  let turn = 0; // a file that is chosen later wins
  async function take(file) {
    if (!file) return;
    const now = (turn += 1);
    say("");
    about.textContent = `Reading ${file.name} …`;
    try {
      const use = await (MODEL_FILE.test(file.name) ? openDetector(file) : openOwnPicture(file));
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

  async function openDetector(file) {
    if (file.size > MOST_MB * 1e6) throw new Error(`${file.name} has more than ${MOST_MB} MB.`);
    const bytes = new Uint8Array(await file.arrayBuffer());
    const described = describe(bytes, file.name, presets);
    const slot = `own ${(count += 1)}`;
    const answer = await eyes.open(bytes, described.side, slot).catch((error) => {
      throw new Error(`${file.name} cannot be run here: ${error.message.split("\n")[0]}`);
    });
    try {
      verify(answer, described, file.name);
    } catch (error) {
      await eyes.close(slot);
      throw error;
    }
    return () => {
      if (own) eyes.close(own.slot);
      own = { ...described, file: file.name, slot, priors: answer.priors };
      frame.set({ detector: "own", file: count, look: null });
    };
  }

  // --- pictures of the book ---
  const chosen = () => {
    const list = { drawn, photograph: photographs }[get("source")];
    return list?.find(({ file }) => file === get(get("source")));
  };

  async function load({ file, title }) {
    wanted = file;
    try {
      const blob = await (await asked(base, file)).blob();
      opened.set(file, { ...(await openPicture(blob, title)), id: file });
    } catch (error) {
      if (wanted === file) say(error.message);
    }
    frame.ask();
  }

  return {
    now() {
      const detector = get("detector") === "own" && own ? own : scenes;
      const source = get("source");
      if (source === "compose") return { detector, picture: null, truth: get("things") };
      if (source === "file") return { detector, picture: mine ?? undefined, truth: null };
      return { detector, picture: opened.get(chosen().file), truth: chosen().truth ?? null };
    },

    follow() {
      const source = get("source");
      const picture = chosen();
      if (!picture) wanted = null;
      else if (!opened.has(picture.file) && wanted !== picture.file) load(picture);
      ofDrawn.parentElement.hidden = source !== "drawn";
      ofPhotographs.parentElement.hidden = source !== "photograph";
      pictureFile.hidden = source !== "file";
      ownButton.disabled = !own;
      const words = [];
      if (source === "drawn") words.push(`${picture.call} in Python draws it. The detector was not trained on it.`);
      if (source === "photograph") words.push(`${picture.author}, ${picture.licence}.`);
      if (source === "file" && mine) words.push(`${mine.name}, ${mine.width} × ${mine.height} pixels.`);
      else if (source === "file") words.push("Choose a picture, drop it on this page, or paste it. It stays in this page.");
      if (get("detector") === "own" && own) words.push(describeOwn(own));
      else if (source === "photograph" || (source === "file" && mine)) words.push(NO_TRUTH);
      if (about.textContent !== words.join(" ")) about.textContent = words.join(" ");
    },
  };
}

function describeOwn({ file, names, preset, side }) {
  const few = names.length > 8 ? [...names.slice(0, 7), `${names.length - 7} others`] : names;
  return `${file} takes ${side} × ${side} pixels, has the priors of ${preset.name}, and knows ${listed(few)}.`;
}
