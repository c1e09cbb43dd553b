/** The part of an anywidget model that an ES module may use; on a page there is no kernel to notify. */
export class Model {
  #handlers = [];
  #state;

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
}
