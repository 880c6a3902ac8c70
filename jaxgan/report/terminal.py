"""Tables on a terminal, or where its output is sent to."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterable, Sequence

from jaxgan.common.files import printable

_WIDTH = 120  # of output that goes elsewhere
_MEANING = 20  # characters at least in a line of a meaning
_WIDE = 110  # characters in a line that hold the meaning of a score as well


def print_table(
    names: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: Collection[int] = ()
) -> None:
    """Prints a table to stdout.

    Args:
      names: of the columns. One named "meaning" is wrapped, and left out on a narrow terminal.
      rows: their cells.
      numbers: positions of the columns that are aligned to the right.
    """
    from rich.cells import cell_len
    from rich.console import Console
    from rich.table import Table

    width = None if sys.stdout.isatty() else _WIDTH
    console = Console(highlight=False, soft_wrap=True, markup=False, width=width)
    shown = [i for i, name in enumerate(names) if name != "meaning" or console.width >= _WIDE]
    table = Table(box=None, pad_edge=False, header_style="bold")
    for i in shown:
        justify = "right" if i in numbers else "left"
        table.add_column(names[i], justify=justify, no_wrap=names[i] != "meaning")
    cells = [[printable(row[i]) for i in shown] for row in rows]  # of strangers' files, too
    for row in cells:
        table.add_row(*row)
    widths = [max(map(cell_len, column)) for column in zip([names[i] for i in shown], *cells, strict=True)]
    needed = sum(width if names[i] != "meaning" else _MEANING for i, width in zip(shown, widths, strict=True))
    console.width = max(
        console.width, needed + 2 * len(shown)
    )  # half a number says nothing: lines may be long
    console.print(table)
