// The frame of a page: its colours, its sidebars, the list of its sections, its menu. The theme's own
// scripts do the same with Bootstrap, 100 KB, and measure a page dozens of times while it loads.
(() => {
  const root = document.documentElement;
  const all = (where) => [...document.querySelectorAll(where)];

  // --- light, dark, or what the system prefers (a script in the head sets it first) ---
  const dark = matchMedia("(prefers-color-scheme: dark)");
  function show(mode) {
    const theme = mode === "auto" ? (dark.matches ? "dark" : "light") : mode;
    Object.assign(root.dataset, { mode, theme });
    localStorage.setItem("mode", mode);
    localStorage.setItem("theme", theme);
  }
  show(["light", "dark"].includes(root.dataset.mode) ? root.dataset.mode : "auto");
  dark.addEventListener("change", () => show(root.dataset.mode));
  for (const button of all(".theme-switch-button")) {
    button.title = button.getAttribute("aria-label");
    button.addEventListener("click", () => {
      const modes = dark.matches ? ["auto", "light", "dark"] : ["auto", "dark", "light"];
      show(modes[(modes.indexOf(root.dataset.mode) + 1) % 3]);
    });
  }

  // --- sidebars: beside the text, or in a dialog where there is no room ---
  for (const side of ["primary", "secondary"]) {
    const bar = document.getElementById(`pst-${side}-sidebar`);
    const dialog = document.getElementById(`pst-${side}-sidebar-modal`);
    const button = document.querySelector(`.${side}-toggle`);
    if (!bar || !dialog || !button) continue;
    const move = (from, to) => {
      to.append(...from.childNodes);
      to.className = from.className;
      from.className = "";
    };
    button.addEventListener("click", () => {
      move(bar, dialog);
      dialog.showModal();
    });
    dialog.addEventListener("click", ({ target }) => {
      if (target === dialog || target.closest("a")) dialog.close();
    });
    // sphinx_highlight.js keeps Escape from closing it
    dialog.addEventListener("keydown", ({ key }) => key === "Escape" && dialog.close());
    dialog.addEventListener("close", () => {
      move(dialog, bar);
      button.focus();
    });
  }

  // the list of chapters shows where the reader was, or the chapter that is open
  const chapters = document.querySelector("div.bd-sidebar-primary");
  if (chapters && matchMedia("(min-width: 992px)").matches) {
    requestAnimationFrame(() => {
      const here = all(".bd-docs-nav .active").at(-1);
      const before = sessionStorage.getItem("sidebar-scroll-top");
      const below = here ? here.getBoundingClientRect().y - innerHeight / 2 : 0;
      if (before !== null) chapters.scrollTop = before;
      else if (below > 0) chapters.scrollTop += below; // scrollIntoView would scroll the page, too
    });
    addEventListener("pagehide", () => sessionStorage.setItem("sidebar-scroll-top", chapters.scrollTop));
  }

  // --- the section that is read is marked in the list of sections ---
  const links = new Map(); // by the heading
  for (const link of all("#pst-page-toc-nav a")) {
    const section = document.getElementById(decodeURIComponent(link.hash.slice(1)));
    if (section) links.set(section.querySelector("h1, h2, h3, h4") ?? section, link);
  }
  function mark(heading) {
    for (const [other, link] of links) {
      link.classList.toggle("active", other === heading);
      if (other === heading) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
    const entry = links.get(heading);
    for (const item of all("#pst-page-toc-nav .toc-entry")) item.classList.toggle("active", item.contains(entry));
  }
  const passed = new Set(); // headings above the last two thirds of the window, or above it
  const seen = new IntersectionObserver(
    (changes) => {
      for (const { isIntersecting, target } of changes) passed[isIntersecting ? "add" : "delete"](target);
      mark([...links.keys()].findLast((heading) => passed.has(heading)));
    },
    { rootMargin: "1000000px 0px -70% 0px" },
  );
  for (const heading of links.keys()) seen.observe(heading);

  // --- menus ---
  for (const button of all("[data-bs-toggle=dropdown]")) {
    const open = (yes) => {
      button.setAttribute("aria-expanded", yes);
      button.nextElementSibling.classList.toggle("show", yes);
    };
    const isOpen = () => button.getAttribute("aria-expanded") === "true";
    button.addEventListener("click", () => open(!isOpen()));
    addEventListener("click", (event) => button.contains(event.target) || open(false));
    addEventListener("keydown", (event) => {
      if (event.key !== "Escape" || !isOpen()) return;
      open(false);
      button.focus();
    });
  }

  // --- sections below the first screen get their layout when the first explorers answer ---
  async function layOut() {
    const idle = globalThis.requestIdleCallback ?? setTimeout; // Safari has none
    for (const section of all("html[data-unread] .bd-article > section > section ~ section")) {
      await new Promise((go) => idle(go));
      section.style.contentVisibility = "visible";
    }
    delete root.dataset.unread;
  }
  if (!document.querySelector(".explorer-place") || root.dataset.explorers) layOut();
  else document.addEventListener("explorers-started", layOut, { once: true });
})();
