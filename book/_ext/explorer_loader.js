// Starts a page's explorers: no kernel, no module loader, nothing from another origin.
//
// live_explorers.py writes the call of this function into _static/explorers.js, with the class of
// page_model.js, the sources of the modules that the page loaded and, for each explorer, the names of
// those that make it up. The page contains:
//   #explorer-states   JSON: models (state, buffers), the model of each place, shared values
//   #explorer-0, -1 …  the places, each around the picture that is shown until the explorer starts
(Model, sources, parts) => {
  const modules = {}; // what those that were needed export
  const FAILED = "This figure could not start in your browser; the picture shows its initial state. ";

  /** Put the shared parts of a value back where they belong. */
  function unpacked(value, shared) {
    if (Array.isArray(value)) return value.map((part) => unpacked(part, shared));
    if (value === null || typeof value !== "object") return value;
    if ("$shared" in value) return unpacked(shared[value.$shared], shared);
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, unpacked(v, shared)]));
  }

  /** Return what the module of an explorer exports; the page's first one is there at once. */
  function load(name) {
    if (!parts[name]) throw new Error(`explorers.js contains no explorer called ${name}`);
    if (!sources[name]) throw new Error(`explorer-${name}.js did not arrive`);
    const text = parts[name].map((part) => sources[part]).join("\n");
    const body = text.replace(/^export default /m, "const exported = ");
    return new Function(`"use strict";\n${body}\nreturn exported;\n//# sourceURL=explorer-${name}`)();
  }

  /** Wait until the browser has nothing more urgent to do, such as to answer a key. */
  async function idle() {
    await new Promise((go) => setTimeout(go));
    if (globalThis.requestIdleCallback) await new Promise((go) => requestIdleCallback(go, { timeout: 1000 }));
  }

  /** Replace an explorer's picture by the explorer; restore the picture if that fails. */
  async function enliven(place, model) {
    const picture = [...place.childNodes];
    try {
      const name = model.get("module");
      const explorer = (modules[name] ??= load(name));
      const el = document.createElement("div");
      place.replaceChildren(el);
      await explorer.render({ model, el });
      place.dataset.state = "alive";
      place.explorer = model; // for explorer_actions.js
    } catch (error) {
      console.error(`explorer ${model.get("module")}:`, error);
      place.replaceChildren(...picture);
      giveUp(place);
    }
  }

  /** Say so, and offer what helps if a script got lost on its way, or came from another build of the
   *  book than the page did: both arrive again. */
  function giveUp(place) {
    const words = Object.assign(document.createElement("p"), { className: "explorer-failed" });
    const again = Object.assign(document.createElement("button"), { textContent: "Try again" });
    again.addEventListener("click", () => location.reload());
    words.append(FAILED, again);
    place.append(words);
    place.dataset.state = "failed";
  }

  async function start() {
    const page = JSON.parse(document.getElementById("explorer-states").textContent);
    const models = [];
    for (const [number, index] of page.views.entries()) {
      const model = (models[index] ??= new Model(unpacked(page.models[index], page.shared)));
      await enliven(document.getElementById(`explorer-${number}`), model);
      await idle(); // so that this one is drawn, and answers, first
    }
  }

  start()
    .catch((error) => {
      console.error("explorers:", error);
      document.querySelectorAll(".explorer-place:not([data-state])").forEach(giveUp);
    })
    .finally(() => {
      document.documentElement.dataset.explorers = "started";
      document.dispatchEvent(new Event("explorers-started"));
    });
};
