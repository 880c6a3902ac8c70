"""`jaxgan presets`: what can be trained."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from jaxgan.cli.arguments import Positional, parse, print_rows
from jaxgan.config.presets import DEFAULT_PRESET, PRESETS, Preset, find_preset, sizes


@dataclass(frozen=True)
class Presets:
    """List the presets, which `jaxgan train` takes; or all that is known of those that are named."""

    names: Positional[tuple[str, ...]] = ()
    """Presets to tell of: paper, published score with its protocol, what was measured."""
    json: bool = False
    """Print a JSON list."""


def presets(args: list[str]) -> None:
    """Lists the presets, with parameters and operations an image."""
    parsed = parse(Presets, args, "presets")
    chosen = {name: find_preset(name) for name in parsed.names or PRESETS}
    if parsed.json:
        print(json.dumps([_plain(name, preset) for name, preset in chosen.items()], indent=1))
    elif parsed.names:
        for name, preset in chosen.items():
            print_rows(_told(name, preset))
            print()
    else:
        _print_table()
        print("\nOf generator/discriminator; operations of one image, forward, a multiply-add being two.")
        print("`jaxgan presets NAME` tells the paper, the published score and what was measured.")


def _print_table() -> None:
    width = max(map(len, PRESETS))
    print(f"{'':{width}}     parameters     operations")
    for name, preset in PRESETS.items():
        both = ("/".join(_short(player[what]) for player in sizes()[name].values()) for what in _WHAT)
        counts = "  ".join(f"{text:>13}" for text in both)
        print(f"{name:{width}}  {counts}  {preset.summary}{' (default)' if name == DEFAULT_PRESET else ''}")


_WHAT = ("parameters", "flops")


def _short(count: float) -> str:
    """In three digits: 1.49M."""
    for unit, value in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if count >= value:
            return f"{count / value:.3g}{unit}"
    return f"{count:.3g}"


def _told(name: str, preset: Preset) -> Mapping[str, str]:
    rows = {"preset": name, "what": preset.summary, "made for": _shape(preset)}
    for player, size in sizes()[name].items():
        rows[player] = f"{size['parameters']:,} parameters, {size['flops'] / 1e9:.3g} GFLOP an image, forward"
    told = {"paper": preset.paper, "published": preset.published, "measured": preset.measured}
    return rows | {row: text or "–" for row, text in told.items()}


def _shape(preset: Preset) -> str:
    classes = f", {preset.n_classes} classes" if preset.n_classes else ""
    return f"examples of {list(preset.shape)}{classes}"


def _plain(name: str, preset: Preset) -> dict[str, Any]:
    facts = {field: value for field, value in asdict(preset).items() if field != "build"}
    return {"name": name, **facts, **sizes()[name]}
