"""Compares our DINOv2 with that of Hugging Face on the same random weights, and our resizing with Pillow's.

    pip install --no-deps transformers==4.57.6 huggingface_hub==0.36.2 tokenizers==0.22.2 regex   # beside torch
    python experiments/compare_dinov2.py [--size s] [--images 2]

Hardware: any. Time without a GPU: 14 processor seconds, with --size l --images 1 half a minute. No trained
weights are needed. Expected: every relative difference (largest difference over largest value) below
1e-4 (measured: 3.3e-6 and less), that of the 8-bit resize 0.

Hugging Face interpolates position embeddings in another way than the original does, so its model gets
those that torch.nn.functional.interpolate makes when called as the original calls it.
"""

from __future__ import annotations

import pathlib
import runpy
import sys
from dataclasses import dataclass
from typing import Any, Literal

import jax
import numpy as np
from PIL import Image

from jaxgan.cli.arguments import run_script
from jaxgan.common.packages import need
from jaxgan.metrics.features import dinov2
from jaxgan.metrics.features.resizing import resize_pillow

GOLDEN = runpy.run_path(str(pathlib.Path(__file__).parents[1] / "tests" / "golden" / "make_dinov2.py"))
GRID = dinov2.RESOLUTION // 14


@dataclass(frozen=True)
class Args:
    """What is compared."""

    size: Literal["s", "l"] = "s"
    """ViT-S/14 or ViT-L/14."""
    images: int = 2
    """How many random images."""


def row(name: str, ours: Any, theirs: Any) -> None:
    """Prints one line of the table."""
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    assert ours.shape == theirs.shape, (ours.shape, theirs.shape)
    difference, largest = np.abs(ours - theirs).max(), np.abs(theirs).max()
    print(f"{name:36} {difference:12.2e} {largest:12.2e} {difference / largest:12.2e}", flush=True)


def compare_resizing() -> None:
    """Against Pillow, up and down, square and not."""
    to = dinov2.RESOLUTION
    for shape in ((32, 32), (64, 48), (256, 256), (301, 517)):
        image = np.random.default_rng(0).integers(0, 256, (1, *shape, 3), np.uint8)
        size = f"{shape[0]} x {shape[1]} -> {to} x {to}"
        channels = [Image.fromarray(np.float32(image[0, ..., c])) for c in range(3)]
        floats = [np.asarray(c.resize((to, to), Image.Resampling.BICUBIC)) for c in channels]
        row(f"{size}, float", resize_pillow(image, (to, to))[0], np.stack(floats, -1).clip(0, 255))
        rounded = Image.fromarray(image[0]).resize((to, to), Image.Resampling.BICUBIC)
        row(f"{size}, 8-bit", resize_pillow(image, (to, to), rounded=True)[0], np.asarray(rounded))


def compare_network(args: Args) -> None:
    """Against the blocks, tokens and class token of Hugging Face's model."""
    import torch  # pyright: ignore[reportMissingImports]

    network, _ = dinov2.NETWORKS[args.size]
    tensors = GOLDEN["tensors"](network.width, network.depth, network.grid)
    positions = GOLDEN["interpolated"](tensors["pos_embed"], GRID, GRID)[None]
    row(
        "positions 37 x 37 -> 16 x 16",
        dinov2.position_embeddings(tensors["pos_embed"], GRID, GRID),
        positions,
    )

    images = GOLDEN["images"](args.images, dinov2.RESOLUTION, dinov2.RESOLUTION)
    model = GOLDEN["reference"](network.depth, network.heads, tensors | {"pos_embed": positions})
    with torch.no_grad():
        theirs = model(torch.from_numpy(images.transpose(0, 3, 1, 2)), output_hidden_states=True)

    @jax.jit
    def ours_of(params: Any, x: jax.Array) -> Any:
        is_block = lambda module, method: isinstance(module, dinov2.Block)
        return network.apply({"params": params}, x, capture_intermediates=is_block)

    ours, captured = ours_of(dinov2.unflatten(dinov2.convert(network, tensors)), images)
    for i in sorted({0, 1, *range(3, network.depth, 4)}):
        row(
            f"tokens after block {i + 1}",
            captured["intermediates"][f"blocks_{i}"]["__call__"][0],
            theirs.hidden_states[i + 1],
        )
    row("tokens, normalised", ours, theirs.last_hidden_state)
    row("class token (the features)", ours[:, 0], theirs.pooler_output)


def main(args: Args) -> None:
    packages = "transformers==4.57.6 huggingface_hub==0.36.2 tokenizers==0.22.2 regex"
    command = f"pip install torch && pip install --no-deps {packages}"
    need(["torch", "transformers", "huggingface_hub", "tokenizers"], "the comparison", command)
    print(f"{'':36} {'difference':>12} {'largest':>12} {'relative':>12}")
    compare_resizing()
    compare_network(args)


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
