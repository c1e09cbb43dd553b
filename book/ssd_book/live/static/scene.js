// The live figure: a scene that the reader composes, what the detector finds in it, and why.
//
// On the book's page the detector runs in the page (page.js), in a notebook in the kernel (kernel.js).

import { postprocess } from "./geometry.js";
import { inputs } from "./inputs.js";
import { INK, clamp } from "./paper.js";
import { CHALLENGES, KNOBS, TASKS, foundFor } from "./tasks.js";
import { SIDE, boxOf, camera, drawings, group, icon } from "./things.js";
import { explorer, html } from "./ui.js";
import { VIEWED, makeViews } from "./views.js";

const MOST = 20; // things in a scene

/** The state at first, of what `scenes.json` holds and the name of a `drawn` scene. */
export const firstState = ({ first, photographs }, drawn) => ({
  things: first.map((thing, id) => ({ id, ...thing })),
  ...{ held: null, score: 0.5, nms: 0.45, task: "", knob: 0, best: null, ...VIEWED },
  ...{ source: "compose", drawn, photograph: photographs[0].file, file: 0, detector: "scenes" },
});

// --- the figure -----------------------------------------------------------------------------------

/**
 * The figure, a widget with the traits `state`. `scenes` is what scenes.json holds. `detector` is the one
 * that answers at first, {names, preset, side, priors, slot, model} and, if it is not the book's, `file`.
 * `eyes.ask(pixels, slot)` promises its answer to RGBA of side x side, {logits, offsets, ms}; `eyes.where`
 * says where it computes, and `eyes.whenSilent` takes what hears that no answer comes. `files` and
 * `readers` are as in inputs.js. `place` hears of each answer.
 */
export const figure = ({ scenes, detector, eyes, files, readers, place, state }) =>
  explorer({
    label: "Compose a scene; a trained SSD looks at it",
    state,

    build(frame) {
      const drawn = drawings(scenes);
      const { shapes } = drawn;
      const measure = camera(drawn, SIDE / 2);
      const films = new Map(); // by the side of a detector's picture
      const get = (name) => frame.get(name);
      const shown = inputs(frame, { files, readers, detector, photographs: scenes.photographs });
      let { names, preset } = detector; // of the one that is chosen
      let last = 0; // id of the newest thing

      // --- asking: one picture at a time, the newest scene wins ---
      let [asked, busy, raw, pace, answers] = ["", false, null, [], 0];
      async function ask() {
        const { detector, picture } = shown.now();
        const { side, slot } = detector;
        const things = picture === null ? get("things") : [];
        const key = `${slot} ${picture?.id ?? JSON.stringify(things)}`;
        if (busy || key === asked || picture === undefined) return;
        [busy, asked] = [true, key];
        place.dataset.looking = true;
        const from = performance.now();
        try {
          if (!films.has(side)) films.set(side, camera(drawn, side));
          const pixels = picture ? await picture.square(side) : films.get(side).picture(things);
          const answer = await eyes.ask(pixels, slot);
          complain("");
          raw = { ...answer, priors: detector.priors, things, detector, picture, key: (answers += 1) };
          pace = [...pace.slice(-9), answer.ms];
          const age = performance.now() - from;
          place.dispatchEvent(new CustomEvent("live-answer", { detail: { ms: answer.ms, age } }));
        } catch (error) {
          console.warn("live detector:", error);
          complain(error.message);
        }
        busy = false;
        ask(); // at once, not in the next frame: half as many answers again
        place.dataset.looking = busy;
        frame.ask();
      }

      let [before, result] = ["", null]; // post-processing, of the answer and the sliders
      function processed() {
        const [score, nms] = [get("score"), get("nms")];
        const key = `${raw.key} ${score} ${nms}`;
        if (before !== (before = key)) {
          const { variances } = preset;
          const limits = { scoreThreshold: score, iouThreshold: nms, variances };
          result = postprocess(raw.logits, raw.offsets, raw.priors, limits);
        }
        return result;
      }

      // --- changing the scene ---
      const make = (name, x, y, scale, stretch = 1) => {
        const [x0, y0, x1, y1] = boxOf(shapes.get(name), x, y, scale);
        const more = ((stretch - 1) * (x1 - x0)) / 2;
        const box = [x0 - more, y0, x1 + more, y1].map((edge) => Number(edge.toFixed(4)));
        last = 1 + Math.max(last, ...get("things").map(({ id }) => id));
        return { id: last, name, box };
      };
      const change = (id, box) => {
        const things = get("things").map((thing) => (thing.id === id ? { ...thing, box } : thing));
        frame.set({ things, held: id });
      };
      const grow = (id, by) => {
        const { box } = get("things").find((thing) => thing.id === id);
        const [cx, cy] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2];
        const [w, h] = [box[2] - box[0], box[3] - box[1]];
        const factor = clamp(by, 0.02 / Math.min(w, h), 1.2 / Math.max(w, h));
        const [dx, dy] = [(w * factor) / 2, (h * factor) / 2];
        change(id, [cx - dx, cy - dy, cx + dx, cy + dy]);
      };
      const restack = (id, front) => {
        const rest = get("things").filter((thing) => thing.id !== id);
        const thing = get("things").find((one) => one.id === id);
        frame.set({ things: front ? [...rest, thing] : [thing, ...rest] });
      };
      const remove = (id) => {
        const rest = get("things").filter((thing) => thing.id !== id);
        frame.set({ things: rest, held: rest.at(-1)?.id ?? null });
        (handle(rest.at(-1)?.id) ?? stage.svg).focus({ preventScroll: true });
      };
      const begin = (name) => {
        const { knob } = TASKS[name];
        const value = knob?.start ?? 0;
        const things = TASKS[name].scene(value, make);
        frame.set({ task: name, knob: value, things, held: things[0].id, best: null, look: null });
        if (CHALLENGES.includes(name)) frame.set({ score: 0.5, nms: 0.45 });
        verdict.textContent = ""; // until the detector has seen the new scene
        verdict.classList.remove("live-done");
      };

      // --- stage and controls ---
      const screen = html("div", { class: "live-screen" });
      frame.main.append(screen);
      const stage = frame.stage({ label: "The scene: things to move, and the boxes found", into: screen });
      stage.svg.classList.add("live-stage");
      stage.svg.setAttribute("tabindex", "-1"); // takes the focus once, when the figure appears
      const handle = (id) => stage.nodes.get(`handle ${id}`);
      stage.svg.addEventListener("focusin", (event) => {
        const id = event.target.closest("[data-thing]")?.dataset.thing;
        if (id) frame.set({ held: Number(id) });
      });
      stage.svg.addEventListener("keydown", (event) => {
        const id = event.target.closest("[data-thing]")?.dataset.thing;
        if (!id || event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key === "+" || event.key === "=") grow(Number(id), 1.1);
        else if (event.key === "-") grow(Number(id), 1 / 1.1);
        else return;
        event.preventDefault();
      });
      // A finger drags a thing in any direction; elsewhere, and on one that leaves little room
      // around it, `paper.js` lets it scroll the page.
      stage.svg.addEventListener(
        "touchstart",
        (event) => {
          const node = event.target.closest("[data-thing]");
          const large = node && (node.box[2] - node.box[0]) * (node.box[3] - node.box[1]) > 0.4;
          if (!node || large) return;
          stage.svg.dataset.swipe = "drags";
          event.preventDefault();
        },
        { passive: false },
      );

      const button = (words, action, attributes = {}) => {
        const node = html("button", { type: "button", ...attributes }, words);
        node.addEventListener("click", action);
        return node;
      };
      const tool = (words, label, action) =>
        button(words, () => action(get("held")), { "aria-label": label, title: label });
      const tools = html(
        "div",
        { class: "live-tools", role: "group", "aria-label": "The chosen thing" },
        html("output", { class: "live-held" }),
        tool("−", "smaller", (id) => grow(id, 1 / 1.1)),
        tool("+", "larger", (id) => grow(id, 1.1)),
        tool("To the front", "to the front", (id) => restack(id, true)),
        tool("To the back", "to the back", (id) => restack(id, false)),
        tool("Remove", "remove", remove),
      );
      const palette = html("div", { class: "live-palette", role: "group", "aria-label": "Add a thing" });
      for (const name of shapes.keys()) {
        const add = () => {
          const at = 0.3 + 0.08 * (get("things").length % 6);
          const thing = make(name, at, at, 0.24);
          frame.set({ things: [...get("things"), thing], held: thing.id, task: "" });
        };
        const label = { "aria-label": `add a ${name}`.replace("a airplane", "an airplane"), title: name };
        palette.append(button(icon(shapes.get(name), 26), add, label));
      }
      const pulse = html("p", { class: "live-pace" });
      const broken = html("p", { class: "live-broken", role: "alert", hidden: "" });
      const complain = (words) => Object.assign(broken, { textContent: words, hidden: !words });
      eyes.whenSilent?.(complain);
      frame.main.append(tools, palette);

      const choices = (legend, keys) => {
        const field = html("fieldset", { class: "ssd-choice" }, html("legend", {}, legend));
        const nodes = keys.map((name) => {
          const node = button(TASKS[name].label, () => begin(name));
          field.append(node);
          return [name, node];
        });
        frame.side.append(field);
        return nodes;
      };
      const starts = [...choices("Try", KNOBS), ...choices("Challenges", CHALLENGES)];
      const ofComposing = [tools, palette, ...starts.map(([, node]) => node.parentElement)];
      const task = html("p", { class: "live-task" });
      const verdict = html("p", { class: "live-verdict" });
      const knob = html("input", { type: "range", id: "live-knob" });
      const knobValue = html("output");
      const knobName = html("span");
      const knobLabel = html("label", { class: "ssd-control", for: "live-knob" }, knobName, " ", knobValue, knob);
      knob.addEventListener("input", () => {
        const value = Number(knob.value);
        const ids = get("things").map((thing) => thing.id);
        const made = TASKS[get("task")].scene(value, make);
        const things = made.map((thing, i) => ({ ...thing, id: ids[i] ?? thing.id }));
        frame.set({ knob: value, things });
      });
      ofComposing.push(html("div", { class: "live-card" }, task, knobLabel, verdict));
      frame.side.append(ofComposing.at(-1));
      frame.slider({ label: "NMS threshold, an IoU:", name: "nms", min: 0.05, max: 0.95, step: 0.05 });
      frame.slider({ label: "score above:", name: "score", min: 0.05, max: 0.95, step: 0.05 });
      const view = makeViews({ frame, stage, screen });
      frame.main.append(pulse, broken);

      // --- drawing ---
      const layers = new Map(); // of the things, by id

      /** The picture, in its own shape, or the things on sky and ground. */
      function drawPicture(picture) {
        const ratio = picture?.height / picture?.width || 1;
        if (stage.ratio !== ratio) {
          Object.assign(stage, { ratio, width: 0 });
          stage.svg.style.width = `${100 * Math.min(1, 1.3 / ratio)}%`; // high ones become narrow
          stage.measure();
        }
        if (picture) stage.picture(picture.url);
        stage.rimmed = false;
      }

      function drawThings(things) {
        const [x, y] = [stage.x(1), stage.y(1)];
        const { sky, ground, horizon } = drawn.background;
        stage.put("sky", "rect", { x: 0, y: 0, width: x, height: y, fill: sky });
        const top = stage.y(horizon);
        stage.put("ground", "rect", { x: 0, y: top, width: x, height: y - top, fill: ground });
        const layer = stage.put("things", "g", { class: "live-things" });
        for (const [id, node] of layers) {
          if (things.some((thing) => thing.id === id)) continue;
          node.remove();
          layers.delete(id);
        }
        things.forEach(({ id, name, box }, i) => {
          if (!layers.has(id)) layers.set(id, group(shapes.get(name)));
          const node = layers.get(id);
          if (layer.children[i] !== node) layer.insertBefore(node, layer.children[i] ?? null);
          const [left, up, right, down] = stage.px(box);
          const scale = `scale(${(right - left) / 1000} ${(down - up) / 1000})`;
          node.setAttribute("transform", `translate(${left} ${up}) ${scale}`);
        });
        stage.put("rim", "rect", { x: 0, y: 0, width: x, height: y, class: "ssd-edge" });
      }

      function drawHandles(things) {
        const holds = document.activeElement;
        for (const { id, name, box } of things) {
          const held = id === get("held");
          const half = [(box[2] - box[0]) / 2, (box[3] - box[1]) / 2];
          const node = stage.handleBox(`handle ${id}`, box, {
            label: `${name}, ${place_of(box)}; plus and minus scale it`,
            set: (to) => change(id, to.map((edge) => Number(edge.toFixed(4)))),
            remove: () => remove(id),
            attributes: { stroke: held ? INK : "none", "stroke-width": 1.2, "stroke-dasharray": "4 3" },
            bounds: [-half[0], -half[1], 1 + half[0], 1 + half[1]],
          });
          node.dataset.thing = id;
          node.classList.toggle("live-is-held", held);
        }
        const nodes = things.map(({ id }) => handle(id));
        const there = [...stage.svg.children].filter((node) => node.dataset.thing);
        if (nodes.some((node, i) => node !== there[i])) {
          stage.svg.append(...nodes);
          if (nodes.includes(holds)) holds.focus({ preventScroll: true });
        }
      }

      return function draw() {
        shown.follow();
        const { detector, picture, truth } = shown.now();
        const composing = picture === null;
        const things = composing ? get("things") : [];
        ({ names, preset } = detector);
        ask();
        drawPicture(picture);
        if (composing) drawThings(things);
        else layers.clear();
        let found = null;
        if (raw?.detector === detector && raw.picture === picture) {
          const { candidates, kept } = processed();
          found = kept.map((k) => ({ ...candidates[k], name: names[candidates[k].label - 1], k }));
        }
        const truths = composing ? raw?.things : truth;
        const answer = found && { raw, result, found, truth: truths, names, preset, views: scenes.views[detector.model] };
        const said = view(answer) ?? "The detector is looking.";
        if (found) judge(found);
        drawHandles(things);
        showControls(things, composing);
        const done = verdict.classList.contains("live-done");
        const what = composing ? countThings(things.length) : pictureWords(picture, truth, found);
        const told = picture === undefined ? "No picture yet." : `${what}. ${said}`;
        frame.say(told, done ? verdict.textContent : "");
      };

      // --- words ---
      function place_of(box) {
        const [x, y] = [(box[0] + box[2]) / 2, (box[1] + box[3]) / 2].map((at) => Math.round(at * SIDE));
        const [w, h] = [box[2] - box[0], box[3] - box[1]].map((side) => Math.round(side * SIDE));
        return `centre ${x}, ${y}, ${w} by ${h} px`;
      }

      function countThings(n) {
        return n === 1 ? "1 thing" : `${n} things`;
      }

      function pictureWords(picture, truth, found) {
        if (!truth) return picture?.name;
        const right = truth.filter((thing) => found && foundFor(thing, found)).length;
        return found ? `${countThings(truth.length)}, ${right} of them found` : countThings(truth.length);
      }

      function showControls(things, composing) {
        for (const node of ofComposing) node.hidden = !composing;
        const held = things.find((thing) => thing.id === get("held"));
        const [output, ...buttons] = tools.children;
        const size = held && [held.box[2] - held.box[0], held.box[3] - held.box[1]].map((side) => Math.round(side * SIDE));
        output.textContent = held ? `${held.name}, ${size[0]} × ${size[1]} px` : "Choose a thing";
        for (const node of buttons) node.disabled = !held;
        for (const node of palette.children) node.disabled = things.length >= MOST;
        for (const [name, node] of starts) node.setAttribute("aria-pressed", name === get("task"));
        const now = TASKS[get("task")];
        task.textContent = now
          ? now.words
          : "Drag a thing, pull its corners, add others: the detector looks at every change. Keys: arrows move, with shift they stretch, + and − scale.";
        knobLabel.hidden = !now?.knob;
        if (now?.knob) {
          const { label, min, max, step, show } = now.knob;
          Object.assign(knob, { min, max, step, value: get("knob") });
          knobName.textContent = label;
          knobValue.textContent = show(get("knob"));
          knob.setAttribute("aria-valuetext", knobValue.textContent);
        }
        if (!now?.judge) {
          verdict.textContent = "";
          verdict.classList.remove("live-done");
        }
        const usual = [...pace].sort((a, b) => a - b)[pace.length >> 1];
        pulse.textContent = pace.length ? `${Math.round(usual)} ms per answer, ${eyes.where}` : "";
      }

      function judge(found) {
        const now = TASKS[get("task")];
        if (!now?.judge || raw.picture) return;
        const here = new Set(get("things").map(({ id }) => id));
        if (raw.things.some(({ id }) => !here.has(id))) return; // the answer is about the scene before
        const things = raw.things.map((thing) => ({ ...thing, aspect: shapes.get(thing.name).aspect }));
        const sliders = { score: get("score"), nms: get("nms") };
        const inSight = (thing) => measure.inSight(things, thing);
        const { done, words, best } = now.judge({ things, found, sliders, inSight, best: get("best") });
        if (best !== undefined) frame.set({ best });
        const said = done ? `✓ ${words}` : words;
        if (verdict.textContent !== said) verdict.textContent = said;
        verdict.classList.toggle("live-done", Boolean(done));
      }
    },
  });
