"""`jaxgan presets`: what can be trained."""

from __future__ import annotations

from dataclasses import dataclass

from jaxgan.cli.arguments import parse
from jaxgan.config.presets import DEFAULT_PRESET, PRESETS


@dataclass(frozen=True)
class Presets:
    """List the presets, which `jaxgan train` takes."""


def presets(args: list[str]) -> None:
    """Lists the presets."""
    parse(Presets, args, "presets")
    width = max(map(len, PRESETS))
    for name, preset in PRESETS.items():
        print(f"{name:{width}}  {preset.summary}{' (default)' if name == DEFAULT_PRESET else ''}")
