"""`jaxgan losses`: the catalogue, the laws on one loss, and pictures of losses."""

from __future__ import annotations

import inspect
import pathlib
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import tyro

from jaxgan.cli.arguments import parse
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, unknown
from jaxgan.common.files import write_atomically
from jaxgan.losses import LOSSES, Loss, find_loss
from jaxgan.losses.laws import Broken, check, shape_law
from jaxgan.report import pictures
from jaxgan.runs import environment

Positional = tyro.conf.Positional
USAGE = """\
jaxgan losses                      every loss: formula, what it measures, its optimal critic, paper
jaxgan losses check NAME           verify a loss: an entry of the list, or FILE.py:NAME
jaxgan losses plot [NAME ...]      value and gradient as functions of the logit; --out FILE.png
"""


@dataclass(frozen=True)
class Check:
    """Run every law on a loss, and say which it breaks; the exit status is 1 if there is one."""

    name: Positional[str]
    """An entry of `jaxgan losses`, or a loss of your own: FILE.py:NAME."""


@dataclass(frozen=True)
class Plot:
    """Value and gradient of losses as functions of the logit."""

    names: Positional[tuple[str, ...]] = ()
    """Entries of `jaxgan losses`, or FILE.py:NAME; none: all of the list."""
    out: pathlib.Path = pathlib.Path("losses.png")
    """File to write."""
    limit: float = 4.0
    """Logits from minus to plus this."""


def catalogue() -> str:
    """The list, as text."""
    blocks = []
    for name, build in LOSSES.items():
        loss, doc = build(), inspect.getdoc(build) or ""
        claim = loss.claim
        rows = [("formula", doc.splitlines()[0])]
        if claim is not None:
            measures = claim.divergence if claim.divergence != "none" else "no closed form is known"
            rows.append(("measures", measures.replace("_", " ")))
            if claim.critic:
                rows.append(("optimal critic", claim.critic))
        options = [
            f"{p.name}={p.default}"
            for p in inspect.signature(build).parameters.values()
            if p.default is not p.empty
        ]
        if options:
            rows.append(("options", ", ".join(options)))
        rows += [("paper", line.strip()) for line in _references(doc)]
        blocks.append("\n".join([name, *(f"    {label:15} {text}" for label, text in rows)]))
    return "\n".join(blocks) + "\n"


def _references(doc: str) -> list[str]:
    _, found, after = doc.partition("References:")
    return [line for line in after.splitlines() if line.strip()] if found else []


def check_lines(name: str) -> tuple[list[str], bool]:
    """What the laws say of a loss, one line each, and whether all hold.

    Raises:
      InputError: if there is no such loss.
    """
    verdicts = check(find_loss(name)())
    marks = {"holds": "ok     ", "broken": "BROKEN ", "skipped": "-      "}
    lines = [f"{marks[v.outcome]} {v.law:12} {v.detail}" for v in verdicts]
    broken = [v.law for v in verdicts if v.outcome == "broken"]
    verdict = (
        f"breaks {len(broken)} of {len(verdicts)} laws: {', '.join(broken)}"
        if broken
        else "obeys every law that applies"
    )
    return [*lines, f"{name} {verdict}"], not broken


def plot(names: tuple[str, ...], out: pathlib.Path, limit: float) -> None:
    """Writes a picture of losses as functions of one logit, the other side's being 0.

    Raises:
      InputError: for an unknown loss, a limit that is not positive, or a file that is no PNG.
    """
    check_range("limit", limit, above=0)
    if out.suffix.lower() != ".png":
        raise InputError(f"out: expected a .png file, got {str(out)!r}")
    losses = {name: find_loss(name)() for name in (names or LOSSES)}
    for name, loss in losses.items():
        try:
            shape_law(loss)
        except Broken as broken:
            raise InputError(f"loss: {name!r} cannot be plotted: {broken}") from broken
    write_atomically(out, _picture(losses, limit))


def curves(
    loss: Loss, limit: float, points: int = 201
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Name -> (logit, value, gradient), of batches of one real and one fake.

    "D, real": the discriminator's loss against the real's logit, the fake's being 0; "D, fake" and
    "G, fake": against the fake's logit, the real's being 0.
    """
    logits = jnp.linspace(-limit, limit, points)
    zero = jnp.zeros(1)
    functions: dict[str, Any] = {
        "D, real": lambda v: loss.discriminator(v[None], zero)[0],
        "D, fake": lambda v: loss.discriminator(zero, v[None])[0],
        "G, fake": lambda v: loss.generator(zero, v[None])[0],
    }
    return {
        name: (np.asarray(logits), np.asarray(jax.vmap(f)(logits)), np.asarray(jax.vmap(jax.grad(f))(logits)))
        for name, f in functions.items()
    }


def _picture(losses: dict[str, Loss], limit: float) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(4, len(losses))
    rows = -(-len(losses) // columns)
    figure = Figure(figsize=(3.4 * columns, 2.6 * rows + 0.5), layout="constrained")
    FigureCanvasAgg(figure)
    colours = {"D, real": "#2563eb", "D, fake": "#dc2626", "G, fake": "#16a34a"}
    for i, (name, loss) in enumerate(losses.items()):
        axes = figure.add_subplot(rows, columns, i + 1)
        for side, (logit, value, slope) in curves(loss, limit).items():
            axes.plot(logit, value, color=colours[side], label=side)
            axes.plot(logit, slope, color=colours[side], linestyle=":")
        axes.set_title(name, fontsize=9)
        axes.axhline(0, color="#cbd5e1", linewidth=0.8, zorder=0)
        low, high = axes.get_ylim()
        axes.set_ylim(max(low, -6), min(high, 8))
        axes.tick_params(labelsize=7)
        axes.spines[["top", "right"]].set_visible(False)
    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper center", ncols=3, frameon=False, fontsize=9)
    figure.supxlabel(
        "logit of the side named, the other side's being 0; solid: value, dotted: gradient", fontsize=9
    )
    return pictures.png_of_figure(figure, dpi=110)


def losses(args: list[str]) -> int:
    """Lists, verifies or plots losses; 1 if one breaks a law."""
    environment.start()
    if not args:
        print(catalogue(), end="")
        return 0
    if args[0] in ("-h", "--help"):
        print(USAGE, end="")
        return 0
    if args[0] == "check":
        lines, good = check_lines(parse(Check, args[1:], "losses check").name)
        print("\n".join(lines))
        return 0 if good else 1
    if args[0] == "plot":
        parsed = parse(Plot, args[1:], "losses plot")
        plot(parsed.names, parsed.out, parsed.limit)
        print(f"wrote {parsed.out}")
        return 0
    raise unknown("losses command", args[0], ("check", "plot"))
