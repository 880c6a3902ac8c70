"""Samples from the generator beside this file: python sample.py --seeds 0-7 --out samples.npy

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
    program = _program()
    if not len(seeds) or min(seeds) < 0 or max(seeds) >= 2**32:
        raise ValueError(f"seeds: expected whole numbers from 0 to {2**32 - 1}, got {list(seeds)[:9]}")
    rows = np.asarray(seeds, np.uint32)
    inputs: list[np.ndarray] = [rows]
    if len(program.in_avals) > 1:
        n_classes = json.loads((_HERE / "config.json").read_text())["n_classes"]
        if labels is not None and (len(labels) != len(seeds) or min(labels) < 0 or max(labels) >= n_classes):
            raise ValueError(
                f"labels: expected {len(seeds)} numbers from 0 to {n_classes - 1}, one a seed, got {list(labels)[:9]}"
            )
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


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def main() -> None:
    """Writes examples to a file: .npy, or .png, a row of pictures."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--seeds", type=_seeds, nargs="+", default=[range(8)], help="such as 0-7, or 3 5 20-29"
    )
    parser.add_argument("--labels", type=int, nargs="+", help="class of each, or one for all")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path("samples.npy"))
    args = parser.parse_args()
    if args.out.suffix not in (".npy", ".png"):
        parser.error(f"out: expected a .npy or .png file, got {str(args.out)!r}")
    seeds, labels = [seed for part in args.seeds for seed in part], args.labels
    try:
        examples = sample(seeds, labels * len(seeds) if labels and len(labels) == 1 else labels)
    except ValueError as error:
        parser.error(str(error))
    if args.out.suffix == ".png":
        from PIL import Image

        row = np.concatenate(list(examples), axis=1)
        Image.fromarray(row[..., 0] if row.shape[-1] == 1 else row).save(args.out)
    else:
        np.save(args.out, examples)
    print(f"wrote {args.out}: {examples.shape}, {examples.dtype}")


if __name__ == "__main__":
    main()
