"""HTML pages that need nothing else."""

from __future__ import annotations

import base64
import html
import pathlib
from collections.abc import Iterable, Mapping
from typing import Any

_STYLE = """
:root{color-scheme:light}body{font:15px/1.5 system-ui,sans-serif;max-width:1080px;margin:2rem auto;padding:0 1rem;
color:#1e293b;background:#fff}h1{font-size:1.6rem;margin:0}h2{font-size:1.15rem;margin:2.2rem 0 .6rem;
border-bottom:1px solid #e2e8f0}p.lead{color:#475569;margin:.3rem 0 1rem}table{border-collapse:collapse;width:100%}
th,td{text-align:left;padding:.3rem .7rem .3rem 0;border-bottom:1px solid #eef2f6;vertical-align:top}
td.n,th.n{text-align:right;font-variant-numeric:tabular-nums}small,td.s{color:#64748b;font-size:.86em}
.pair{display:flex;gap:1.2rem;flex-wrap:wrap}.pair figure{margin:0;flex:1 1 320px}
img{width:100%;image-rendering:pixelated;border-radius:4px}figcaption{color:#64748b;font-size:.86em}pre,code{background:#f1f5f9;border-radius:4px}
pre{padding:.7rem;overflow:auto}code{padding:.1em .3em}input[type=range]{width:100%}svg{width:100%;height:auto}
.film{max-width:660px;margin:auto}.bad{color:#b91c1c}details{margin:.4rem 0}
"""


def page(title: str, body: str) -> str:
    """A whole HTML page, with the style of all reports."""
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{html.escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body>{body}</body></html>\n"
    )


def _image(path: pathlib.Path) -> str:
    return f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"


def _table(rows: Iterable[tuple[str, Any]]) -> str:
    cells = (f"<tr><td>{html.escape(str(k))}</td><td>{html.escape(str(v))}</td></tr>" for k, v in rows)
    return f"<table>{''.join(cells)}</table>"


def _flat(value: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for name, item in value.items():
        if isinstance(item, Mapping):
            yield from _flat(item, f"{prefix}{name}.")
        else:
            yield prefix + name, item
