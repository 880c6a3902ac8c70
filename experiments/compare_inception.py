"""Compares FID's Inception with that of torch-fidelity, layer by layer, on the same random weights.

    python experiments/compare_inception.py [--seed 0] [--weights FILE]

Packages: torch and torch-fidelity (pip install torch; pip install --no-deps torch-fidelity), for this
script only. The published weights are not needed: random ones are written by `torch.save`, in both of
its formats, and read by jaxgan's own reader; `--weights` takes the published file instead. Hardware: two CPU cores.
Time: about one minute. Expected: every difference below 1e-4 of the largest value of its layer; it ends
with status 1 otherwise.
"""

from __future__ import annotations

import importlib
import importlib.util
import pathlib
import sys
import tempfile
import types
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.cli.arguments import run_script
from jaxgan.common.packages import need
from jaxgan.metrics.features import inception
from jaxgan.metrics.features.resizing import resize_tf1
from jaxgan.models.pretrained.torch_files import read_torch

# What the compared layers are called in both networks, in order.
LAYERS = (
    *("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3"),
    *(f"Mixed_{block}" for block in ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")),
)
SHAPES = ((32, 32, 3), (48, 64, 3), (299, 299, 3), (301, 301, 3), (400, 333, 3), (28, 28, 1))
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Args:
    """What is compared."""

    seed: int = 0
    """Seed of the weights and the images."""
    weights: pathlib.Path | None = None
    """The published file, instead of random weights."""


def tapped(variables: Any, images: jax.Array) -> dict[str, jax.Array]:
    """The outputs of every layer of `LAYERS`, and "features", "logits" and "spatial", of preprocessed images."""
    outputs, state = inception.InceptionV3().apply(
        variables,
        images,
        capture_intermediates=lambda module, _: module.name in LAYERS,
        mutable=["intermediates"],
    )
    layers = {name: state["intermediates"][name]["__call__"][0] for name in LAYERS}
    return layers | outputs._asdict()


class Reference:
    """torch-fidelity's extractor, with the outputs of its layers."""

    def __init__(self, weights: pathlib.Path) -> None:
        """The network with the weights of a file that PyTorch reads."""
        module = _import_alone("feature_extractor_inceptionv3")
        self._network = module.FeatureExtractorInceptionV3(
            "inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=str(weights)
        )
        self._layers: dict[str, np.ndarray] = {}
        for name in (*LAYERS, "Mixed_6d.branch1x1"):
            self._network.get_submodule(name).register_forward_hook(
                lambda _, __, output, name=name: self._layers.update({name: _nhwc(output)})
            )

    def __call__(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """As `tapped`, of uint8 images [n, h, w, c]; grey ones are repeated over the channels."""
        import torch  # pyright: ignore[reportMissingImports]

        rgb = np.broadcast_to(images, (*images.shape[:3], 3))
        with torch.no_grad():
            features, logits = self._network(
                torch.from_numpy(np.ascontiguousarray(rgb.transpose(0, 3, 1, 2)))
            )
        layers = dict(self._layers)
        spatial = layers.pop("Mixed_6d.branch1x1")[..., :7].reshape(len(images), -1)
        return layers | {"features": features.numpy(), "logits": logits.numpy(), "spatial": spatial}


def reference_resize(images: np.ndarray, size: int) -> np.ndarray:
    """torch-fidelity's copy of TensorFlow 1's bilinear resize."""
    import torch  # pyright: ignore[reportMissingImports]

    resize = _import_alone("interpolate_compat_tensorflow").interpolate_bilinear_2d_like_tensorflow1x
    x = torch.from_numpy(images.transpose(0, 3, 1, 2).astype(np.float32))
    return _nhwc(resize(x, size=(size, size), align_corners=False))


def _nhwc(x: Any) -> np.ndarray:
    return x.numpy().transpose(0, 2, 3, 1).copy()


def _import_alone(name: str) -> Any:
    """A module of torch-fidelity without its package, which asks for more packages than the module needs."""
    if "torch_fidelity" not in sys.modules:
        spec = importlib.util.find_spec("torch_fidelity")
        assert spec is not None  # as `main` has seen to
        package = types.ModuleType("torch_fidelity")
        package.__path__ = list(spec.submodule_search_locations or ())
        sys.modules["torch_fidelity"] = package
    return importlib.import_module(f"torch_fidelity.{name}")


def random_images(seed: int, n: int, shape: tuple[int, int, int]) -> np.ndarray:
    """uint8 [n, *shape], each pixel on its own; the same with every version of NumPy."""
    size = n * int(np.prod(shape))
    return (np.random.PCG64(seed).random_raw(size) >> np.uint64(56)).astype(np.uint8).reshape(n, *shape)


def save_torch(tensors: dict[str, np.ndarray], path: pathlib.Path, *, legacy: bool = False) -> None:
    """A state dict as PyTorch writes it, today or before version 1.6."""
    import torch  # pyright: ignore[reportMissingImports]

    state = {name: torch.from_numpy(tensor) for name, tensor in tensors.items()}
    torch.save(state, path, _use_new_zipfile_serialization=not legacy)


def differences(seed: int, weights: pathlib.Path | None) -> Iterator[tuple[str, float, float]]:
    """Name, largest difference over largest value, and over the deviation between positions and images."""
    with tempfile.TemporaryDirectory() as folder:
        path = weights or pathlib.Path(folder) / "random.pth"
        if weights is None:
            tensors = inception.random_weights(seed)
            save_torch(tensors, path.with_name("legacy.pth"), legacy=True)
            save_torch(tensors, path)
            for written in (path, path.with_name("legacy.pth")):
                read = read_torch(written)
                assert read.keys() == tensors.keys()
                assert all(np.array_equal(read[name], tensors[name]) for name in tensors)
        arrays = inception.convert(read_torch(path))
        theirs = Reference(path)
    variables = flax.traverse_util.unflatten_dict(arrays, sep="/")
    network = jax.jit(tapped)
    found: dict[str, list[tuple[float, float]]] = {}
    for shape in SHAPES:
        images = random_images(seed, 3, shape)
        expected = {"resize": reference_resize(images, inception.SIZE)} | theirs(images)
        got = {"resize": resize_tf1(jnp.asarray(images), inception.SIZE)}
        got |= network(variables, inception.preprocess(images))
        for name, value in expected.items():
            gap = np.abs(np.asarray(got[name]) - value).max()
            across = value.std(axis=tuple(range(value.ndim - 1))).mean()
            found.setdefault(name, []).append((gap / np.abs(value).max(), gap / across))
    for name, pairs in found.items():
        yield name, *np.max(pairs, axis=0)


def main(args: Args) -> None:
    command = "pip install torch && pip install --no-deps torch-fidelity"
    need(["torch", "torch_fidelity"], "the comparison", command)
    print(f"3 images each of {', '.join('x'.join(map(str, shape)) for shape in SHAPES)}")
    print(f"{'layer':16}{'of the largest value':>22}{'of the deviation':>20}")
    worst = 0.0
    for name, relative, of_deviation in differences(args.seed, args.weights):
        print(f"{name:16}{relative:22.1e}{of_deviation:20.1e}")
        worst = max(worst, relative)
    if worst > TOLERANCE:
        sys.exit(f"expected differences up to {TOLERANCE:.0e}, got {worst:.1e}")


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
