"""The preset that fits data that come without one."""

from __future__ import annotations

import ast
import contextlib
import pathlib
import zipfile
from collections.abc import Sequence

from jaxgan.common.user_files import is_file
from jaxgan.config.presets import DEFAULT_PRESET
from jaxgan.data.files.listing import unpacked

FOLDER_PRESET = "small-64"
_PRESETS_OF = {
    "ring": "toy-ring",
    "swissroll": "toy-ring",
    "grid": "toy-grid",
    "tfds:fashion_mnist": "dcgan-fashion",
    "tfds:cifar10": "dcgan-cifar10",
    "tfds:cifar100": "dcgan-cifar10",
}
_SMALL = ("mnist", "stacked_mnist", "tfds:mnist", "tfds:kmnist", "tfds:emnist", "tfds:omniglot")
_SMALL_SIDE = 32


def preset_for(source: str, degrade: Sequence[str] = ()) -> str:
    """The preset that fits the data that a source names, as of `jaxgan.data.sources.named`.

    Args:
      source: of the data; "" if it is not known.
      degrade: what images are to be restored from, as of `data.degrade`.
    """
    if degrade:
        small = source in ("", "tfds:fashion_mnist", *_SMALL) or (
            source.startswith("npz:") and _is_small(source)
        )
        return (
            ("denoise-32" if source == "tfds:cifar10" else "restore-28" if small else "restore-64")
            if "super-resolution" not in degrade
            else "super-resolution-64"
        )
    if source.startswith(("pairs:", "domains:")):
        return "pix2pix" if source.startswith("pairs:") else "cyclegan"
    name = ":".join(source.split(":")[:2])
    if name in _PRESETS_OF:
        return _PRESETS_OF[name]
    if name in _SMALL or is_file(source):
        return DEFAULT_PRESET
    if source.startswith("npz:"):
        return DEFAULT_PRESET if _is_small(source) else FOLDER_PRESET
    return FOLDER_PRESET


def _is_small(source: str) -> bool:
    """Whether the images of an npz file are known to be as small as digits."""
    side = _side_in(pathlib.Path(source.removeprefix("npz:")).expanduser())
    return side is not None and side <= _SMALL_SIDE


def _side_in(path: pathlib.Path) -> int | None:
    """The longer side of the images of an npz file; None if it cannot be told."""
    with contextlib.suppress(Exception):  # what cannot be read is told when it is opened
        with zipfile.ZipFile(path) as archive:
            head = unpacked(archive, archive.getinfo("images.npy"), 4096)
        text = head[head.index(b"{") : head.index(b"}") + 1].decode("latin1")
        return max(ast.literal_eval(text)["shape"][1:3])
    return None
