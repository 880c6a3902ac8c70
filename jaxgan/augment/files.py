"""Augmentations from a file of the user's own, FILE.py:NAME."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from jaxgan.augment.base import Augmentation
from jaxgan.augment.shifts import Augment
from jaxgan.common.user_files import load_builder


def always(augment: Augment) -> Augmentation:
    """The augmentation that applies a function (keys, x) -> x to all that the critic sees."""
    return Augmentation(lambda memory, x, keys, step: augment(keys, x))


def load_augmentation(name: str) -> Callable[..., Augmentation]:
    """Loads the augmentation FILE.py:NAME as a function without arguments, like those in AUGMENTATIONS.

    Args:
      name: the file and a name in it: that of an `Augmentation`, of a function (keys, x) -> x, or of a
        function that returns an `Augmentation` and has defaults for all its options.

    Raises:
      InputError: if there is no such file or name, if running the file fails, or for another kind.
    """
    return load_builder("augmentation", name, as_augmentation, "a jaxgan.augment.Augmentation")


def as_augmentation(value: Any) -> Augmentation | None:
    """An `Augmentation`, or a function that needs (keys, x) as one; None for anything else."""
    if isinstance(value, Augmentation):
        return value
    if not callable(value) or isinstance(value, type) or not _needs_two(value):
        return None
    return always(value)  # pyright: ignore[reportArgumentType]  (what it gives is for the laws to check)


def _needs_two(function: Callable[..., Any]) -> bool:
    parameters = inspect.signature(function).parameters.values()
    needed = [
        p
        for p in parameters
        if p.default is p.empty and p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)
    ]
    return len(needed) == 2
