// The book's search: a dialog that lists sections, figures, exercises and glossary entries as one
// types. `book_search.py` writes the index, a script that is loaded when the dialog opens; on
// search.html, the same list is on the page, and the script comes with the first letter.
(() => {
  const KINDS = { page: "Chapter", section: "Section", figure: "Figure", exercise: "Exercise", glossary: "Glossary" };
  const PREFER = { page: 6, glossary: 5, section: 3, figure: 1, exercise: 0 };
  const SHOWN = 12;

  const words = (text) => text.toLowerCase().match(/[\p{L}\p{N}_]+(?:\.\p{N}+)?/gu) ?? [];
  const stem = (word) => word.replace(/(ss|x|ch)es$/, "$1").replace(/([^s])s$/, "$1");
  const stems = (text) => words(text).map(stem);

  /** Prepare the index: the words of each entry, and the groups of words that mean the same. */
  function prepare(entries) {
    const prepared = entries.map((entry) => ({
      ...entry,
      titleWords: stems(entry.title),
      textWords: stems(entry.text),
    }));
    const groups = entries
      .filter((entry) => entry.also?.length)
      .map((entry) => [entry.title, ...entry.also].map((name) => stems(name).join(" ")));
    return { entries: prepared, groups };
  }

  /** Return the query as lists of words: as it was typed, and with each other word for the same. */
  function readings(query, groups) {
    const typed = stems(query).join(" ");
    const found = new Set([typed]);
    for (const group of groups) {
      for (const name of group) {
        if (!` ${typed} `.includes(` ${name} `)) continue;
        for (const other of group) found.add(` ${typed} `.replace(` ${name} `, ` ${other} `).trim());
      }
    }
    return [...found].map((reading) => reading.split(" ").filter(Boolean));
  }

  function score(entry, reading) {
    let total = PREFER[entry.kind];
    for (const [index, word] of reading.entries()) {
      const last = index === reading.length - 1; // may still be being typed
      const fits = (other) => other === word || (last && word.length > 1 && other.startsWith(word));
      const whole = entry.titleWords.includes(word);
      const inTitle = whole || entry.titleWords.some(fits);
      const times = inTitle ? 0 : entry.textWords.filter(fits).length;
      if (!inTitle && !times) return 0;
      total += whole ? 12 : inTitle ? 8 : 2 + Math.min(times, 3);
    }
    const phrase = ` ${reading.join(" ")}`;
    if (entry.titleWords.join(" ") === phrase.trim()) total += 20;
    else if (` ${entry.titleWords.join(" ")}`.includes(phrase)) total += 6;
    else if (` ${entry.textWords.join(" ")}`.includes(phrase)) total += 4;
    return total;
  }

  /** Return the entries that contain every word of the query, the best first. */
  function find({ entries, groups }, query) {
    const [typed, ...others] = readings(query, groups);
    if (!typed.length) return [];
    return entries
      .map((entry, order) => {
        const own = score(entry, typed);
        const best = Math.max(own, ...others.map((reading) => 0.8 * score(entry, reading)));
        return { entry, order, score: best };
      })
      .filter((found) => found.score > 0)
      .sort((a, b) => b.score - a.score || a.order - b.order)
      .map((found) => found.entry);
  }

  /** Return the part of a text around the query's first word, as [text, marked] pairs. */
  function excerpt(text, query, length = 150) {
    const wanted = stems(query);
    const pattern = /[\p{L}\p{N}_]+(?:\.\p{N}+)?/gu;
    const hits = [...text.matchAll(pattern)].filter((word) =>
      wanted.some((part) => stem(word[0].toLowerCase()).startsWith(part)),
    );
    const start = Math.max(0, (hits[0]?.index ?? 0) - length / 3);
    const from = start && text.indexOf(" ", start) + 1;
    const to = text.lastIndexOf(" ", from + length);
    const end = text.length <= from + length ? text.length : to;
    const parts = [[from ? "… " : "", false]];
    let at = from;
    for (const hit of hits) {
      if (hit.index < from || hit.index + hit[0].length > end) continue;
      parts.push([text.slice(at, hit.index), false], [hit[0], true]);
      at = hit.index + hit[0].length;
    }
    parts.push([text.slice(at, end) + (end < text.length ? " …" : ""), false]);
    return parts.filter(([part]) => part);
  }

  // --- the dialog -----------------------------------------------------------------------------------

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function start() {
    const root = new URL(document.documentElement.dataset.content_root ?? "./", location.href);
    let index = null;

    function load() {
      if (index) return index;
      index = new Promise((resolve, reject) => {
        const script = element("script", { src: new URL("_static/search-index.js", root).href });
        script.onload = () => resolve(prepare(window.bookSearchIndex));
        script.onerror = () => {
          index = null; // so that the next letter tries again
          reject(new Error("the search index could not be loaded"));
        };
        document.head.append(script);
      });
      return index;
    }

    /** Fill `place` with a field and the list below it. */
    function search(place, id) {
      const field = element("input", {
        ...{ type: "search", role: "combobox", "aria-expanded": "false", "aria-autocomplete": "list" },
        ...{ "aria-controls": `${id}-list`, "aria-label": "Search the book", autocomplete: "off" },
        ...{ placeholder: "Search: prior, 8732, exercise 8.2 …", spellcheck: "false" },
      });
      const list = element("div", { id: `${id}-list`, role: "listbox", "aria-label": "Results" });
      const status = element("p", { role: "status" });
      place.classList.add("book-search");
      place.replaceChildren(field, status, list);
      let chosen = -1;

      function choose(number) {
        const options = [...list.children];
        chosen = options.length ? (number + options.length) % options.length : -1;
        options.forEach((option, at) => option.setAttribute("aria-selected", String(at === chosen)));
        if (chosen < 0) return field.removeAttribute("aria-activedescendant");
        field.setAttribute("aria-activedescendant", options[chosen].id);
        options[chosen].scrollIntoView({ block: "nearest" });
      }

      function option({ kind, title, url, text }, at, query) {
        const page = url.split("#")[0];
        const chapter = kind === "page" || kind === "glossary" ? "" : titles.get(page);
        const marked = excerpt(text, query).map(([part, hit]) =>
          hit ? element("mark", {}, part) : part,
        );
        const link = element("a", {
        ...{ role: "option", id: `${id}-${at}`, "aria-selected": "false", tabindex: "-1" },
        href: new URL(url, root).href,
      });
      link.append(
          element("span", { class: "kind" }, KINDS[kind] + (chapter ? ` · ${chapter}` : "")),
          element("strong", {}, title),
          element("span", { class: "excerpt" }, ...marked),
        );
        return link;
      }

      const titles = new Map();
      async function show() {
        const query = field.value.trim();
        let found = [];
        try {
          const loaded = await load();
          if (query !== field.value.trim()) return; // typed on while the index came
          if (!titles.size)
            for (const { kind, url, title } of loaded.entries) if (kind === "page") titles.set(url, title);
          found = find(loaded, query);
          status.textContent = !query ? "" : found.length ? count(found.length) : nothing(query);
        } catch (error) {
          status.textContent = `${error.message}. Reload the page to try again.`;
        }
        list.replaceChildren(...found.slice(0, SHOWN).map((entry, at) => option(entry, at, query)));
        field.setAttribute("aria-expanded", String(found.length > 0));
        choose(found.length ? 0 : -1);
      }
      const count = (n) => `${n} result${n === 1 ? "" : "s"}${n > SHOWN ? `, the best ${SHOWN} of them` : ""}`;
      const nothing = (query) => `Nothing in the book contains “${query}”. Try one word of it.`;

      field.addEventListener("input", show);
      field.addEventListener("keydown", (event) => {
        if (event.key === "ArrowDown") choose(chosen + 1);
        else if (event.key === "ArrowUp") choose(chosen - 1);
        else if (event.key === "Enter") list.children[chosen]?.click();
        else return;
        event.preventDefault();
      });
      return { field, show };
    }

    const dialog = element("dialog", { class: "book-search-dialog", "aria-label": "Search" });
    const place = element("div");
    dialog.append(place);
    document.body.append(dialog);
    const inDialog = search(place, "search-dialog");
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog || event.target.closest("a")) dialog.close();
    });

    function open() {
      load().catch(() => {}); // said when something is typed
      dialog.showModal();
      inDialog.field.select();
    }
    const typing = (target) => target.closest("input, textarea, select, [contenteditable]");
    addEventListener("keydown", (event) => {
      const shortcut = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey);
      if (!shortcut && (event.key !== "/" || typing(event.target) || event.ctrlKey || event.altKey)) return;
      event.preventDefault();
      if (!dialog.open) open();
    });
    for (const button of document.querySelectorAll("[data-open-search], .search-button__button"))
      button.addEventListener("click", open);

    const onPage = document.querySelector("[data-search-page]");
    if (onPage) {
      const { field, show } = search(onPage, "search-page");
      field.value = new URLSearchParams(location.search).get("q") ?? "";
      field.focus();
      if (field.value.trim()) show();
    }
  }

  globalThis.bookSearch = { prepare, find, excerpt }; // for the tests
  if (typeof document !== "undefined") start(); // the script is deferred: the page is there
})();
