"""Images from a folder, a zip archive, or an npz file."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import pathlib
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.data import cache
from jaxgan.data.pixels import BrokenImage, check_images, is_grey, open_image, resized, to_pixels
from jaxgan.data.source import Images, fingerprint

SUFFIXES = (".png", ".jpg", ".jpeg", ".webp")


@dataclass(frozen=True)
class _Listing:
    names: list[str]  # relative, with "/", sorted
    identity: str  # changes when a file does
    read: Callable[[str], bytes]


@contextmanager
def _listing(path: pathlib.Path) -> Iterator[_Listing]:
    def wanted(name: str) -> bool:
        parts = name.split("/")
        hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
        return parts[-1].lower().endswith(SUFFIXES) and not hidden

    digest = hashlib.sha256()
    if path.is_dir():
        files = [
            pathlib.Path(root, name) for root, _, names in os.walk(path, followlinks=True) for name in names
        ]
        names = sorted(name for f in files if wanted(name := f.relative_to(path).as_posix()))
        for name in names:
            stat = (path / name).stat()
            digest.update(f"{name}\0{stat.st_size}\0{stat.st_mtime_ns}\0".encode())
        yield _Listing(names, digest.hexdigest(), lambda name: (path / name).read_bytes())
    else:
        try:
            archive = zipfile.ZipFile(path)
        except zipfile.BadZipFile as error:
            raise InputError(
                f"data.source: expected a folder or a zip archive, got {str(path)!r} ({error})"
            ) from error
        with archive:
            entries = sorted((e for e in archive.infolist() if wanted(e.filename)), key=lambda e: e.filename)
            for entry in entries:
                digest.update(f"{entry.filename}\0{entry.file_size}\0{entry.CRC}\0".encode())
            yield _Listing([entry.filename for entry in entries], digest.hexdigest(), archive.read)


def load_folder(
    path: str, *, resolution: int | None = None, channels: int | None = None, skip_broken: bool = False
) -> Images:
    """Opens the PNG, JPEG and WebP images below a folder or inside a zip archive, which is never unpacked.

    If every image lies in a first-level sub-folder, these are the classes, in alphabetical order. Images
    are decoded once into the cache, and again when a file's name, size, time or checksum changes. They
    have 8 bits a channel; deeper ones are rounded.

    Args:
      path: of the folder or archive.
      resolution: side of the square images in pixels; None keeps their size, which must then be the same.
      channels: 1, 2 (grey and alpha), 3 or 4 (RGBA); None gives 1 if all images are grey, else 3.
      skip_broken: whether broken files are left out, and counted.

    Raises:
      InputError: if there is nothing at `path`, it has no image or a broken one (which is named), or
        the images differ in size and there is no `resolution`.
    """
    root = pathlib.Path(path).expanduser()
    if not root.exists():
        raise InputError(
            f"data.source: expected a folder or a zip archive, got {str(root)!r}, which does not exist"
        )
    with _listing(root) as files:
        if not files.names:
            raise InputError(f"data.source: expected PNG, JPEG or WebP images in {str(root)!r}, found none")
        key = {
            "kind": "folder",
            "files": files.identity,
            "resolution": resolution,
            "channels": channels,
            "skip_broken": skip_broken,
        }
        decoded = cache.cached(
            key, lambda folder: _decode(root, files, folder, resolution, channels, skip_broken)
        )
    return Images(
        f"folder:{path}",
        decoded.images,
        decoded.labels,
        decoded.class_names,
        decoded.fingerprint,
        decoded.skipped,
    )


def _decode(
    root: pathlib.Path,
    files: _Listing,
    folder: pathlib.Path,
    resolution: int | None,
    channels: int | None,
    skip_broken: bool,
) -> tuple[np.ndarray, np.ndarray | None, tuple[str, ...], int]:
    def image_of(name: str) -> np.ndarray | BrokenImage:
        try:
            return to_pixels(open_image(files.read(name)), resolution, depth)
        except Exception as error:  # damaged images and archives surface as many types
            return error if isinstance(error, BrokenImage) else BrokenImage(str(error))

    depth = channels or (1 if _all_grey(files) else 3)
    good: list[str] = []
    images: np.memmap | None = None
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        names = iter(files.names)
        while chunk := list(islice(names, 256)):  # bounds the decoded images in flight
            for name, pixels in zip(chunk, pool.map(image_of, chunk), strict=True):
                if isinstance(pixels, BrokenImage):
                    if skip_broken:
                        continue
                    raise InputError(
                        f"data.source: broken image {str(root / name)!r} ({pixels}); "
                        "--data.skip-broken leaves such files out"
                    )
                if images is None:
                    shape = (len(files.names), *pixels.shape)
                    images = cache.new_images(folder / "images.npy", shape)
                if pixels.shape != images.shape[1:]:
                    raise InputError(
                        f"data.resolution: expected a size, as images differ: {good[0]!r} has "
                        f"{images.shape[1]}x{images.shape[2]} pixels, {name!r} {pixels.shape[0]}x{pixels.shape[1]}"
                    )
                images[len(good)] = pixels
                good.append(name)
    if images is None:
        raise InputError(f"data.source: all {len(files.names)} images in {str(root)!r} are broken")
    skipped = len(files.names) - len(good)
    if skipped:  # the file is longer than needed: written again
        kept = cache.new_images(folder / "kept.npy", (len(good), *images.shape[1:]))
        for start in range(0, len(good), 256):
            kept[start : start + 256] = images[start : min(start + 256, len(good))]
        kept.flush()
        os.replace(folder / "kept.npy", folder / "images.npy")
        images = np.lib.format.open_memmap(folder / "images.npy", "r+")
    labels, class_names = _classes(good)
    return images, labels, class_names, skipped


def _all_grey(files: _Listing) -> bool:
    """Whether no image has colour; mostly the first one tells, and headers are enough."""
    for name in files.names:
        with contextlib.suppress(Exception):  # broken ones are dealt with when they are decoded
            from PIL import Image

            if not is_grey(Image.open(io.BytesIO(files.read(name)))):
                return False
    return True


def _classes(names: list[str]) -> tuple[np.ndarray | None, tuple[str, ...]]:
    if not all("/" in name for name in names):
        return None, ()
    folders = [name.split("/")[0] for name in names]
    class_names = sorted(set(folders))
    if len(class_names) == 1 and any(name.count("/") > 1 for name in names):  # one top folder in a zip
        return _classes([name.split("/", 1)[1] for name in names])
    index = {name: i for i, name in enumerate(class_names)}
    return np.asarray([index[folder] for folder in folders], np.int32), tuple(class_names)


def load_npz(path: str, *, resolution: int | None = None, channels: int | None = None) -> Images:
    """Opens the arrays "images", uint8 or uint16 [n, h, w] or [n, h, w, c], and "labels" of an npz file.

    Images of 1 channel are grey, of 2 grey and alpha, of 3 RGB, of 4 RGB and alpha. Labels are integers
    [n] from 0 on, and may be missing.

    Raises:
      InputError: if the file is missing or no npz, or an array is missing or of the wrong shape.
    """
    try:
        with np.load(pathlib.Path(path).expanduser(), allow_pickle=False) as archive:
            if "images" not in archive:
                raise InputError(
                    f"data.source: expected an array 'images' in {path!r}, found {sorted(archive)}"
                )
            images, labels = archive["images"], archive.get("labels")
    except FileNotFoundError as error:
        raise InputError(f"data.source: expected an npz file, got {path!r}, which does not exist") from error
    except InputError:
        raise
    except Exception as error:  # damaged archives surface as many types
        raise InputError(
            f"data.source: expected an npz file of plain arrays, got {path!r} ({error})"
        ) from error
    images = resized(check_images(f"data.source: 'images' of {path!r}", images), resolution, channels)
    class_names: tuple[str, ...] = ()
    if labels is not None:
        if labels.shape != (len(images),) or not np.issubdtype(labels.dtype, np.integer):
            raise InputError(
                f"data.source: 'labels' of {path!r}: expected {len(images)} integers, "
                f"got {labels.dtype} of shape {labels.shape}"
            )
        if not 0 <= labels.min() <= labels.max() < 2**16:
            raise InputError(
                f"data.source: 'labels' of {path!r}: expected integers from 0 to {2**16 - 1}, "
                f"got {labels.min()} to {labels.max()}"
            )
        labels = labels.astype(np.int32)
        class_names = tuple(str(i) for i in range(int(labels.max()) + 1))
    return Images(f"npz:{path}", images, labels, class_names, fingerprint(images, labels))
