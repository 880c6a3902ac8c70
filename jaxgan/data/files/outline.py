"""What can be told of images before they are decoded, which takes long: their number, size and classes."""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import zipfile
from collections.abc import Sequence

import numpy as np

from jaxgan.common.files import expanded
from jaxgan.data.catalogue import described, prepared
from jaxgan.data.files.classes import Part, parts_of
from jaxgan.data.files.listing import Listing, listing, unpacked
from jaxgan.data.files.tar import listed_shards
from jaxgan.data.labels import natural_key
from jaxgan.data.source import Images
from jaxgan.data.splits import MOST_HELD_OUT, said_of_held, said_of_none_held

_NOTE = "counted and not decoded: images that are broken, or equal to others, may change the numbers a little"


def outline(
    spec: str,
    split: str = "train",
    *,
    resolution: int | None = None,
    channels: int | None = None,
    follow_links: bool = False,
    hold_out: float = 0.0,
    share: float = 1.0,
) -> Images | None:
    """A stand-in for images that take time to open: of their number, size and classes, all black.

    Args:
      spec: of the source, as of `open_source`; paths as of `named`.
      split: as of `open_source`.
      resolution: as of `open_source`.
      channels: as of `open_source`.
      follow_links: as of `open_source`.
      hold_out: as of `open_source`.
      share: as of `open_source`.

    Returns:
      None for data that are opened at once, and where it cannot be told without decoding: of a folder that is to keep
      its size or channels, of a split such as "train[:5000]", and of whatever cannot be opened, which opening explains.
    """
    kind, _, rest = spec.partition(":")
    found = None
    # What is wrong is said by opening the data, in its own words.
    with contextlib.suppress(Exception):
        if resolution is not None and (spec, split) in _DIGITS:
            found = _of_digits(spec, split, resolution, channels)
        elif kind == "tfds" and rest:
            name, _, own = rest.partition(":")
            found = _of_tfds(name, own or split, resolution, channels)
        elif kind == "folder" and rest and resolution is not None and channels is not None:
            found = _of_folder(rest, split, (resolution, resolution, channels), follow_links)
        elif kind in ("tar", "npz") and split != "train":
            return None  # they have no other
        elif kind == "tar" and rest and resolution is not None and channels is not None:
            files, own = listed_shards(rest)
            found = _of_part(f"tar:{rest}", files, own, None, (resolution, resolution, channels))
        elif kind == "npz" and rest and resolution is not None:
            found = _of_npz(rest, resolution, channels)
    return None if found is None else _reduced(found, hold_out, share)


_DIGITS: dict[tuple[str, str], tuple[int, int, int]] = {  # number, channels, classes
    ("mnist", "train"): (60_000, 1, 10),
    ("mnist", "test"): (10_000, 1, 10),
    ("stacked_mnist", "train"): (60_000, 3, 1000),
    ("stacked_mnist", "test"): (10_000, 3, 1000),
}


@dataclasses.dataclass(frozen=True)
class _Told:
    """The images of a split; how many are held out beside them, and whether there is a second split at all."""

    images: Images
    held: int = 0
    has_second: bool = True


def black(name: str, n: int, shape: tuple[int, ...], classes: Sequence[str]) -> Images:
    """n images of a shape (height, width, channels), and of classes if there are any, that take no memory."""
    images = np.broadcast_to(np.zeros((), np.uint8), (n, *shape))
    labels = np.broadcast_to(np.zeros((), np.int32), (n,)) if classes else None
    return Images(name, images, labels, class_names=tuple(classes), fingerprint="")


def _of_digits(name: str, split: str, resolution: int, channels: int | None) -> _Told:
    n, depth, classes = _DIGITS[name, split]
    shape = resolution, resolution, channels or depth
    return _Told(black(f"{name}:{split}", n, shape, [str(i) for i in range(classes)]))


def _of_tfds(name: str, split: str, resolution: int | None, channels: int | None) -> _Told | None:
    if (found := prepared(name)) is None:
        return None
    numbers, (height, width, depth), n_classes = described(*found)
    classes = [str(i) for i in range(n_classes)]
    sides = (height, width) if resolution is None else (resolution, resolution)
    if min(sides) < 1:  # they differ
        return None
    other = "train" if split.startswith("test") else "test"
    shape = (*sides, channels or (3 if depth > 2 else 1))
    return _Told(
        black(f"tfds:{found[0]}:{split}", numbers[split], shape, classes), has_second=other in numbers
    )


def _of_folder(path: str, split: str, shape: tuple[int, int, int], follow_links: bool) -> _Told | None:
    files = listing(expanded(path), follow_links=follow_links)
    if not files.names:
        return None
    own, other = parts_of(files, split)
    name = f"folder:{path}" if split == "train" else f"folder:{path} ({split})"
    return _of_part(name, files, own, other, shape)


def _of_part(name: str, files: Listing, own: Part, other: Part | None, shape: tuple[int, int, int]) -> _Told:
    classes = sorted(set(own.classes or ()), key=natural_key)
    images = black(name, len(own.names), shape, classes)
    notes = (_NOTE, *files.notes, *own.notes)
    held = 0 if other is None else len(other.names)
    return _Told(dataclasses.replace(images, notes=notes), held, other is not None)


def _of_npz(path: str, resolution: int, channels: int | None) -> _Told:
    shapes, classes = {}, []
    with zipfile.ZipFile(expanded(path)) as archive:
        for entry in archive.namelist():
            head = unpacked(archive, archive.getinfo(entry), 4096)
            shapes[entry] = ast.literal_eval(head[head.index(b"{") : head.index(b"}") + 1].decode("latin1"))[
                "shape"
            ]
    n, *sides = shapes["images.npy"]
    if "labels.npy" in shapes:
        with expanded(path).open("rb") as file, np.load(file, allow_pickle=False) as archive:
            classes = [str(label) for label in np.unique(archive["labels"])]
    shape = resolution, resolution, channels or (sides[2] if len(sides) > 2 else 1)
    held = shapes.get("held_out_images.npy")
    return _Told(black(f"npz:{path}", n, shape, classes), 0 if held is None else held[0], held is not None)


def _reduced(told: _Told, hold_out: float, share: float) -> Images:
    """Without what is held out of the images, and what is not trained on."""
    whole, held, notes = told.images, told.held, []
    cut = lambda k: black(whole.name, k, whole.shape, whole.class_names)
    most = len(whole)
    if not told.has_second and (held := min(round(hold_out * most), MOST_HELD_OUT)):
        notes.append(said_of_held(held, most, "image"))
        most -= held
    elif not told.has_second:
        notes += said_of_none_held(most, hold_out, "image")
    n = round(share * most)
    if n < most:
        notes.append(f"{n:,} of {most:,} images are trained on (--data.share)")
    return dataclasses.replace(
        cut(n),
        held_out=cut(held) if held else None,
        complete=cut(most) if n < most else None,
        notes=(*whole.notes, *notes),
    )
