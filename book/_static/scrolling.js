// An element that scrolls sideways has a name and a place in the focus order while it does, and
// neither otherwise. That can wait until the page is there. Explorers have their own `scrollable`, in ui.js.
addEventListener("load", () => {
  const KINDS = {
    Output: "div.cell_output pre",
    Code: "pre:not(div.cell_output pre)",
    Formula: "div.math > div",
    Table: "div.cell_output div.text_html, .pst-scrollable-table-container",
  };
  const names = new Map(); // of each box that can scroll, such as "Code 3"
  for (const [kind, where] of Object.entries(KINDS)) {
    const boxes = document.querySelectorAll(`article.bd-article :is(${where})`);
    boxes.forEach((box, index) => names.set(box, `${kind} ${index + 1}`));
  }

  function follow(box, scrolls) {
    if (scrolls) {
      box.setAttribute("aria-label", names.get(box));
      box.setAttribute("role", "region");
      box.tabIndex = 0;
    } else if (box.hasAttribute("aria-label")) {
      for (const name of ["aria-label", "role", "tabindex"]) box.removeAttribute(name);
    }
  }

  const sizes = new ResizeObserver((changes) => {
    const boxes = new Set(changes.map(({ target }) => (names.has(target) ? target : target.parentElement)));
    const scrolls = [...boxes].map((box) => [box, box.scrollWidth > box.clientWidth]); // all, then write
    for (const [box, yes] of scrolls) follow(box, yes);
  });
  for (const box of names.keys()) {
    sizes.observe(box);
    // a formula or a table can grow in its box; words of code are inline, and have no size to observe
    if (!box.matches("pre")) for (const child of box.children) sizes.observe(child);
  }
});
