"""HTML pages that need nothing but a browser: one page, one table, and text that is escaped by itself."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape

_STYLE = """
:root{color-scheme:light}body{font:15px/1.5 system-ui,sans-serif;max-width:1120px;margin:2rem auto;padding:0 1rem;
color:#1e293b;background:#fff}h1{font-size:1.6rem;margin:0}h2{font-size:1.2rem;margin:2.4rem 0 .6rem;
border-bottom:1px solid #e2e8f0}h3{font-size:1rem;margin:1.6rem 0 .4rem}p.lead{color:#475569;margin:.3rem 0 1rem}
a{color:#1d4ed8}.bad{color:#b91c1c}small,.note{color:#64748b;font-size:.88em}li{margin:.2rem 0}details{margin:.4rem 0}
.wide{overflow-x:auto}table{border-collapse:collapse;width:100%;font-size:.92em;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.3rem .8rem .3rem 0;border-bottom:1px solid #eef2f6}
th{vertical-align:bottom;color:#475569}td.n,th.n{text-align:right}td.n{white-space:nowrap}tr.bad td{color:#b91c1c}
figure{margin:.6rem 0}figcaption{color:#64748b;font-size:.88em}img,svg{max-width:100%;height:auto}
.pair{display:flex;gap:1.2rem;flex-wrap:wrap}.pair figure{margin:0;flex:1 1 320px}.film{max-width:660px;margin:auto}
.pair img,.film img{width:100%;border-radius:4px}input[type=range]{width:100%}
pre,code{background:#f1f5f9;border-radius:4px}pre{padding:.7rem;white-space:pre-wrap;overflow-wrap:anywhere}
code{padding:.1em .3em}
"""
_WITHOUT_END = ("br", "img", "input")


class Html(str):
    """Text that is HTML already. Every other string is escaped where it is put into a page.

    What string methods and `+` make of it is an ordinary string again, and so is escaped.
    """

    __slots__ = ()


def html(*content: object) -> Html:
    """Content as HTML: `Html` as it is, lists and tuples joined, None left out, anything else as escaped text."""
    return Html("".join(_html(part) for part in content))


def _html(content: object) -> str:
    if isinstance(content, Html):
        return content
    if isinstance(content, list | tuple):
        return html(*content)
    return "" if content is None else escape(str(content))


def tag(name: str, *content: object, **attributes: object) -> Html:
    """An element: tag("b", "x < 1", class_="bad") is <b class="bad">x &lt; 1</b>.

    Args:
      name: of the element.
      content: as of `html`.
      attributes: by name, escaped too; a final underscore is dropped, others stand for hyphens.
    """
    shown = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for key, value in attributes.items()
    )
    return Html(f"<{name}{shown}>" + ("" if name in _WITHOUT_END else f"{html(*content)}</{name}>"))


def page(title: str, *content: object) -> str:
    """A whole page in the style of all reports."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{html(*content)}</body></html>\n"
    )


def lines(items: Iterable[object]) -> Html:
    """Items with line breaks between them."""
    return Html("<br>".join(html(item) for item in items))


def table(
    head: Sequence[object],
    rows: Iterable[Sequence[object]],
    *,
    numbers: Collection[int] = (),
    marked: Collection[int] = (),
) -> Html:
    """A table, which scrolls by itself where it is too wide.

    Args:
      head: the names of the columns; none: there is no head.
      rows: their cells, with content as of `html`.
      numbers: positions of the columns that are aligned to the right.
      marked: positions of the rows that are shown in red.
    """

    def row(cells: Sequence[object], kind: str, attribute: str = "") -> str:
        made = (
            f"<{kind}{' class=n' if i in numbers else ''}>{html(cell)}</{kind}>"
            for i, cell in enumerate(cells)
        )
        return f"<tr{attribute}>{''.join(made)}</tr>"

    body = "".join(row(cells, "td", " class=bad" if i in marked else "") for i, cells in enumerate(rows))
    return Html(f'<div class="wide"><table>{row(head, "th") if head else ""}{body}</table></div>')


def entries(values: Mapping[str, object]) -> Html:
    """A table of names and values; entries of a mapping in it are named GROUP.NAME."""
    return table((), _flat(values))


def _flat(values: Mapping[str, object], prefix: str = "") -> Iterable[tuple[str, object]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield prefix + name, str(value)


def details(summary: object, *content: object) -> Html:
    """Content that is folded away under its summary."""
    return tag("details", tag("summary", summary), *content)


def figure(source: str, caption: str, alt: str) -> Html:
    """A picture, by its address or as `data_url`, over its caption."""
    return tag("figure", tag("img", alt=alt, src=source), tag("figcaption", caption))


def data_url(png: bytes) -> str:
    """A PNG file as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
