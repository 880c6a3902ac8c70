"""Configurations of runs: groups of settings, what they build, their JSON form, presets.

The names are imported when they are first asked for, so that a single group imports nothing else.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from jaxgan.config.config import Config
    from jaxgan.config.data import open_data
    from jaxgan.config.fields import differences, from_json, to_json, with_fields
    from jaxgan.config.groups import ComputeConfig, DataConfig, EMAConfig, HealthConfig, LatentConfig
    from jaxgan.config.moves import DynamicsConfig, OptimizerConfig, PenaltyConfig
    from jaxgan.config.presets import DEFAULT_PRESET, PRESETS, get_preset
    from jaxgan.config.recipes import RECIPES

__all__ = [
    "DEFAULT_PRESET",
    "PRESETS",
    "RECIPES",
    "ComputeConfig",
    "Config",
    "DataConfig",
    "DynamicsConfig",
    "EMAConfig",
    "HealthConfig",
    "LatentConfig",
    "OptimizerConfig",
    "PenaltyConfig",
    "differences",
    "from_json",
    "get_preset",
    "open_data",
    "to_json",
    "with_fields",
]

_WHERE = {
    "config": ("Config",),
    "data": ("open_data",),
    "fields": ("differences", "from_json", "to_json", "with_fields"),
    "groups": ("ComputeConfig", "DataConfig", "EMAConfig", "HealthConfig", "LatentConfig"),
    "moves": ("DynamicsConfig", "OptimizerConfig", "PenaltyConfig"),
    "presets": ("DEFAULT_PRESET", "PRESETS", "get_preset"),
    "recipes": ("RECIPES",),
}


def __getattr__(name: str) -> object:
    """Imports a public name from its module."""
    for module, names in _WHERE.items():
        if name in names:
            return getattr(importlib.import_module(f"jaxgan.config.{module}"), name)
    raise AttributeError(f"module 'jaxgan.config' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Public names, for completion."""
    return __all__
