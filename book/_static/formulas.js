// Whoever copies text with formulas gets their TeX, which is the `alttext` of the page's MathML,
// between the dollar signs of Markdown. Half a formula is copied as the whole.
addEventListener("copy", (event) => {
  const selection = getSelection();
  if (selection.isCollapsed) return;
  const range = selection.getRangeAt(0).cloneRange();
  const formulaOf = (node) => (node.closest ? node : node.parentElement).closest("math");
  const [first, last] = [range.startContainer, range.endContainer].map(formulaOf);
  if (first) range.setStartBefore(first);
  if (last) range.setEndAfter(last);
  const copied = range.cloneContents();
  const formulas = copied.querySelectorAll("math");
  if (!formulas.length) return;
  for (const formula of formulas) {
    const tex = formula.getAttribute("alttext");
    formula.replaceWith(formula.getAttribute("display") === "block" ? `\n$$\n${tex}\n$$\n` : `$${tex}$`);
  }
  for (const sign of copied.querySelectorAll(".headerlink")) sign.remove();
  event.clipboardData.setData("text/plain", copied.textContent);
  event.preventDefault();
});
