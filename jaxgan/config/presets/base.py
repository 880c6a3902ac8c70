"""What a preset is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from jaxgan.config.config import Config


@dataclass(frozen=True, kw_only=True)
class Preset:
    """A configuration that is known, and where it comes from.

    Attributes:
      build: makes the configuration.
      summary: what it is, in one line.
      shape: of the examples that its settings are meant for.
      n_classes: of these examples; 0: none.
      paper: authors, year and title of what it reproduces.
      published: the score that the paper gives, with its protocol.
      measured: command, hardware, time and score, as measured with this package.
    """

    build: Callable[[], Config]
    summary: str
    shape: tuple[int, ...]
    n_classes: int = 0
    paper: str = ""
    published: str = ""
    measured: str = ""
