"""`jaxgan presets`: what can be trained."""

from __future__ import annotations

from jaxgan.cli.arguments import Nothing, parse
from jaxgan.config.presets import DEFAULT_PRESET, PRESETS


def presets(args: list[str]) -> None:
    """Lists the presets."""
    parse(Nothing, args, "presets")
    width = max(map(len, PRESETS))
    for name, preset in PRESETS.items():
        summary = (preset.__doc__ or "").strip().splitlines()[0]
        print(f"{name:{width}}  {summary}{' (default)' if name == DEFAULT_PRESET else ''}")
