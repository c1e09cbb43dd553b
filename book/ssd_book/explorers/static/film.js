// The film of the first page: one slider from all priors, over those whose score passes and their
// decoded boxes, to the detections that NMS leaves. It plays once, until the reader touches something.

import { makePriors, priorXyxy, priorsPerMap } from "./geometry.js";
import { ACCENT, LOOKS, assign, clamp } from "./paper.js";
import { chance, explorer, html, listed } from "./ui.js";

const LABEL = "From all boxes to the detections";
const SECONDS = 11; // from one end to the other
const STEP = 2; // of an arrow key, in hundredths of the film; Page Up and Page Down go scene by scene
// Where each scene begins and where it comes to rest, in hundredths of the film.
const SCENES = { score: [7, 44], decode: [50, 68], suppress: [73, 92] };
const STOPS = [0, 44, 68, 92, 100];
const KINDS = ["pointerdown", "keydown"]; // of events that stop the film

const part = (position, [from, to]) => clamp((position - from) / (to - from), 0, 1);
const smooth = (t) => t * t * (3 - 2 * t);
const article = (name) => (/^[aeiou]/.test(name) ? "an" : "a");

/** The priors: corners, flat; index of the map; index of the last threshold passed. */
function readPriors(frame) {
  const preset = frame.get("preset");
  const flat = makePriors(preset);
  const maps = priorsPerMap(preset).flatMap((count, k) => Array(count).fill(k));
  const view = frame.get("passed");
  const passed = new Uint8Array(view.buffer, view.byteOffset, view.byteLength);
  return maps.map((map, i) => ({ box: priorXyxy(flat, i), map, passed: passed[i] }));
}

/** What the film shows at a position: the number, the sentence, and what is drawn. */
function script(frame) {
  const priors = readPriors(frame);
  const [thresholds, classes] = [frame.get("thresholds"), frame.get("classes")];
  const last = thresholds.length - 1;
  const candidates = frame.get("candidates").map(([prior, label, score, x0, y0, x1, y1, by], i) => ({
    ...{ prior: priors[prior], name: classes[label], score, by, stays: by === i },
    decoded: [x0, y0, x1, y1],
  }));
  const chosen = new Set(candidates.map(({ prior }) => prior));
  const crowd = priors.filter((prior) => !chosen.has(prior));
  const winners = candidates.filter(({ stays }) => stays);
  const rank = new Map(winners.map((one, r) => [candidates.indexOf(one), r]));
  const names = winners.map(({ name }) => `${article(name)} ${name}`);
  const counts = thresholds.map(() => 0); // of the priors that pass each threshold
  for (const { passed } of priors) counts[passed] += 1;
  for (let step = last; step > 0; step--) counts[step - 1] += counts[step];

  return (position) => {
    const step = Math.round(last * part(position, SCENES.score));
    const moved = smooth(part(position, SCENES.decode));
    const rounds = winners.length * part(position, SCENES.suppress); // 1.5: half of the second
    const state = { step, moved, rounds, crowd, candidates, rank, last };
    const show = (number, words) => ({ ...state, number, words });
    const left = candidates.filter(({ by, stays }) => stays || rank.get(by) >= Math.floor(rounds));
    if (rounds >= winners.length) return show(left.length, `detections: ${listed(names)}.`);
    if (rounds > 0) {
      return show(left.length, "boxes are left. Of those over the same object, the best one stays.");
    }
    if (moved > 0) {
      return show(candidates.length, "boxes move and stretch to where the network puts the object.");
    }
    if (step === 0) {
      return show(priors.length, "boxes, the same for every picture. The network scores each one.");
    }
    return show(counts[step], `boxes have a chance above ${chance(thresholds[step])} of holding an object.`);
  };
}

/** Draw the boxes that are still in, map by map: the fine ones faint, the coarse ones strong. */
function drawCrowd(canvas, stage, { crowd, step, last }) {
  const size = 2 * stage.width; // lines below a pixel need it on every screen
  if (canvas.width !== size) canvas.width = canvas.height = size;
  const pen = canvas.getContext("2d");
  pen.clearRect(0, 0, size, size);
  const paths = LOOKS.map(() => new Path2D());
  let count = 0; // none at the last step: `crowd` is without those that pass it
  for (const { box, map, passed } of crowd) {
    if (passed < step) continue;
    count += 1;
    const [x, y, right, bottom] = box.map((place) => place * size);
    paths[map].rect(x, y, right - x, bottom - y);
  }
  const few = 1 - Math.log(Math.max(count, 1)) / Math.log(crowd.length); // 0 for all, 1 for one
  paths.forEach((path, map) => {
    pen.strokeStyle = LOOKS[map].colour;
    pen.globalAlpha = Math.min(0.9, 0.22 + 0.12 * map + 0.8 * few);
    pen.lineWidth = 0.9 + 0.3 * map + 1.3 * few;
    pen.stroke(path);
  });
}

/** Draw the boxes that pass: those that NMS removes fade on the spot, those that stay get a name. */
function drawCandidates(stage, { candidates, step, last, moved, rounds, rank }) {
  const seen = step / last;
  const labelled = [];
  candidates.forEach(({ prior, decoded, stays, by, name, score }, i) => {
    const box = prior.box.map((from, j) => from + moved * (decoded[j] - from));
    const out = stays ? 0 : clamp(rounds - rank.get(by), 0, 1); // in the round of its suppressor
    const hit = stays && rounds > rank.get(i);
    if (out === 1) return;
    const width = hit ? 3.5 : 1 + seen;
    const opacity = hit ? 1 : (0.4 + 0.6 * seen) * (1 - out);
    const stroke = hit ? ACCENT : LOOKS[prior.map].colour;
    stage.rect(`box ${i}`, box, { stroke, opacity, "stroke-width": width });
    if (hit) labelled.push({ i, box, words: `${name} ${score.toFixed(2)}` });
  });
  const letters = stage.width < 420 ? 12 : 14;
  for (const { i, box, words } of labelled) {
    const plate = stage.put(`plate ${i}`, "rect", { fill: ACCENT });
    const look = { class: "ssd-film-label", "font-size": letters };
    const label = stage.put(`label ${i}`, "text", look, words);
    const [x, y] = stage.px(box);
    const [width, height] = [label.getComputedTextLength() + 12, letters + 9];
    const left = clamp(x - 1.75, 0, stage.width - width);
    const top = y < height ? y : y - height;
    assign(plate, { x: left, y: top, width, height });
    assign(label, { x: left + 6, y: top + letters + 2.5 });
  }
}

export default explorer({
  label: LABEL,
  state: ["position"],

  build(frame) {
    const at = script(frame);
    frame.root.classList.add("ssd-film");
    for (const node of [frame.words, frame.live, frame.foot, frame.side]) {
      node.remove(); // the slider says the sentence
    }
    const alt = `A drawn scene. The film ends with ${at(100).number} ${at(100).words}`;
    const picture = html("img", { src: frame.get("picture"), alt, width: 1200, height: 1200 });
    const canvas = html("canvas", { "aria-hidden": "true" });
    const screen = html("div", { class: "ssd-film-screen" }, picture, canvas);
    const [number, words] = ["number", "words"].map((n) => html("p", { class: `ssd-film-${n}` }));
    const range = { type: "range", min: 0, max: 100, step: "any", class: "ssd-film-slider" };
    const slider = html("input", { ...range, "aria-label": LABEL });
    const play = html("button", { type: "button", class: "ssd-film-play" });
    const told = html("div", { class: "ssd-film-told", "aria-hidden": "true" }, number, words);
    frame.main.append(screen, told, html("div", { class: "ssd-film-knob" }, play, slider));
    const stage = frame.stage({ label: "The picture and its boxes", into: screen });

    let [playing, now, before, asked] = [false, frame.get("position"), 0, 0];
    const tick = (time) => {
      now = Math.min(100, now + (before ? Math.min(time - before, 50) / (10 * SECONDS) : 0));
      before = time;
      frame.ask();
      if (now >= 100 || !frame.root.isConnected) stop();
      else asked = requestAnimationFrame(tick);
    };
    const start = () => {
      [playing, before] = [true, 0];
      asked = requestAnimationFrame(tick);
    };
    const stop = () => {
      cancelAnimationFrame(asked);
      if (playing) frame.set({ position: now });
      playing = false;
      frame.ask();
    };
    const go = (position) => {
      stop();
      frame.set({ position: clamp(position, 0, 100) });
    };

    slider.addEventListener("input", () => go(Number(slider.value)));
    slider.addEventListener("keydown", (event) => {
      const here = frame.get("position");
      const [back, on] = [STOPS.findLast((stop) => stop < here), STOPS.find((stop) => stop > here)];
      const keys = { ArrowLeft: here - STEP, ArrowDown: here - STEP, ArrowRight: here + STEP };
      Object.assign(keys, { ArrowUp: here + STEP, PageDown: back ?? 0, PageUp: on ?? 100 });
      if (!(event.key in keys)) return;
      event.preventDefault();
      go(keys[event.key]);
    });
    play.addEventListener("click", () => {
      if (playing) return stop();
      if (frame.calm) return go(STOPS.find((stop) => stop > frame.get("position")) ?? 0); // no motion
      if ((now = frame.get("position")) >= 100) now = 0;
      start();
    });
    playOnce(frame, play, { start, stop });

    return function draw() {
      const position = playing ? now : frame.get("position");
      const scene = at(position);
      drawCrowd(canvas, stage, scene);
      drawCandidates(stage, scene);
      number.textContent = scene.number;
      words.textContent = scene.words;
      if (Number(slider.value) !== position) slider.value = position;
      slider.setAttribute("aria-valuetext", `${scene.number} ${scene.words}`);
      slider.style.setProperty("--played", `${position}%`);
      play.setAttribute("aria-label", playing ? "Pause" : position < 100 ? "Play" : "Play again");
      play.dataset.playing = playing;
    };
  },
});

/** Start when the film is in view; the first touch or key stops it, and it does not start again. */
function playOnce(frame, play, { start, stop }) {
  if (frame.calm) return;
  const seen = new IntersectionObserver(
    ([{ isIntersecting }]) => {
      if (!isIntersecting) return;
      seen.disconnect();
      start();
    },
    { threshold: 0.6 },
  );
  const touched = ({ target }) => {
    seen.disconnect();
    for (const kind of KINDS) removeEventListener(kind, touched, true);
    if (target !== play) stop(); // or the button would start it again
  };
  for (const kind of KINDS) addEventListener(kind, touched, true);
  seen.observe(frame.root);
}
