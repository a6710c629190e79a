"""Tables as text, for a terminal and for Markdown alike."""

from collections.abc import Sequence

Cell = str | int | float | None


def table(headings: Sequence[str], rows: Sequence[Sequence[Cell]]) -> str:
    """A Markdown table whose columns also stand under each other in a terminal.

    Numbers stand to the right; a cell that is None stays empty.
    """
    texts = [[_text(cell) for cell in row] for row in rows]
    right = [
        bool(rows) and all(isinstance(row[at], int | float | None) for row in rows)
        for at in range(len(headings))
    ]
    widths = [
        max(3, len(heading), *(len(row[at]) for row in texts)) if texts else max(3, len(heading))
        for at, heading in enumerate(headings)
    ]
    rule = [
        ("-" * (width - 1) + ":") if r else "-" * width
        for width, r in zip(widths, right, strict=True)
    ]
    return "\n".join(_line(cells, widths, right) for cells in [list(headings), rule, *texts])


def percent(share: float | None, digits: int = 1) -> str:
    """`0.1234` as `12.3 %`; a dash for None."""
    return "–" if share is None else f"{100 * share:.{digits}f} %"


def _text(cell: Cell) -> str:
    if cell is None:
        return ""
    return f"{cell:.2f}" if isinstance(cell, float) else str(cell)


def _line(cells: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    aligned = [
        cell.rjust(width) if r else cell.ljust(width)
        for cell, width, r in zip(cells, widths, right, strict=True)
    ]
    return f"| {' | '.join(aligned)} |"
