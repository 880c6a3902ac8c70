"""Help as text: descriptions whose examples keep their lines, and the first page of `jaxgan train --help`."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from jaxgan.cli.words.flags import Flag

BASIC = (
    "--steps",
    "--epochs",
    "--batch-size",
    "--lr",
    "--loss",
    "--penalty.weights",
    "--model",
    "--augment",
    "--data.source",
    "--data.resolution",
    "--seed",
    "--seeds",
    "--out",
    "--name",
    "--config",
    "--dry-run",
)
"""The flags of the first page."""

_EXAMPLES = """\
jaxgan train                                     digits, in some three minutes
jaxgan train photos/ --epochs 50                 a folder, zip, tar or npz of your own images
jaxgan train cdcgan-mnist --loss wgan-gp         a loss with all that its paper sets beside it
jaxgan train mnist --steps 1e4 --lr 2e-4 --seeds 3
jaxgan train --config runs/00000-dcgan-mnist --seed 1"""


def laid_out(text: str, width: int) -> str:
    """Fills the paragraphs of a text to a width; lines that are indented, such as examples, stay as they are."""
    blocks: list[str] = []
    for block in text.strip("\n").split("\n\n"):
        lines = block.splitlines()
        if any(line.startswith("  ") for line in lines):
            blocks.append("\n".join(lines))
        else:
            blocks.append(textwrap.fill(" ".join(block.split()), width))
    return "\n\n".join(blocks)


def table(rows: Mapping[str, str], width: int, most: int = 30) -> str:
    """A table of names and texts, a line or more each. A text is wrapped beside its name, or below a name that is long.

    Args:
      rows: name -> text.
      width: of the lines, in letters.
      most: the longest name, in letters, beside which a text stands.
    """
    column = min(max(map(len, rows)), most) + 4
    lines: list[str] = []
    for name, text in rows.items():
        wrapped = textwrap.wrap(text, max(width - column, 20)) or [""]
        if len(name) + 4 > column:
            lines.append(f"  {name}")
        else:
            lines.append(f"  {name:{column - 2}}{wrapped.pop(0)}".rstrip())
        lines += [f"{'':{column}}{line}" for line in wrapped]
    return "\n".join(lines)


def first_page(
    about: str,
    presets: Mapping[str, str],
    others: Sequence[str],
    preset: str,
    flags: Mapping[str, Flag],
    recipes: Sequence[str],
    width: int,
) -> str:
    """What `jaxgan train --help` says.

    Args:
      about: what the command does.
      presets: names and what they are.
      others: what the names of more of them begin with.
      preset: whose defaults the flags have.
      flags: all there are.
      recipes: names of losses that bring settings of their own.
      width: of the lines.
    """
    rows = {f"{name} {value_of(flag)}".rstrip(): _says(flag) for name in BASIC if (flag := flags[name])}
    return "\n".join(
        [
            "usage: jaxgan train [PRESET] [DATA] [--flag value ...]",
            "",
            laid_out(about, width),
            "",
            "presets:",
            table(presets, width),
            "",
            textwrap.fill(
                f"and more, that begin with {', '.join(others)}: see `jaxgan presets`",
                width,
                break_on_hyphens=False,
            ),
            "",
            textwrap.fill(
                "data: mnist, ring and others as --data.source has them, or a folder, zip or tar archive or npz file",
                width,
            ),
            "",
            "examples:",
            textwrap.indent(_EXAMPLES, "  "),
            "",
            f"flags, with the defaults of {preset}:",
            table(rows, width),
            "",
            textwrap.fill(f"losses that bring what belongs to them: {', '.join(recipes)}", width),
            "",
            textwrap.fill(
                f"jaxgan train --help-all lists all {len(flags)} flags; jaxgan losses, the losses.", width
            ),
        ]
    )


def value_of(flag: Flag) -> str:
    """The words behind a flag in help: "N", "NAME WEIGHT ...", or nothing behind a switch."""
    if flag.is_switch:
        return ""
    if flag.choices:
        return "|".join(flag.choices)
    words = " ".join({int: "N", float: "X"}.get(kind, "NAME") for kind in flag.types)
    return f"{words} ..." if flag.many else words


def _says(flag: Flag) -> str:
    shown = _shown(flag.default)
    return f"{flag.doc} ({shown})" if shown else flag.doc


def _shown(value: Any) -> str:
    if value is None or isinstance(value, bool) or value == ():
        return ""
    if isinstance(value, tuple):
        return " ".join(_shown(item) for item in value)
    return f"{value:g}" if isinstance(value, float) else str(value)
