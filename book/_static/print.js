// Before a page is printed it becomes light, and solutions and sources open; code that only sets up
// or draws stays folded, and `book.css` hides it. Afterwards all is as it was.
(() => {
  const HIDDEN = "div.cell:is(.tag_hide-input, .tag_hide-cell):not(.tag_solution) details.hide";
  let theme = null;
  let opened = [];

  addEventListener("beforeprint", () => {
    theme = document.documentElement.dataset.theme;
    document.documentElement.dataset.theme = "light";
    opened = [...document.querySelectorAll("article.bd-article details:not([open])")];
    opened = opened.filter((fold) => !fold.matches(HIDDEN));
    for (const fold of opened) fold.open = true;
  });
  addEventListener("afterprint", () => {
    document.documentElement.dataset.theme = theme;
    for (const fold of opened) fold.open = false;
  });
})();
