"""Latents and directions in npz files."""

from __future__ import annotations

import io
import json
import pathlib
from typing import Any

import numpy as np

from jaxgan.apps.editing.directions import Directions
from jaxgan.apps.network import SPACES, Network, Space
from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded, printable, read_bytes, write_atomically

_LARGEST = 2**28
_KIND = "jaxgan"  # the array that says what a file holds


def write_latents(
    path: pathlib.Path,
    space: Space,
    latents: np.ndarray,
    labels: np.ndarray | None,
    **told: Any,
) -> None:
    """Writes latents [n, ...] of a space with their classes; `told` is kept as JSON beside them."""
    arrays = {"space": np.asarray(space), "latents": latents.astype(np.float32)}
    if labels is not None:
        arrays["labels"] = labels.astype(np.int32)
    _write(path, "latents", arrays, told)


def read_latents(path: pathlib.Path, network: Network) -> tuple[Space, np.ndarray, np.ndarray | None]:
    """Space, latents [n, ...] and classes [n] (or None) of a file of `write_latents`, which must fit the network.

    Raises:
      InputError: for a file that is none, or of another network.
    """
    found = _read("latent", path, "latents", ("space", "latents"))
    space, v = _space("latent", path, found), np.asarray(found["latents"])
    _check_space("latent", path, space, network)
    wanted = network.style_shape if space == "w+" else (network.dim(space),)
    if v.dtype != np.float32 or v.shape[1:] != wanted or not len(v) or not np.isfinite(v).all():
        raise InputError(
            f"latent: expected finite float32 [n, {', '.join(map(str, wanted))}] of {space} in {printable(path)!r}, "
            f"got {v.dtype} of shape {v.shape}; it is of another run"
        )
    labels = found.get("labels")
    if labels is not None and labels.dtype.kind not in "iu":
        raise _damaged("latent", path)
    if (labels is None) == bool(network.n_classes) or (
        labels is not None
        and (labels.shape != (len(v),) or not (labels >= 0).all() or labels.max() >= network.n_classes)
    ):
        raise InputError(
            f"latent: expected the classes of this run in {printable(path)!r}; it is of another run"
        )
    return space, v, None if labels is None else labels.astype(np.int32)


def write_directions(path: pathlib.Path, found: Directions, **told: Any) -> None:
    """Writes directions; `told` is kept as JSON beside them."""
    arrays = {
        "space": np.asarray(found.space),
        "directions": found.vectors.astype(np.float32),
        "scales": found.scales.astype(np.float32),
        "values": found.values.astype(np.float32),
        "names": np.asarray(found.names),
    }
    _write(path, "directions", arrays, {"method": found.method, "value": found.value, **told})


def read_directions(path: pathlib.Path, network: Network) -> Directions:
    """The directions in a file of `write_directions`, which must fit the network.

    Raises:
      InputError: for a file that is none, or of another network.
    """
    names = ("space", "directions", "scales", "values", "names", "about")
    found = _read("directions", path, "directions", names)
    space, vectors = _space("directions", path, found), np.asarray(found["directions"])
    _check_space("directions", path, space, network)
    k, dim = vectors.shape[0] if vectors.ndim else 0, network.dim(space)
    numbers = [vectors, found["scales"], found["values"]]
    if any(x.dtype.kind != "f" or not np.isfinite(x).all() for x in numbers):
        raise _damaged("directions", path)
    if vectors.shape != (k, dim) or not k:
        raise InputError(
            f"directions: expected finite numbers [n, {dim}] of {space} in {printable(path)!r}, got shape "
            f"{vectors.shape}; they are of another run"
        )
    if any(np.shape(found[name]) != (k,) for name in ("scales", "values", "names")):
        raise _damaged("directions", path)
    try:
        about = json.loads(str(found["about"]))
        told = [str(about.get(name, "")) for name in ("method", "value")]
    except (ValueError, AttributeError, RecursionError) as error:
        raise _damaged("directions", path) from error
    texts = [str(name) for name in found["names"]]
    return Directions(
        space,
        vectors,
        found["scales"],
        found["values"],
        texts,
        *told,
    )


def _write(path: pathlib.Path, kind: str, arrays: dict[str, Any], told: dict[str, Any]) -> None:
    buffer = io.BytesIO()
    about = json.dumps(told, default=float)
    np.savez_compressed(buffer, **{_KIND: np.asarray(kind), **arrays, "about": np.asarray(about)})
    write_atomically(path, buffer.getvalue())


def _read(argument: str, path: pathlib.Path, kind: str, names: tuple[str, ...]) -> dict[str, np.ndarray]:
    try:
        data = read_bytes(argument, expanded(path), largest=_LARGEST)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise InputError(f"{argument}: expected a file, got nothing at {printable(path)!r}") from error
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
            found = {name: arrays[name] for name in arrays.files}
    except Exception as error:  # damaged archives surface as many types
        raise _damaged(argument, path) from error
    if str(found.get(_KIND)) != kind or (set(names) - found.keys()):
        raise InputError(f"{argument}: expected an .npz of {kind}, got {printable(path)!r}, which holds none")
    return found


def _space(argument: str, path: pathlib.Path, found: dict[str, np.ndarray]) -> Any:
    space = str(found["space"])
    if space not in SPACES:
        raise _damaged(argument, path)
    return space


def _check_space(argument: str, path: pathlib.Path, space: Space, network: Network) -> None:
    if space not in network.spaces:
        raise InputError(
            f"{argument}: expected one of z, as this family has no mapping network, got {printable(path)!r} of "
            f"{space}; it is of another run"
        )


def _damaged(argument: str, path: pathlib.Path) -> InputError:
    return InputError(f"{argument}: cannot read {printable(path)!r}: it is damaged, or no .npz")
