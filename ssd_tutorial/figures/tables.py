"""Tables for a page, a phone and a terminal."""

from collections.abc import Sequence
from html import escape


class Table:
    """Rows of cells under a header; a notebook shows it as HTML that follows the page's theme.

    Columns of numbers are aligned right, others left. Cells are text: round a number before passing
    it, so that every machine shows the same text.

    Raises:
        ValueError: a row is longer or shorter than the header.
    """

    def __init__(self, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        self.header = [str(cell) for cell in header]
        self.rows = [[str(cell) for cell in row] for row in rows]
        for number, row in enumerate(self.rows):
            if len(row) != len(self.header):
                raise ValueError(
                    f"row {number} has {len(row)} cells, the header has {len(self.header)}"
                )
        self._right = [
            bool(self.rows) and all(_is_number(row[i]) for row in self.rows)
            for i in range(len(self.header))
        ]

    def _repr_html_(self) -> str:
        aligned = [' style="text-align: right"' if right else "" for right in self._right]

        def line(cells: list[str], tag: str) -> str:
            pairs = zip(aligned, map(escape, cells), strict=True)
            return f"<tr>{''.join(f'<{tag}{how}>{cell}</{tag}>' for how, cell in pairs)}</tr>"

        head, body = line(self.header, "th"), "\n".join(line(row, "td") for row in self.rows)
        return f"<table>\n<thead>{head}</thead>\n<tbody>\n{body}\n</tbody>\n</table>"

    def __repr__(self) -> str:
        grid = [self.header, *self.rows]
        widths = [max(map(len, column)) for column in zip(*grid, strict=True)]
        return "\n".join(
            "  ".join(
                cell.rjust(width) if right else cell.ljust(width)
                for cell, width, right in zip(row, widths, self._right, strict=True)
            ).rstrip()
            for row in grid
        )


def _is_number(cell: str) -> bool:
    text = cell.replace(" ", "").replace("\N{NO-BREAK SPACE}", "").rstrip("%")
    try:
        float(text.replace("−", "-").replace("–", "-"))
    except ValueError:
        return text in ("", "-", "–")
    return True
