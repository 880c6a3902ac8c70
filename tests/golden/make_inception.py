"""Writes what PyTorch and torch-fidelity say of FID's Inception, for tests/test_inception.py and test_weights.py.

    python tests/golden/make_inception.py

Packages: torch 2.13.0, torch-fidelity 0.4.0 (pip install --no-deps torch-fidelity). Writes, beside itself,
inception.npz (features and logits of two images, values of every layer, resized images; weights are
`inception.random_weights(SEED)`), and a state dict of every kind of tensor as torch_zip.pth,
torch_legacy.pth and torch.safetensors.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile
from collections import OrderedDict
from typing import Any

import numpy as np

HERE = pathlib.Path(__file__).parent
sys.path.append(str(HERE.parents[1] / "experiments"))

import compare_inception as compare  # noqa: E402  # pyright: ignore[reportMissingImports]

from jaxgan.metrics.features import inception  # noqa: E402

SEED = 5
SHAPE = (48, 64, 3)  # of the two images
RESIZED = ((32, 32, 3), (48, 64, 3), (299, 299, 3), (301, 299, 1), (400, 333, 3))
SAMPLES = 48  # values stored of each layer and image


def sampled(values: np.ndarray) -> np.ndarray:
    """Some of the values of each example: [n, ...] -> [n, at most SAMPLES]."""
    flat = np.asarray(values).reshape(len(values), -1)
    return flat[:, np.linspace(0, flat.shape[1] - 1, SAMPLES).astype(int)]


def inception_values() -> dict[str, np.ndarray]:
    """By name: "features", "logits", "spatial", "layer/..." and "resize/..."."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "weights.pth"
        compare.save_torch(inception.random_weights(SEED), path)
        outputs = compare.Reference(path)(compare.random_images(SEED, 2, SHAPE))
    values = {name: outputs.pop(name) for name in ("features", "logits", "spatial")}
    values |= {f"layer/{name}": sampled(value) for name, value in outputs.items()}
    for shape in RESIZED:
        resized = compare.reference_resize(compare.random_images(SEED, 2, shape), inception.SIZE)
        values["resize/" + "x".join(map(str, shape))] = sampled(resized)
    return values


def state_dict() -> OrderedDict[str, Any]:
    """Tensors of every type and layout that the reader knows."""
    import torch

    base = torch.arange(12, dtype=torch.float32).reshape(3, 4)
    state = OrderedDict(base=base, transposed=base.T, part=base[1:, 1::2], expanded=base[:1, :1].expand(2, 3))
    for name in ("float64", "float16", "bfloat16", "int64", "int32", "int16", "int8", "uint8"):
        state[name] = torch.tensor([1, 2, 100], dtype=getattr(torch, name))
    state["bool"] = torch.tensor([True, False])
    state["parameter"] = torch.nn.Parameter(torch.tensor([0.5, -0.5]))
    state["scalar"] = torch.tensor(7)
    state["empty"] = torch.zeros(0, 3)
    state._metadata = OrderedDict({"": {"version": 2}})  # pyright: ignore[reportAttributeAccessIssue]
    return state


def main() -> None:
    """Writes all files."""
    import safetensors.torch
    import torch

    np.savez_compressed(HERE / "inception.npz", **inception_values())  # pyright: ignore[reportArgumentType]
    state = state_dict()
    torch.save(state, HERE / "torch_zip.pth")
    torch.save(state, HERE / "torch_legacy.pth", _use_new_zipfile_serialization=False)
    whole = {name: tensor.detach().clone().contiguous() for name, tensor in state.items()}
    safetensors.torch.save_file(whole, HERE / "torch.safetensors")


if __name__ == "__main__":
    main()
