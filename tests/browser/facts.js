// What a test wants to know of a page, gathered in the page.
() => {
  const article = document.querySelector("article") ?? document.body;
  const scrolls = (e) => {
    for (; e && e !== article; e = e.parentElement)
      if (/(auto|scroll|hidden|clip)/.test(getComputedStyle(e).overflowX)) return true;
    return false;
  };
  const wide = [...article.querySelectorAll("*")].filter((e) => {
    const box = e.getBoundingClientRect();
    return box.width > 0 && box.right > innerWidth + 1 && !scrolls(e.parentElement);
  });
  const name = (e) => e.tagName.toLowerCase() + (e.className ? "." + e.className : "");
  const texts = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  const raw = [];
  while (texts.nextNode()) {
    const inCode = texts.currentNode.parentElement.closest("code, pre, script, mjx-container");
    if (!inCode && /\\\(|\\\[|\$\$/.test(texts.currentNode.data)) raw.push(texts.currentNode.data);
  }
  return {
    scrollWidth: document.documentElement.scrollWidth,
    innerWidth,
    wide: wide.map(name).slice(0, 5),
    rawMath: raw,
    undrawn: [...document.querySelectorAll(".math")]
      .filter((m) => !m.querySelector("mjx-container"))
      .map((m) => m.textContent),
    mathErrors: [...document.querySelectorAll("mjx-merror, [data-mjx-error]")]
      .map((m) => m.textContent),
    images: [...document.images].map((i) => ({
      src: i.getAttribute("src"),
      alt: i.alt.trim(),
      drawn: i.complete && i.naturalWidth > 0,
    })),
    theme: document.documentElement.dataset.theme,
    background: getComputedStyle(document.body).backgroundColor,
  };
}
