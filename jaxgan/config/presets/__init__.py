"""The presets: configurations by name, one file a family of networks."""

from __future__ import annotations

import dataclasses

from jaxgan.common.errors import lookup
from jaxgan.config.config import Config
from jaxgan.config.presets.base import Preset
from jaxgan.config.presets.classic import CLASSIC
from jaxgan.config.presets.little_data import LITTLE_DATA

PRESETS: dict[str, Preset] = {**CLASSIC, **LITTLE_DATA}
DEFAULT_PRESET = "dcgan-mnist"


def get_preset(name: str) -> Config:
    """The configuration of a preset. Raises InputError naming the nearest if there is none."""
    return dataclasses.replace(lookup("preset", name, PRESETS).build(), preset=name)


__all__ = ["CLASSIC", "DEFAULT_PRESET", "LITTLE_DATA", "PRESETS", "Preset", "get_preset"]
