"""Samples from the generator beside this file: python sample.py --seeds 0 1 2 3 --out samples.npy

Needs jax, flatbuffers and numpy (and Pillow for .png), and nothing of what it was trained with. A seed always gives
the same example. In Python: `from sample import sample; sample([0, 1, 2])`.
"""

from __future__ import annotations

import argparse
import functools
import json
import pathlib
from collections.abc import Sequence
from typing import Any

import jax.export
import numpy as np

_HERE = pathlib.Path(__file__).resolve().parent


@functools.cache
def _program() -> Any:
    return jax.export.deserialize(bytearray((_HERE / "sample.jaxexport").read_bytes()))


def sample(seeds: Sequence[int], labels: Sequence[int] | None = None) -> np.ndarray:
    """The examples [n, ...] of seeds; of a generator with classes, those of `labels`, by default seed % classes."""
    program, rows = _program(), np.asarray(seeds, np.uint32)
    inputs: list[np.ndarray] = [rows]
    if len(program.in_avals) > 1:
        n_classes = json.loads((_HERE / "config.json").read_text())["n_classes"]
        inputs.append(np.asarray(rows % n_classes if labels is None else labels, np.int32))
    elif labels is not None:
        raise ValueError("labels: this generator has no classes")
    size = program.in_avals[0].shape[0]  # a number, or a letter where any number is taken
    if not isinstance(size, int):
        return np.asarray(program.call(*inputs))
    parts = []
    for start in range(0, len(rows), size):
        batch = [np.resize(x[start : start + size], size) for x in inputs]
        parts.append(np.asarray(program.call(*batch))[: len(rows) - start])
    return np.concatenate(parts)


def main() -> None:
    """Writes examples to a file: .npy, or .png, a row of pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=list(range(8)))
    parser.add_argument("--labels", type=int, nargs="+")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("samples.npy"))
    args = parser.parse_args()
    examples = sample(args.seeds, args.labels)
    if args.out.suffix == ".png":
        from PIL import Image

        row = np.concatenate(list(examples), axis=1)
        Image.fromarray(row[..., 0] if row.shape[-1] == 1 else row).save(args.out)
    else:
        np.save(args.out, examples)
    print(f"wrote {args.out}: {examples.shape}, {examples.dtype}")


if __name__ == "__main__":
    main()
