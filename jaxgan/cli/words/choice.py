"""Presets and data that are named by words alone: `jaxgan train photos/`, `jaxgan train mnist`."""

from __future__ import annotations

import pathlib
from collections.abc import Sequence

from jaxgan.common.errors import InputError, unknown
from jaxgan.common.user_files import is_file
from jaxgan.config.presets import LISTED, PRESETS
from jaxgan.data.sources import SOURCES, is_path, named


def is_choice(word: str) -> bool:
    """Whether a word among those of a flag that takes many is a preset or data.

    A folder is one if it is written as a path: a folder that is called wandb, or r1, says nothing of --logger wandb.
    """
    if word in PRESETS or word in SOURCES:
        return True
    return not is_file(word) and (":" in word or is_path(word)) and _is_source(word)


def _is_source(word: str) -> bool:
    spec = named(word)
    return spec in SOURCES or ":" in spec


def chosen(words: Sequence[str]) -> tuple[str | None, str | None]:
    """The preset and the data that words name, in any order; None for what they do not name.

    Raises:
      InputError: for a word that names neither, and for two of a kind.
    """
    preset = source = None
    for word in words:
        if word in PRESETS:
            if preset is not None:
                raise InputError(f"preset: expected one, got {preset!r} and {word!r}")
            preset = word
        elif _is_source(word):
            if source is not None:
                raise InputError(f"data: expected one source, got {source!r} and {word!r}")
            source = named(word)
        elif word.replace(".", "").replace("_", "").isdigit():
            raise InputError(f"unexpected {word!r}: no flag before it takes it (see jaxgan train --help)")
        elif is_path(word):
            raise InputError(
                f"data: expected a folder, a zip archive or an npz file, got {word!r}, which "
                f"{'is none of these' if pathlib.Path(word).exists() else 'does not exist'}"
            )
        elif word.startswith("-"):
            raise InputError(f"unknown flag {word!r}; flags begin with -- (see jaxgan train --help)")
        else:
            data = f"{LISTED}; data: {', '.join(SOURCES)} or a path"
            raise unknown("preset or data", word, [*PRESETS, *SOURCES], where=data)
    return preset, source
