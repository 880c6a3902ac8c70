"""Images in pairs, of two folders or side by side, and images of two domains without pairs."""

from __future__ import annotations

import hashlib
import pathlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded, printable
from jaxgan.common.progress import counted
from jaxgan.data.decoding.forms import changes, counts_of, form_of
from jaxgan.data.files.classes import class_folders
from jaxgan.data.files.deep import deep_pixels
from jaxgan.data.files.listing import Listing, listing, unread
from jaxgan.data.labels import numbered
from jaxgan.data.modality import DOMAINS, PAIR
from jaxgan.data.pixels import BrokenImage, is_deep_file, is_grey_file, open_image, to_pixels
from jaxgan.data.source import Arrays, Images, Source, as_images
from jaxgan.data.spec import LABEL
from jaxgan.data.splits import (
    held_out_rows,
    said_of_held,
    said_of_none_held,
    with_classes_of,
    without_whole_classes,
)

Open = Callable[..., Source]
_CALLED = {1: "grey", 2: "grey with alpha", 3: "RGB", 4: "RGBA"}


def two_of(kind: str, rest: str) -> tuple[str, str]:
    """The two sources of "A,B". Raises InputError for another number."""
    parts = [part.strip() for part in rest.split(",")]
    if len(parts) != 2 or not all(parts):
        raise InputError(f"data.source: expected two sources, {kind}:A,B, got {kind + ':' + rest!r}")
    return parts[0], parts[1]


# --- two domains -----------------------------------------------------------------------------------


def load_domains(rest: str, open_one: Open, *, hold_out: float = 0.0) -> Arrays:
    """Two sources of images of one size as the arrays "a" and "b".

    The shorter one begins again until both are as long; what each holds out is held out.

    Args:
      rest: "A,B", two sources.
      open_one: opens one of them, with what is held out.
      hold_out: share of each that should be; where it is none, nothing is said of both that hold nothing out.

    Raises:
      InputError: if one cannot be opened, or they differ in their sizes or depths.
    """
    sides = [as_images(open_one(part), "data.source") for part in two_of("domains", rest)]
    a, b = sides
    if a.shape[:2] != b.shape[:2]:
        raise InputError(
            f"data.source: expected domains of one size, got {a.shape[0]}x{a.shape[1]} and {b.shape[0]}x{b.shape[1]}; "
            "--data.resolution scales both"
        )
    if a.images.dtype != b.images.dtype:
        bits = [8 * x.images.dtype.itemsize for x in sides]
        raise InputError(
            f"data.source: expected domains of one depth, got {bits[0]} bits and {bits[1]}; domains:deep:A,deep:B has "
            "16 of both, domains:folder:A,folder:B 8"
        )
    notes = [
        f"the {which} domain: {note}"
        for which, own in zip(("first", "second"), sides, strict=True)
        for note in own.notes
    ]
    notes.append(f"{counted(len(a), 'image')} of the first domain, {len(b):,} of the second")
    if a.shape[2] != b.shape[2]:
        first, second = (_CALLED[x.shape[2]] for x in sides)
        notes.append(
            f"the first domain is {first} and the second {second} (--data.channels {max(a.shape[2], b.shape[2])}: both "
            "alike)"
        )
    held = None
    none = [which for which, own in (("the first", a), ("the second", b)) if own.held_out is None]
    if len(none) == 1 or (none and hold_out):  # also of sources whose other split is no part of the domain
        which = none[0] if len(none) == 1 else "either"
        notes.append(f"scores compare with training images, as nothing is held out of {which} domain")
    if a.held_out is not None and b.held_out is not None:
        held = _domains(
            f"held-out part of domains:{rest}", as_images(a.held_out, ""), as_images(b.held_out, "")
        )
    return _domains(f"domains:{rest}", a, b, held_out=held, notes=tuple(notes))


def _domains(name: str, a: Images, b: Images, **fields: Any) -> Arrays:
    n = max(len(a), len(b))
    as_long = lambda x: np.asarray(x) if len(x) == n else np.asarray(x)[np.arange(n) % len(x)]
    identity = hashlib.sha256(f"{a.fingerprint} {b.fingerprint}".encode()).hexdigest()
    arrays = {"a": as_long(a.images), "b": as_long(b.images)}
    skipped = a.skipped + b.skipped
    return Arrays(name, arrays, DOMAINS, example="b", fingerprint=identity, skipped=skipped, **fields)


def one_domain(source: Source, name: str) -> Images:
    """The images of one of two domains, with what is held out of it; those that stand there again are taken once."""
    arrays: Mapping[str, np.ndarray] = source.arrays  # pyright: ignore

    def images(arrays: Mapping[str, np.ndarray]) -> np.ndarray:
        seen, rows = set(), []
        for i, image in enumerate(arrays[name]):
            key = hashlib.blake2b(np.ascontiguousarray(image).tobytes(), digest_size=8).digest()
            if key not in seen:
                seen.add(key)
                rows.append(i)
        return arrays[name][rows]

    held: Any = source.held_out
    other = None
    if held is not None:
        own = hashlib.sha256(f"{held.fingerprint} {name}".encode()).hexdigest()
        other = Images(held.name, images(held.arrays), None, class_names=(), fingerprint=own)
    identity = hashlib.sha256(f"{source.fingerprint} {name}".encode()).hexdigest()
    return Images(source.name, images(arrays), None, class_names=(), fingerprint=identity, held_out=other)


# --- pairs -----------------------------------------------------------------------------------------


def load_pairs(
    rest: str,
    *,
    resolution: int | None,
    channels: int | None,
    skip_broken: bool,
    hold_out: float,
    follow_links: bool,
) -> Arrays:
    """Pairs of images: "input" and what it should become, "image"; of 16 bits where one is, and all are grey.

    Where all lie in folders, as of `jaxgan.data.files.classes.class_folders`, these are their classes.

    Args:
      rest: "A,B", two folders (or zip archives) whose images are matched by name, without suffixes; or one folder, of
        images whose left half is the input and whose right half the image.
      resolution: as of `open_source`.
      channels: as of `open_source`; None: grey if all are, else RGB.
      skip_broken: as of `open_source`.
      hold_out: share of the pairs, as of `jaxgan.data.splits.with_hold_out`.
      follow_links: as of `open_source`.

    Raises:
      InputError: if there are no pairs, two images of a folder have one name, they differ in their sizes, or one is
        broken.
    """
    notes: list[str] = []
    if "," in rest:
        first, second = (_listed(part, follow_links) for part in two_of("pairs", rest))
        names = [_by_stem(first), _by_stem(second)]
        both = sorted(names[0].keys() & names[1].keys())
        if not both:
            raise InputError(
                f"data.source: expected images of the same names in the two folders of {'pairs:' + rest!r}, found "
                f"none in both; the first has {next(iter(names[0]))!r}, the second {next(iter(names[1]))!r}"
            )
        alone = len(names[0]) + len(names[1]) - 2 * len(both)
        notes += (
            [f"left out, as the other folder has none of that name: {counted(alone, 'image')}"]
            if alone
            else []
        )
        files = [names[0][stem] for stem in both]
        read = lambda stem: (_content(first, names[0][stem]), _content(second, names[1][stem]))
    else:
        one = _listed(rest, follow_links)
        both = files = list(one.names)
        read = lambda name: (_content(one, name), None)
    pairs, broken, forms, shape = [], [], list[int](), None
    folders, classes = dict(zip(both, class_folders(files) or (), strict=False)), list[str]()
    depth = channels or (1 if all(_every(is_grey_file, read, name) for name in both) else 3)
    deep = depth == 1 and not all(_every(lambda data: not is_deep_file(data), read, name) for name in both)
    for name in both:
        try:
            *found, form = _pair(read(name), resolution, depth, deep)
        except BrokenImage as error:
            if not skip_broken:
                raise InputError(
                    f"data.source: cannot read image {printable(name)!r} of {'pairs:' + rest!r} ({error}); "
                    "--data.skip-broken leaves such out"
                ) from error
            broken.append(name)
            continue
        shape = found[0].shape if shape is None else shape
        if any(x.shape != shape for x in found):
            raise InputError(
                f"data.resolution: expected a size, as the images of {'pairs:' + rest!r} differ in theirs: "
                f"{printable(name)!r} is not {shape[0]}x{shape[1]}; say one, such as --data.resolution 64"
            )
        pairs.append(found)
        classes += [folders[name]] if folders else []
        forms += form
    if not pairs:
        raise InputError(
            f"data.source: expected pairs of images in {'pairs:' + rest!r}, found none that can be read"
        )
    arrays = {"image": np.stack([x for _, x in pairs]), "input": np.stack([x for x, _ in pairs])}
    named: dict[str, Any] = {}
    if classes:
        arrays[LABEL], named["class_names"] = numbered(classes)
    bits = 8 * arrays["image"].dtype.itemsize
    notes += unread(len(broken))
    notes += changes(counts_of(forms), depth, deep="--data.channels 1", bits=bits)
    name, held = f"pairs:{rest}", None
    rows = held_out_rows(arrays["image"], hold_out)
    if classes and len(rows):
        rows = without_whole_classes(rows, arrays[LABEL])
    if not 0 < len(rows) < len(pairs):
        notes += said_of_none_held(len(pairs), hold_out, "pair")
    else:
        of = {key: x[rows] for key, x in arrays.items()}
        held = Arrays(f"held-out part of {name}", of, PAIR, example="image", **named)
        rest_of = np.setdiff1d(np.arange(len(pairs)), rows)
        arrays = {key: x[rest_of] for key, x in arrays.items()}
        notes.append(said_of_held(len(rows), len(pairs), "pair"))
    own = Arrays(name, arrays, PAIR, example="image", notes=tuple(notes), skipped=len(broken), **named)
    return own if held is None else replace(own, held_out=with_classes_of(own, held))


def _listed(path: str, follow_links: bool) -> Listing:
    root = expanded(path.removeprefix("folder:"))
    if not root.exists():
        raise InputError(
            f"data.source: expected a folder or a zip archive of images, got {printable(root)!r}, which does not exist"
        )
    found = listing(root, follow_links=follow_links)
    if not found.names:
        raise InputError(f"data.source: expected images in {printable(root)!r}, found none")
    return found


def _by_stem(files: Listing) -> dict[str, str]:
    found: dict[str, str] = {}
    for name in files.names:
        stem = str(pathlib.PurePosixPath(name).with_suffix(""))
        if (other := found.setdefault(stem, name)) != name:
            raise InputError(
                f"data.source: expected one image of each name, but for its suffix, in {printable(files.path)!r}, got "
                f"{printable(other)!r} and {printable(name)!r}"
            )
    return found


def _content(files: Listing, name: str) -> bytes:
    try:
        return files.read(name)
    except Exception as error:  # damaged archives surface as many types
        raise BrokenImage(str(error) or type(error).__name__) from error


def _every(
    holds: Callable[[bytes], bool], read: Callable[[str], tuple[bytes, bytes | None]], name: str
) -> bool:
    """Whether both files of a pair are so; a broken one counts as so, and is dealt with when it is decoded."""
    try:
        return all(holds(content) for content in read(name) if content is not None)
    except Exception:
        return True


def _pair(
    contents: tuple[bytes, bytes | None], resolution: int | None, depth: int, deep: bool
) -> tuple[np.ndarray, np.ndarray, list[int]]:
    """The two images of a pair, and the forms of their files."""
    pixels = lambda image: deep_pixels(image, resolution) if deep else to_pixels(image, resolution, depth)
    first, second = contents
    image = open_image(first)
    form = form_of(first, image)
    if second is not None:
        other = open_image(second)
        return pixels(image), pixels(other), [form, form_of(second, other)]
    half = image.width // 2
    if half < 1:
        raise BrokenImage(f"{image.width} pixels are too few for two halves")
    left = image.crop((0, 0, half, image.height))
    right = image.crop((image.width - half, 0, image.width, image.height))
    return pixels(left), pixels(right), [form]
