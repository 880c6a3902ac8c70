"""The presets: configurations by name, one file a family of networks."""

from __future__ import annotations

import dataclasses

from jaxgan.common.errors import lookup
from jaxgan.config.config import Config
from jaxgan.config.presets.base import Preset
from jaxgan.config.presets.classic import CLASSIC
from jaxgan.config.presets.stylegan2 import STYLEGAN2
from jaxgan.config.presets.stylegan3 import STYLEGAN3

PRESETS: dict[str, Preset] = {**CLASSIC, **STYLEGAN2, **STYLEGAN3}
DEFAULT_PRESET = "dcgan-mnist"


def get_preset(name: str) -> Config:
    """The configuration of a preset. Raises InputError naming the nearest if there is none."""
    return dataclasses.replace(lookup("preset", name, PRESETS).build(), preset=name)


__all__ = ["CLASSIC", "DEFAULT_PRESET", "PRESETS", "STYLEGAN2", "STYLEGAN3", "Preset", "get_preset"]
