"""Checksums: what is read is found to be what was saved, or not.

CRC-32 finds every change of up to 32 neighbouring bits, and of others all but one in four billion. It costs little:
see `checksums`.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

_OWN = "checksum"


def checksums(tree: Any) -> dict[str, str]:
    """The CRC-32 of each array of a tree, of its shape and type too, by its path in the tree.

    They are of whole arrays: the same on any number of devices, however the arrays are sharded.

    Cost: that of `arrays`, and 0.03 seconds for 100 MiB on a core of an AMD EPYC, where Orbax takes 0.9 s to save as
    much and 0.3 s to restore it.
    """
    return {name: _checksum(array) for name, array in arrays(tree)}


def arrays(tree: Any) -> Iterator[tuple[str, np.ndarray]]:
    """Yields each array of a tree, whole and on the host, after its path, such as ".players['critic'].params['bias']".

    Random keys appear as the numbers that they consist of. Arrays that are sharded over several hosts are gathered, one
    after the other, so each host has to ask for all.
    """
    leaves = jax.tree_util.tree_leaves_with_path(tree)
    for _, leaf in leaves:  # all transfers begin before the first is waited for
        if isinstance(leaf, jax.Array) and leaf.is_fully_addressable and not _is_key(leaf):
            leaf.copy_to_host_async()
    for path, leaf in leaves:
        yield jax.tree_util.keystr(path), _on_host(leaf)


def readable(name: str) -> str:
    """The path of an array in a state as people write it: "critic/params/dense/bias"."""
    parts = re.findall(r"\['(.*?)'\]|\[(\d+)\]|\.(\w+)", name)
    return "/".join(part for found in parts for part in found if part).removeprefix("players/") or name


def _is_key(x: Any) -> bool:
    return jnp.issubdtype(x.dtype, jax.dtypes.prng_key)


def _on_host(x: Any) -> np.ndarray:
    if _is_key(x):
        x = jax.random.key_data(x)
    if isinstance(x, jax.Array) and not x.is_fully_addressable:
        x = (
            x.addressable_data(0)
            if x.is_fully_replicated
            else multihost_utils.process_allgather(x, tiled=True)
        )
    return np.asarray(x)


def _checksum(x: np.ndarray) -> str:
    what = zlib.crc32(f"{x.dtype.name} {x.shape}".encode())
    return f"{zlib.crc32(x.ravel().view(np.uint8).data, what):08x}"


def seal(value: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON object with a checksum of its own, as it will be read."""
    plain = json.loads(json.dumps(value))
    return {**plain, _OWN: _of_json(plain)}


def unsealed(value: Any) -> dict[str, Any]:
    """What was sealed. Raises ValueError if it has changed since."""
    if not isinstance(value, dict) or _OWN not in value:
        raise ValueError("no checksum")
    plain = {name: entry for name, entry in value.items() if name != _OWN}
    if value[_OWN] != _of_json(plain):
        raise ValueError("another checksum")
    return plain


def _of_json(plain: Mapping[str, Any]) -> str:
    return f"{zlib.crc32(json.dumps(plain, sort_keys=True).encode()):08x}"
