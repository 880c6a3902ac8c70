"""The Inception network that the Fréchet Inception distance is defined by: graph, weights, feature network."""

from __future__ import annotations

import pathlib
import zlib
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import flax.linen as nn
import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.errors import InputError, nearest
from jaxgan.metrics.features.network import FeatureNetwork, Outputs
from jaxgan.metrics.features.resizing import resize_tf1
from jaxgan.models.layers import BatchNorm
from jaxgan.models.pretrained.weights import Weights, load

NAME = "inception"
SIZE = 299  # side of the images that it sees
N_FEATURES = 2048
N_CLASSES = 1008  # of the graph of 2015: 1,000 of ImageNet and 8 without meaning
WEIGHTS = Weights(
    NAME,
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
    "6726825d0af5f729cebd5821db510b11b1cfad8faad88a03f1befd49fb9129b2",
    "--inception-weights",
)
_BATCH = 32
_SPATIAL_CHANNELS = 7
_PRECISION = jax.lax.Precision.HIGHEST


# --- the network -----------------------------------------------------------------------------------


class Conv(nn.Module):
    """Convolution without bias, batch normalisation by running averages, ReLU."""

    features: int
    kernel: tuple[int, int] = (1, 1)
    stride: int = 1
    padding: str = "SAME"

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> [n, h', w', features]."""
        strides = (self.stride, self.stride)
        conv = nn.Conv(
            self.features,
            self.kernel,
            strides,
            self.padding,
            use_bias=False,
            precision=_PRECISION,
            name="conv",
        )
        return nn.relu(BatchNorm(epsilon=1e-3, name="bn")(conv(x), False))


Step = tuple[int, int, int]  # features, height and width of a kernel
Fork = tuple[Step, Step]  # two convolutions of one input, side by side
Branch = tuple[str, tuple[Step | Fork, ...]]


class Mixed(nn.Module):
    """Several chains of convolutions and a pooling of the same input, joined along the channels.

    Attributes:
      branches: name and convolutions of each chain.
      pool_features: channels of the 1x1 convolution after the pooling; 0 for none.
      pool: "average" (over the pixels inside the image only) or "max".
      stride: 2 halves the image in the last convolution of each chain and in the pooling.
    """

    branches: tuple[Branch, ...]
    pool_features: int = 0
    pool: str = "average"
    stride: int = 1

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> [n, h', w', sum of the widths]."""
        padding = "SAME" if self.stride == 1 else "VALID"
        outputs = []
        for name, steps in self.branches:
            y = x
            for i, step in enumerate(steps, 1):
                numbered = f"{name}_{i}" if len(steps) > 1 else name
                last = {"stride": self.stride, "padding": padding} if i == len(steps) else {}
                y = _convolve(y, step, numbered, last)
            outputs.append(y)
        window, strides = (3, 3), (self.stride, self.stride)
        if self.pool == "max":
            y = nn.max_pool(x, window, strides, padding)
        else:
            y = nn.avg_pool(x, window, strides, padding, count_include_pad=False)
        outputs.append(Conv(self.pool_features, name="branch_pool")(y) if self.pool_features else y)
        return jnp.concatenate(outputs, axis=-1)


def _convolve(x: jax.Array, step: Step | Fork, name: str, last: dict[str, Any]) -> jax.Array:
    if isinstance(step[0], tuple):
        sides = zip(step, "ab", strict=True)
        return jnp.concatenate([_convolve(x, side, name + letter, last) for side, letter in sides], axis=-1)  # pyright: ignore[reportArgumentType]
    features, *kernel = step
    return Conv(features, tuple(kernel), name=name, **last)(x)  # pyright: ignore[reportArgumentType]


def _block_35(name: str, pool_features: int) -> Mixed:
    branches = (
        ("branch1x1", ((64, 1, 1),)),
        ("branch5x5", ((48, 1, 1), (64, 5, 5))),
        ("branch3x3dbl", ((64, 1, 1), (96, 3, 3), (96, 3, 3))),
    )
    return Mixed(branches, pool_features, name=name)


def _block_17(name: str, width: int) -> Mixed:
    branches = (
        ("branch1x1", ((192, 1, 1),)),
        ("branch7x7", ((width, 1, 1), (width, 1, 7), (192, 7, 1))),
        ("branch7x7dbl", ((width, 1, 1), (width, 7, 1), (width, 1, 7), (width, 7, 1), (192, 1, 7))),
    )
    return Mixed(branches, 192, name=name)


def _block_8(name: str, pool: str) -> Mixed:
    fork = ((384, 1, 3), (384, 3, 1))
    branches = (
        ("branch1x1", ((320, 1, 1),)),
        ("branch3x3", ((384, 1, 1), fork)),
        ("branch3x3dbl", ((448, 1, 1), (384, 3, 3), fork)),
    )
    return Mixed(branches, 192, pool, name=name)


def _to_17(name: str) -> Mixed:
    branches = (
        ("branch3x3", ((384, 3, 3),)),
        ("branch3x3dbl", ((64, 1, 1), (96, 3, 3), (96, 3, 3))),
    )
    return Mixed(branches, pool="max", stride=2, name=name)


def _to_8(name: str) -> Mixed:
    branches = (
        ("branch3x3", ((192, 1, 1), (320, 3, 3))),
        ("branch7x7x3", ((192, 1, 1), (192, 1, 7), (192, 7, 1), (192, 3, 3))),
    )
    return Mixed(branches, pool="max", stride=2, name=name)


class InceptionV3(nn.Module):
    """The graph of 5 December 2015, under the names that its PyTorch copies use.

    It differs from later Inception-v3 networks: it has 1,008 logits, no auxiliary head, average pools that
    leave padding out, and a max pool in the last block, where the block before it has an average pool.

    References:
      Szegedy et al. (2016), Rethinking the Inception architecture for computer vision; Heusel et al. (2017),
      GANs trained by a two time-scale update rule.
    """

    @nn.compact
    def __call__(self, images: jax.Array) -> Outputs:
        """Images [n, 299, 299, 3] in [-1, 1), as `preprocess` makes them -> all outputs."""
        x = Conv(32, (3, 3), 2, "VALID", name="Conv2d_1a_3x3")(images)
        x = Conv(32, (3, 3), 1, "VALID", name="Conv2d_2a_3x3")(x)
        x = Conv(64, (3, 3), name="Conv2d_2b_3x3")(x)
        x = nn.max_pool(x, (3, 3), (2, 2))
        x = Conv(80, name="Conv2d_3b_1x1")(x)
        x = Conv(192, (3, 3), 1, "VALID", name="Conv2d_4a_3x3")(x)
        x = nn.max_pool(x, (3, 3), (2, 2))
        x = _block_35("Mixed_5b", 32)(x)
        x = _block_35("Mixed_5c", 64)(x)
        x = _block_35("Mixed_5d", 64)(x)
        x = _to_17("Mixed_6a")(x)
        x = _block_17("Mixed_6b", 128)(x)
        x = _block_17("Mixed_6c", 160)(x)
        x = _block_17("Mixed_6d", 160)(x)
        spatial = x[..., :_SPATIAL_CHANNELS]  # the 1x1 branch comes first
        x = _block_17("Mixed_6e", 192)(x)
        x = _to_8("Mixed_7a")(x)
        x = _block_8("Mixed_7b", "average")(x)
        x = _block_8("Mixed_7c", "max")(x)
        features = x.mean((1, 2))
        logits = nn.Dense(N_CLASSES, use_bias=False, precision=_PRECISION, name="fc")(features)
        return Outputs(features, logits, spatial.reshape(len(spatial), -1))


# --- images ------------------------------------------------------------------------------------------


@jax.jit
def preprocess(images: jax.Array) -> jax.Array:
    """uint8 images [n, h, w, 1 or 3] -> [n, 299, 299, 3] in [-1, 1): (x - 128) / 128 after the resize.

    Grey images are repeated over the three channels.
    """
    x = (resize_tf1(images, SIZE) - 128) / 128
    return jnp.broadcast_to(x, (*x.shape[:3], 3))


def _check_images(images: jax.Array) -> None:
    if images.ndim != 4 or images.shape[3] not in (1, 3) or images.dtype != np.uint8:
        raise InputError(
            f"images: Inception expects uint8 [n, h, w, 1 or 3], got {images.dtype} {list(images.shape)}"
        )


# --- weights -----------------------------------------------------------------------------------------

_TORCH_NAMES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


@lru_cache(maxsize=1)
def shapes() -> dict[str, tuple[int, ...]]:
    """Shape of each variable of the network, by its path."""
    init = lambda: InceptionV3().init(jax.random.key(0), jnp.zeros((1, SIZE, SIZE, 3)))
    tree: Any = flax.traverse_util.flatten_dict(dict(jax.eval_shape(init)), sep="/")
    return {path: leaf.shape for path, leaf in tree.items()}


def _torch_name(path: str) -> str:
    _, *modules, leaf = path.split("/")
    return ".".join([*modules, _TORCH_NAMES[leaf]])


def _torch_axes(shape: tuple[int, ...]) -> tuple[int, ...]:
    """Order of our axes in PyTorch's tensor: convolutions are HWIO here and OIHW there."""
    return {4: (3, 2, 0, 1), 2: (1, 0), 1: (0,)}[len(shape)]


def torch_shapes() -> dict[str, tuple[int, ...]]:
    """Shapes of PyTorch's tensors by name, without the bias of the last layer and the counts of batches."""
    return {
        _torch_name(path): tuple(shape[axis] for axis in _torch_axes(shape))
        for path, shape in shapes().items()
    }


def convert(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Converts weights under pytorch-fid's and torch-fidelity's names to float32 variables by path.

    The bias of the last layer (`fc.bias`) and the counts of batches are left out.

    Raises:
      InputError: for a name that is unknown or missing, and for a tensor of another shape.
    """
    expected = torch_shapes()
    given = {n: t for n, t in tensors.items() if n != "fc.bias" and not n.endswith(".num_batches_tracked")}
    if missing := sorted(set(expected) - set(given)):
        raise InputError(
            f"weights of {NAME}: expected {len(expected)} tensors, {_listed(missing, 'missing')}"
        )
    if unknown := sorted(set(given) - set(expected)):
        hint = nearest(unknown[0], expected).strip()
        raise InputError(f"weights of {NAME}: {_listed(unknown, 'unknown')} {hint}".strip())
    for name, shape in expected.items():
        if given[name].shape != shape:
            raise InputError(f"weights of {NAME}: {name}: expected shape {shape}, got {given[name].shape}")
    converted = {}
    for path, shape in shapes().items():
        back = np.argsort(_torch_axes(shape))
        converted[path] = np.ascontiguousarray(given[_torch_name(path)].transpose(back), np.float32)
    return converted


def _listed(names: list[str], what: str) -> str:
    return f"{len(names)} {what}: {', '.join(names[:3])}{', ...' if len(names) > 3 else ''}"


def random_weights(seed: int) -> dict[str, np.ndarray]:
    """Untrained weights under PyTorch's names, for tests and comparisons; the same on every machine.

    Convolutions keep the scale of their input (variance 2 / inputs). The running averages are those of no
    data, but far enough from 0 and 1 to matter.
    """

    def draw(name: str, shape: tuple[int, ...]) -> np.ndarray:
        kind = name.rsplit(".", 1)[-1]
        unit = _unit(seed, name, shape)
        if kind == "running_var":
            return 1 + 0.25 * unit
        if kind == "running_mean" or kind == "bias":
            return 0.2 * unit
        if len(shape) == 1:
            return 1 + 0.1 * unit
        gain = 1.0 if name == "fc.weight" else 2.0
        return np.sqrt(np.float32(gain / np.prod(shape[1:]))) * unit

    expected = torch_shapes() | {"fc.bias": (N_CLASSES,)}
    return {name: draw(name, shape).astype(np.float32) for name, shape in expected.items()}


def _unit(seed: int, name: str, shape: tuple[int, ...]) -> np.ndarray:
    """Uniform, mean 0, variance 1. Straight from the generator's bits, whose stream never changes."""
    bits = np.random.PCG64([seed, zlib.crc32(name.encode())]).random_raw(int(np.prod(shape)))
    uniform = (bits >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - 1
    return (np.float32(np.sqrt(3)) * uniform).reshape(shape)


# --- the feature network -------------------------------------------------------------------------------


@jax.jit
def forward(variables: Any, images: jax.Array) -> Outputs:
    """The outputs for preprocessed images [n, 299, 299, 3]."""
    return InceptionV3().apply(variables, images)  # pyright: ignore[reportReturnType]


def from_arrays(
    arrays: Mapping[str, np.ndarray], weights_sha256: str, *, batch: int = _BATCH
) -> FeatureNetwork:
    """The feature network of converted weights.

    Only the weights that FID is defined by make it the Inception after which a distance is called "fid". Of
    others the label carries the first 8 digits of their hash.

    Args:
      arrays: as `convert` returns them.
      weights_sha256: SHA-256 of the file that they came from; the identity is its first 12 digits.
      batch: number of images in a pass; each takes some 10 MB of memory.
    """
    variables = flax.traverse_util.unflatten_dict({k: jnp.asarray(v) for k, v in arrays.items()}, sep="/")

    def apply(images: jax.Array) -> Outputs:
        _check_images(images)
        return forward(variables, preprocess(images))

    label = NAME if weights_sha256 == WEIGHTS.sha256 else f"{NAME}_{weights_sha256[:8]}"
    return FeatureNetwork(NAME, weights_sha256[:12], apply, batch, Outputs._fields, label)


def features(file: pathlib.Path | None = None) -> FeatureNetwork:
    """FID's Inception: 2,048 features, 1,008 logits without bias, and spatial features.

    The features are the last block averaged over the image. The spatial features are the first 7 channels of
    the 1x1 branch of the sixth mixed block (Mixed_6d in PyTorch's names) at its 17x17 positions, [n, 2023]
    with the channels fastest: sFID uses them, as they say where things are, which the average forgets.

    Images are resized to 299x299 as TensorFlow 1 did (see `resizing.resize_tf1`), and grey ones are repeated
    over the channels. Everything is computed in float32 at the highest precision.

    Args:
      file: the weights, as pytorch-fid published them or as safetensors under the same names; None
        takes the copy in the per-user cache, which is downloaded (91 MB) on first use.

    Raises:
      InputError: if the weights cannot be had or do not fit; see `jaxgan.models.pretrained.weights`.

    References:
      Heusel et al. (2017), GANs trained by a two time-scale update rule; Nash et al. (2021), Generating images
      with sparse representations, section 4, for the spatial features.
    """
    return from_arrays(*load(WEIGHTS, convert, file))
