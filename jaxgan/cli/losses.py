"""`jaxgan losses`: the catalogue, the laws on one loss, and pictures of losses."""

from __future__ import annotations

import inspect
import pathlib
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.cli.arguments import Positional, check_out, dispatch, parse
from jaxgan.cli.check import report
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.losses import LOSSES, Loss, find_loss


@dataclass(frozen=True)
class Show:
    """List every loss: its formula, what it measures, its optimal critic, its options, its paper."""


@dataclass(frozen=True)
class Check:
    """Run every law on a loss, and say which it breaks; the exit status is 1 if there is one."""

    name: Positional[str]
    """An entry of `jaxgan losses`, or a loss of your own: FILE.py:NAME."""


@dataclass(frozen=True)
class Plot:
    """Draw value and gradient of losses as functions of the logit."""

    names: Positional[tuple[str, ...]] = ()
    """Entries of `jaxgan losses`, or FILE.py:NAME; none: all of the list."""
    out: pathlib.Path = pathlib.Path("losses.png")
    """File to write."""
    limit: float = 4.0
    """Logits go from minus this to plus this."""


def losses(args: list[str]) -> int | None:
    """Lists, checks or plots losses; 1 if a loss breaks a law."""
    return dispatch("losses", args, {"": show, "check": check, "plot": plot})


# --- the list --------------------------------------------------------------------------------------


def show(args: list[str]) -> None:
    """Lists every loss: its formula, what it measures, its optimal critic, its options, its paper."""
    from jaxgan.runs import environment

    parse(Show, args, "losses")
    environment.start()
    print(catalogue(), end="")


def catalogue() -> str:
    """The list of losses as text: for each its formula, what it measures, its optimal critic, options and paper."""
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


# --- the laws --------------------------------------------------------------------------------------


def check(args: list[str]) -> int:
    """Runs every law on the loss NAME, an entry of the list or FILE.py:NAME, and says which it breaks."""
    name = parse(Check, args, "losses check").name

    from jaxgan.losses import laws
    from jaxgan.runs import environment

    environment.start()
    return report(name, laws.check(find_loss(name)()))


# --- pictures --------------------------------------------------------------------------------------


def plot(args: list[str]) -> None:
    """Draws value and gradient of the losses NAMES, or of all, as functions of the logit."""
    parsed = parse(Plot, args, "losses plot")
    check_range("limit", parsed.limit, above=0)
    check_out("out", parsed.out, (".png",))

    from jaxgan.common.files import write_atomically
    from jaxgan.losses.laws import Broken, shape_law
    from jaxgan.runs import environment

    environment.start()
    chosen = {name: find_loss(name)() for name in (parsed.names or LOSSES)}
    for name, loss in chosen.items():
        try:
            shape_law(loss)
        except Broken as broken:
            raise InputError(f"loss: {name!r} cannot be plotted: {broken}") from broken
    write_atomically(parsed.out, _picture(chosen, parsed.limit))
    print(f"wrote {parsed.out}")


def curves(
    loss: Loss, limit: float, points: int = 201
) -> dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Value and gradient of a loss against one logit, for batches of one real and one fake.

    Args:
      loss: both of its halves are evaluated.
      limit: logits go from minus to plus this.
      points: how many there are.

    Returns:
      "D, real": (logits, values, gradients) of the discriminator's loss against the real's logit, while the
      fake's is 0; "D, fake" and "G, fake": of both losses against the fake's logit, while the real's is 0.
    """
    logits = np.linspace(-limit, limit, points, dtype=np.float32)
    functions: dict[str, Any] = {
        "D, real": lambda v: loss.discriminator(v[None], jnp.zeros(1))[0],
        "D, fake": lambda v: loss.discriminator(jnp.zeros(1), v[None])[0],
        "G, fake": lambda v: loss.generator(jnp.zeros(1), v[None])[0],
    }
    every = jax.jit(lambda v: {name: jax.vmap(jax.value_and_grad(f))(v) for name, f in functions.items()})
    return {name: (logits, *found) for name, found in jax.device_get(every(logits)).items()}


def _picture(losses: dict[str, Loss], limit: float) -> bytes:
    from matplotlib.figure import Figure

    from jaxgan.report.pictures import png_of_figure

    columns = min(4, len(losses))
    rows = -(-len(losses) // columns)
    figure = Figure(figsize=(3.4 * columns, 2.6 * rows + 0.5), layout="constrained")
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
    return png_of_figure(figure, dpi=110)
