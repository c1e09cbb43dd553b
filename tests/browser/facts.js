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
  // What scrolls sideways needs a place in the focus order, its own or that of something inside,
  // and where it is its own, a name; what does not scroll needs neither.
  const FOCUSABLE = "a[href], button, input, select, summary, textarea, [tabindex='0']";
  const boxes = [...article.querySelectorAll("*")].filter(
    (e) => !(e instanceof SVGElement) && e.checkVisibility(),
  );
  const scrolling = boxes.filter(
    (e) =>
      /(auto|scroll)/.test(getComputedStyle(e).overflowX) &&
      e.scrollWidth > e.clientWidth + 1,
  );
  const reached = (e) =>
    e.tabIndex === 0 ? e.ariaLabel : e.querySelector(FOCUSABLE);
  const regions = boxes.filter((e) => e.role === "region" && e.tabIndex === 0);
  const name = (e) => e.tagName.toLowerCase() + (e.className ? "." + e.className : "");
  const texts = document.createTreeWalker(article, NodeFilter.SHOW_TEXT);
  const raw = [];
  const letters = {}; // of each font
  while (texts.nextNode()) {
    const style = getComputedStyle(texts.currentNode.parentElement);
    const family = style.fontFamily.split(",")[0].replaceAll('"', "");
    if (family.startsWith("Book") && texts.currentNode.parentElement.checkVisibility())
      letters[family] = [...new Set((letters[family] ?? "") + texts.currentNode.data.replaceAll(/\s/g, ""))].join("");
    const inCode = texts.currentNode.parentElement.closest("code, pre, script");
    if (!inCode && /\\\(|\\\[|\$\$/.test(texts.currentNode.data)) raw.push(texts.currentNode.data);
  }
  return {
    scrollWidth: document.documentElement.scrollWidth,
    innerWidth,
    wide: wide.map(name).slice(0, 5),
    unreached: scrolling.filter((e) => !reached(e)).map(name),
    idle: regions.filter((e) => e.scrollWidth <= e.clientWidth).map(name),
    letters,
    rawMath: raw,
    undrawn: [...document.querySelectorAll(".math")]
      .filter((m) => !m.querySelector("math")?.getBoundingClientRect().width)
      .filter((m) => m.checkVisibility())
      .map((m) => m.textContent),
    mathWithoutFont: document.querySelector("math") ? !document.fonts.check("16px 'Book Math'") : false,
    images: [...document.images].map((i) => ({
      src: i.getAttribute("src"),
      alt: i.alt.trim(),
      drawn: i.complete && i.naturalWidth > 0,
    })),
    theme: document.documentElement.dataset.theme,
    background: getComputedStyle(document.body).backgroundColor,
  };
}
