"""Makes dinov2.npz: tokens of a narrow, shallow DINOv2 and interpolated position embeddings, by PyTorch.

    pip install --no-deps "transformers==4.57.6" "huggingface_hub==0.36.2" "tokenizers==0.22.2" regex
    python tests/golden/make_dinov2.py

Made with these, torch 2.13.0 (CPU) and NumPy 2.4.6. Weights and images come from NumPy's default_rng on both
sides, by the functions below; only the results are kept.
"""

from __future__ import annotations

import math
import pathlib

import numpy as np

PATH = pathlib.Path(__file__).with_name("dinov2.npz")
WIDTH, DEPTH, HEADS, GRID, PATCH = 24, 3, 3, 5, 14
INTERPOLATIONS = ((37, 16, 16), (37, 7, 20), (5, 3, 4), (5, 9, 5))  # from grid² to rows x columns


def tensors(width: int, depth: int, grid: int, patch: int = PATCH, seed: int = 0) -> dict[str, np.ndarray]:
    """Random float32 tensors with the names and shapes of a published DINOv2 file."""
    shapes = {
        "cls_token": (1, 1, width),
        "pos_embed": (1, 1 + grid**2, width),
        "patch_embed.proj.weight": (width, 3, patch, patch),
        "patch_embed.proj.bias": (width,),
    }
    for i in range(depth):
        block = {
            "norm1.weight": (width,),
            "norm1.bias": (width,),
            "attn.qkv.weight": (3 * width, width),
            "attn.qkv.bias": (3 * width,),
            "attn.proj.weight": (width, width),
            "attn.proj.bias": (width,),
            "ls1.gamma": (width,),
            "norm2.weight": (width,),
            "norm2.bias": (width,),
            "mlp.fc1.weight": (4 * width, width),
            "mlp.fc1.bias": (4 * width,),
            "mlp.fc2.weight": (width, 4 * width),
            "mlp.fc2.bias": (width,),
            "ls2.gamma": (width,),
        }
        shapes |= {f"blocks.{i}.{name}": shape for name, shape in block.items()}
    shapes |= {"norm.weight": (width,), "norm.bias": (width,)}
    rng = np.random.default_rng(seed)
    return {name: _draw(rng, name, shape) for name, shape in shapes.items()}


def _draw(rng: np.random.Generator, name: str, shape: tuple[int, ...]) -> np.ndarray:
    x = rng.normal(size=shape).astype(np.float32)
    if name.split(".")[0] in ("cls_token", "pos_embed", "patch_embed"):
        # so small that the epsilon of the first normalisation counts
        return x * np.float32(0.003 / np.sqrt(np.prod(shape[1:]) if len(shape) == 4 else 1))
    if len(shape) == 2:  # attention is then neither flat nor one-hot, and GELU sees both its ends
        return x * np.float32(1.5 / np.sqrt(shape[1]))
    factor = name.endswith("gamma") or ("norm" in name and name.endswith("weight"))
    return x * np.float32(0.3) + np.float32(factor)


def images(n: int, height: int, width: int, seed: int = 1) -> np.ndarray:
    """Random float32 images [n, height, width, 3], already normalised."""
    return np.random.default_rng(seed).normal(size=(n, height, width, 3)).astype(np.float32)


def position_table(grid: int) -> np.ndarray:
    """Random position embeddings [1, 1 + grid², 2]."""
    return np.random.default_rng(2).normal(size=(1, 1 + grid**2, 2)).astype(np.float32)


def reference(depth: int, heads: int, state: dict[str, np.ndarray]):
    """The model of Hugging Face with the tensors, for images of as many patches as these have positions."""
    import torch
    from transformers import Dinov2Config, Dinov2Model

    _, positions, width = state["pos_embed"].shape
    config = Dinov2Config(
        hidden_size=width,
        num_hidden_layers=depth,
        num_attention_heads=heads,
        image_size=math.isqrt(positions - 1) * PATCH,
        patch_size=PATCH,
    )
    model = Dinov2Model(config)
    named = {"embeddings.mask_token": np.zeros((1, width), np.float32)}
    for name, value in state.items():
        if ".qkv." in name:
            for part, third in zip(("query", "key", "value"), np.split(value, 3), strict=True):
                named[_transformers_name(name.replace("qkv", f"attention.{part}"))] = third
        else:
            named[_transformers_name(name)] = value
    model.load_state_dict({name: torch.from_numpy(value) for name, value in named.items()})
    return model.eval()


def _transformers_name(name: str) -> str:
    """The original's name of a tensor -> that of Hugging Face."""
    if name.startswith("norm."):
        return f"layer{name}"
    for old, new in (
        ("cls_token", "embeddings.cls_token"),
        ("pos_embed", "embeddings.position_embeddings"),
        ("patch_embed.proj.", "embeddings.patch_embeddings.projection."),
        ("blocks.", "encoder.layer."),
        (".attn.proj.", ".attention.output.dense."),
        (".attn.", ".attention."),
        (".ls1.gamma", ".layer_scale1.lambda1"),
        (".ls2.gamma", ".layer_scale2.lambda1"),
    ):
        name = name.replace(old, new)
    return name


def interpolated(table: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Position embeddings [1 + rows·columns, width] as DINOv2 asks PyTorch for them, with its offset of 0.1."""
    import torch

    grid = math.isqrt(table.shape[1] - 1)
    patches = torch.from_numpy(table[:, 1:].reshape(1, grid, grid, -1).transpose(0, 3, 1, 2))
    factors = ((rows + 0.1) / grid, (columns + 0.1) / grid)
    out = torch.nn.functional.interpolate(patches, scale_factor=factors, mode="bicubic", align_corners=False)
    out = out.numpy().transpose(0, 2, 3, 1)
    assert out.shape[1:3] == (rows, columns)
    return np.concatenate([table[0, :1], out.reshape(rows * columns, -1)])


def main() -> None:
    import torch

    arrays = {f"positions_{g}_{r}_{c}": interpolated(position_table(g), r, c) for g, r, c in INTERPOLATIONS}
    model = reference(DEPTH, HEADS, tensors(WIDTH, DEPTH, GRID))
    with torch.no_grad():
        x = torch.from_numpy(images(2, GRID * PATCH, GRID * PATCH).transpose(0, 3, 1, 2))
        arrays["tokens"] = model(x).last_hidden_state.numpy()
    np.savez_compressed(PATH, **arrays)


if __name__ == "__main__":
    main()
