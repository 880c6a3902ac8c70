"""HTML pages that need nothing but a browser: one page, one table, and text that is escaped by itself."""

from __future__ import annotations

import base64
from collections.abc import Collection, Iterable, Mapping, Sequence
from html import escape

_STYLE = """
:root{color-scheme:light dark;--text:#1e293b;--soft:#586578;--line:#e2e8f0;--back:#fff;--box:#f4f6f9;--link:#1d4ed8;
--bad:#b91c1c;--warn:#92600a;--good:#15803d;--c0:#2563eb;--c1:#c2410c;--c2:#059669;--c3:#7c3aed;--c4:#64748b}
@media(prefers-color-scheme:dark){:root{--text:#e2e8f0;--soft:#9aa7ba;--line:#2b3648;--back:#0f1521;--box:#1a2231;
--link:#8ab4ff;--bad:#ff8a80;--warn:#f0c060;--good:#6ee7a0;--c0:#6ea0ff;--c1:#ff9d66;--c2:#4fd1a5;--c3:#b79cff;
--c4:#a3b0c2}}
*{box-sizing:border-box}body{font:15px/1.5 system-ui,sans-serif;max-width:1120px;margin:2rem auto;padding:0 1rem;
color:var(--text);background:var(--back)}h1{font-size:1.6rem;margin:0;overflow-wrap:anywhere}
h2{font-size:1.2rem;margin:2.4rem 0 .6rem;border-bottom:1px solid var(--line)}h3{font-size:1rem;margin:1.6rem 0 .4rem}
p.lead{color:var(--soft);margin:.3rem 0 1rem}a{color:var(--link)}td a{white-space:nowrap}
.bad{color:var(--bad)}.warn{color:var(--warn)}
.good{color:var(--good)}small,.note{color:var(--soft);font-size:.88em}li{margin:.2rem 0}details{margin:.4rem 0}
summary{cursor:pointer;color:var(--soft);overflow-wrap:anywhere}.wide{overflow-x:auto;margin:.6rem 0}
table{border-collapse:collapse;font-size:.92em;font-variant-numeric:tabular-nums}
th,td{text-align:left;vertical-align:top;padding:.3rem 1.2rem .3rem 0;border-bottom:1px solid var(--line)}
td:last-child{min-width:15em}td.n:last-child{min-width:0}
th{vertical-align:bottom;color:var(--soft)}td.n,th.n{text-align:right}td.n{white-space:nowrap}
tr.bad td{color:var(--bad)}figure{margin:.6rem 0}figcaption{color:var(--soft);font-size:.88em}
img,figure>svg{max-width:100%;height:auto}.card{background:var(--box);border-radius:10px;padding:1rem 1.2rem;
margin:1rem 0}.card p{margin:.2rem 0 .6rem;max-width:75ch}.chips{display:flex;flex-wrap:wrap;gap:.4rem;margin:.6rem 0 0}
.chips span{background:var(--back);border:1px solid var(--line);border-radius:99px;padding:.1rem .7rem;font-size:.88em;
overflow-wrap:anywhere}.chips small{margin-right:.4em}.pair{display:flex;gap:1.2rem;flex-wrap:wrap}
.pair>figure{margin:0;flex:0 1 440px;min-width:min(280px,100%)}.film{max-width:660px}
.pair img,.film img{width:100%;display:block;border-radius:4px}.rows{display:flex;gap:.4rem}
.rows>img{min-width:0;flex:1}
.rows ol{list-style:none;margin:0;padding:0;display:flex;flex-direction:column;font-size:.8em;color:var(--soft)}
.rows li{flex:1;margin:0;display:flex;align-items:center;justify-content:flex-end;min-height:0;white-space:nowrap;
max-width:9em;overflow:hidden}input[type=range]{width:100%;max-width:660px}
.bar{display:inline-block;width:110px;height:.55em;border-radius:9px;background:var(--line);overflow:hidden}
.bar i{display:block;height:100%;background:var(--c0)}.plots{display:flex;flex-wrap:wrap;gap:1rem 1.4rem}
.plots figure{margin:0;flex:0 1 345px;min-width:min(280px,100%)}.plots figcaption{color:var(--text);font-weight:600}
.plots .keys{font-weight:400;color:var(--soft);display:flex;flex-wrap:wrap;gap:0 .9em;font-size:.95em}
.plots figure>svg{display:block;width:100%}svg text{fill:var(--soft);font:11px system-ui,sans-serif}
@media(max-width:800px){.plot img{max-width:none}}
pre,code{background:var(--box);border-radius:4px}pre{padding:.7rem;white-space:pre-wrap;overflow-wrap:anywhere}
code{padding:.1em .3em;white-space:nowrap}
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
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{_STYLE}</style></head>'
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


def figure(
    source: str, caption: object, alt: str, rows: Sequence[object] = (), *, scrolls: bool = False
) -> Html:
    """A picture, by its address or as `data_url`, over its caption.

    Args:
      source: its address.
      caption: under it.
      alt: what it shows.
      rows: what stands beside each of its rows, which are equally high; none: nothing.
      scrolls: keep its size on a narrow screen, where its letters would become too small.
    """
    image = beside(tag("img", alt=alt, src=source), rows)
    if scrolls:
        image = tag("div", image, class_="wide plot")
    return tag("figure", image, tag("figcaption", caption))


def beside(image: Html, rows: Sequence[object]) -> Html:
    """An image with a word to the left of each of its rows, which are equally high; none: the image alone."""
    if not rows:
        return image
    return tag("div", tag("ol", [tag("li", row, title=row) for row in rows]), image, class_="rows")


def chips(values: Mapping[str, object]) -> Html:
    """Small labels in a line: names and values."""
    return tag("div", [tag("span", tag("small", k), v) for k, v in values.items()], class_="chips")


def bar(share: float | None, says: str) -> Html | None:
    """A bar that is filled from the left; None: nothing.

    Args:
      share: how much of it, from 0 to 1.
      says: what it shows, for those who do not see it.
    """
    if share is None:
        return None
    inner = tag("i", style=f"width:{100 * share:.0f}%")
    return tag("span", inner, class_="bar", role="img", aria_label=says, title=says)


def in_words(text: str) -> Html:
    """Text in which what stands in backquotes is code."""
    parts = text.split("`")
    return html([tag("code", part) if i % 2 else part for i, part in enumerate(parts)])


def data_url(png: bytes) -> str:
    """A PNG file as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png).decode()}"
