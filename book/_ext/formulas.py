"""Sphinx extension: formulas are typeset when the book is built, as MathML.

Browsers draw MathML, and screen readers read it, without a script. math-core translates the TeX;
the font is `_static/fonts/math.woff2`, which only pages with formulas load, and there
`_static/formulas.js` copies a formula as TeX.

Whatever math-core cannot typeset causes a warning with file and line, which `-W` makes an error. So
does what it would typeset otherwise than TeX: lines outside an environment, which it joins, and
environments that number their lines, since the book's numbers are Sphinx's.
"""

import re
import zlib
from html import escape
from pathlib import Path

from docutils import nodes
from math_core import LatexError, LatexToMathML
from sphinx.util import logging
from sphinx.util.math import get_node_equation_number

logger = logging.getLogger(__name__)

CONVERTER = LatexToMathML(fancy_error=False)
NUMBERED = re.compile(r"\\begin\{((?:align|alignat|equation|eqnarray|gather|multline)\b)\}")
WORD = re.compile(r"<mtext>(\w{2,})</mtext>")
LINES = re.compile(r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", re.DOTALL)


def typeset(tex: str, display: bool) -> str:
    """Return a formula as MathML, whose `alttext` is its TeX.

    Raises:
        ValueError: it cannot be typeset as TeX would.
    """
    if numbered := NUMBERED.search(tex):
        raise ValueError(f"{numbered[1]} numbers its lines: use aligned, and a label for the block")
    if r"\\" in LINES.sub("", tex):
        raise ValueError(r"\\ outside an environment: use aligned")
    try:
        mathml = CONVERTER.convert_with_local_state(tex, displaystyle=display)
    except LatexError as error:
        place, _, what = str(error).partition(": ")
        raise ValueError(f"{what.rstrip('.')} at {tex[int(place) :][:20]!r}") from None
    mathml = WORD.sub(r"<mi>\1</mi>", mathml)  # next to text, an operator has no space
    return mathml.replace("<math", f'<math alttext="{escape(" ".join(tex.split()))}"', 1)


def typeset_node(node: nodes.Element, display: bool) -> str:
    """Return the MathML of a formula's node; warn if there is none."""
    tex = node.astext()
    try:
        return typeset(tex, display)
    except ValueError as error:
        place = node
        while place.line is None and place.parent is not None:  # what is in a line has none itself
            place = place.parent
        logger.warning("formula %r: %s", tex, error, location=place)
        return f"<code>{escape(tex)}</code>"


def visit_inline(self, node: nodes.math) -> None:
    self.body.append(self.starttag(node, "span", "", CLASS="math notranslate nohighlight"))
    self.body.append(typeset_node(node, display=False) + "</span>")
    raise nodes.SkipNode


def visit_display(self, node: nodes.math_block) -> None:
    self.body.append(self.starttag(node, "div", CLASS="math notranslate nohighlight"))
    self.body.append(f"<div>{typeset_node(node, display=True)}</div>")  # which scrolls
    if node["number"]:
        self.body.append(f'<span class="eqno">({get_node_equation_number(self, node)})')
        self.add_permalink_ref(node, "Link to this equation")
        self.body.append("</span>")
    self.body.append("</div>\n")
    raise nodes.SkipNode


def hold_together(app, doctree, docname):
    """Put formulas into one box with the punctuation that touches them.

    A browser may break a line on either side of a formula, before a comma, too.
    """
    for formula in list(doctree.findall(nodes.math)):
        parent, place = formula.parent, formula.parent.index(formula)
        box = nodes.inline("", "", formula.deepcopy(), classes=["unbroken"])
        for step, touching in ((-1, r"\S+$"), (1, r"^\S+")):
            beside = place + step
            text = parent[beside] if 0 <= beside < len(parent) else None
            if isinstance(text, nodes.Text) and (found := re.search(touching, text)):
                box.insert(0 if step < 0 else len(box), nodes.Text(found[0]))
                parent[beside] = nodes.Text(re.sub(touching, "", text))
        if len(box) > 1:
            parent[place] = box


def load_with_formulas(app, pagename, templatename, context, doctree):
    """Ask for font and script where there are formulas."""
    context["has_formulas"] = "<math " in context.get("body", "")
    if context["has_formulas"]:
        app.add_js_file("formulas.js", loading_method="defer")


def setup(app):
    app.add_html_math_renderer("mathml", (visit_inline, None), (visit_display, None))
    app.connect("doctree-resolved", hold_together)
    app.connect("html-page-context", load_with_formulas)
    return {
        "version": "1",
        "env_version": zlib.crc32(Path(__file__).read_bytes()),
        "parallel_read_safe": True,
        "parallel_write_safe": True,
    }
