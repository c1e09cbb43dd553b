// Offers the live detector of a page. Nothing of it is loaded before the reader asks for it.
//
// A classic script: browsers load no modules from a folder, and there this one says why.
(() => {
  const WASM =
    "This browser, or a rule of this site, refuses WebAssembly, which the detector needs. The picture shows its first answer.";
  const FOLDER =
    "This figure needs a server, and the page was opened from a folder: run make serve, and open the address that it prints.";
  const ABSENT =
    "This copy of the book was built without npm, so the detector is not in it: make book puts it there once npm is installed.";

  function html(tag, attributes = {}, ...children) {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
    node.append(...children);
    return node;
  }
  const megabytes = (bytes) => (bytes / 1e6).toFixed(1);

  function offer(place) {
    const words = html("p", { class: "live-words", role: "status" });
    const panel = html("div", { class: "live-offer" });
    place.append(panel);
    if (!place.dataset.files) return panel.replaceChildren(html("p", { class: "live-words" }, ABSENT));
    if (location.protocol === "file:") return panel.replaceChildren(html("p", { class: "live-words" }, FOLDER));

    const base = new URL(place.dataset.base, document.baseURI);
    const files = JSON.parse(place.dataset.files);
    const all = Object.values(files).reduce((sum, bytes) => sum + bytes, 0);
    const button = html("button", { type: "button", class: "live-start" }, "Start the detector");
    const size = `It loads ${megabytes(place.dataset.packed)} MB, or ${megabytes(all)} from a server that compresses nothing, and runs in this page: nothing is installed, and no picture leaves it.`;
    const bar = html("progress", { max: all, value: 0, "aria-label": "loaded so far" });
    panel.append(button, words);
    words.textContent = size;

    button.addEventListener("click", async () => {
      button.disabled = true;
      panel.dataset.state = "loading";
      button.after(bar);
      bar.value = 0;
      words.textContent = "Loading …";
      let shown = 0; // tenths of MB: a screen reader need not hear each
      const loaded = (bytes) => {
        if (panel.dataset.state !== "loading") return; // it has failed; this was on its way
        bar.value = bytes;
        if (shown === (shown = Math.floor((10 * bytes) / all))) return;
        words.textContent = `${megabytes(bytes)} of ${megabytes(all)} MB`;
      };
      try {
        const { start } = await import(new URL("page.js", base)).catch(() => {
          throw new Error("page.js, or a file that it needs, did not arrive. Reload the page to try again.");
        });
        await start(place, { base, files, loaded, say: (text) => (words.textContent = text) });
      } catch (error) {
        console.warn("live detector:", error);
        bar.remove();
        button.disabled = false;
        button.textContent = "Try again";
        panel.dataset.state = "failed";
        words.textContent = error.message === "wasm" ? WASM : `The detector could not start: ${error.message}`;
      }
    });
  }

  document.querySelectorAll(".live-place").forEach(offer);
})();
