/** The part of an anywidget model that an ES module may use; on a page there is no kernel to notify. */
export class Model {
  #handlers = [];
  #state;
  #first = {}; // values that traits had before they changed

  constructor({ state, buffers = [] }) {
    this.#state = state;
    for (const { path, data } of buffers) {
      const holder = path.slice(0, -1).reduce((part, key) => part[key], state);
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      holder[path.at(-1)] = new DataView(bytes.buffer); // as in JupyterLab
    }
  }

  get(name) {
    return this.#state[name];
  }

  set(name, value) {
    if (JSON.stringify(this.#state[name]) === JSON.stringify(value)) return;
    if (!(name in this.#first)) this.#first[name] = this.#state[name];
    this.#state[name] = value;
    for (const [event, handler] of [...this.#handlers]) {
      if (event === `change:${name}`) handler(this, value);
    }
  }

  on(event, handler) {
    this.#handlers.push([event, handler]);
  }

  off(event, handler) {
    this.#handlers = this.#handlers.filter(([e, h]) => e !== event || h !== handler);
  }

  save_changes() {}

  /** Whether the explorer draws itself again when a trait changes. */
  follows(name) {
    return this.#handlers.some(([event]) => event === `change:${name}`);
  }

  /** What differs from the state that the page began with, {name: value}. */
  changes() {
    const differs = ([name, value]) => JSON.stringify(value) !== JSON.stringify(this.#state[name]);
    const names = Object.entries(this.#first).filter(differs);
    return Object.fromEntries(names.map(([name]) => [name, this.#state[name]]));
  }
}
