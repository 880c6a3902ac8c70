"""Networks that translate images: U-Net and PatchGAN (Isola et al. 2017), residual translator (Zhu et al. 2017).

Translators take images where other generators take latents; a PatchGAN judges patches, and gives a logit for each.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxgan.common.errors import InputError
from jaxgan.models.layers import (
    BatchNorm,
    DownConv,
    UpConv,
    class_logits,
    dcgan_init,
    dropout,
    instance_norm,
    needed,
    scale_init,
    with_classes,
)


class UNet(nn.Module, kw_only=True):
    """Images to images through halvings and doublings, each doubling seeing the map of its own size on the way down.

    All convolutions are 4x4 with stride 2. On the way down leaky ReLUs come before them, on the way up ReLUs.
    Channels double at every halving, up to 8 times `width`. Neither the first convolution nor the innermost is
    batch-normalised. Doublings from 8 to 8 times `width`, but for the innermost, have dropout of one half, which
    is all the randomness that there is, and stays at test time in the paper: give `keys` there, too.

    Attributes:
      channels: of the images that it makes.
      width: channels at half resolution.
      halvings: how often the image is halved: 8 take 256 pixels to one.
      noise: whether there is dropout at all.
      n_classes: 0, or the number of classes, whose embedding it sees as further maps of the input.
      embedding: size of that embedding.
      dtype: type of the computation; parameters and images are float32.
      axis_name: mapped axis that batch normalisation averages over.

    References:
      Isola, Zhu, Zhou, Efros (2017), Image-to-image translation with conditional adversarial networks, section 6.1.1.
    """

    channels: int = 3
    width: int = 64
    halvings: int = 8
    noise: bool = True
    n_classes: int = 0
    embedding: int = 8
    dtype: Any = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self,
        x: jax.Array,
        label: jax.Array | None = None,
        *,
        train: bool = False,
        keys: jax.Array | None = None,
    ) -> jax.Array:
        """Images [n, h, w, c] (and keys and labels [n]) -> images [n, h, w, channels] in [-1, 1].

        Without keys there is no dropout; without classes labels make no difference.

        Raises:
          ValueError: for fewer than 2 halvings, images too small for them, or classes and no label.
        """
        if self.halvings < 2 or min(x.shape[1:3]) < 2 ** (self.halvings - 1) + 1:
            raise InputError(
                f"halvings: expected at least 2, and sides of more than 2^(halvings - 1) pixels, "
                f"got {self.halvings} for images of {x.shape[1]}x{x.shape[2]}"
            )
        widths = [self.width * min(2**i, 8) for i in range(self.halvings)]

        def norm(name: str, y: jax.Array) -> jax.Array:
            return BatchNorm(axis_name=self.axis_name, scale_init=scale_init, name=name)(y, train)

        x = with_classes(x, label, self.n_classes, self.embedding)
        y, sizes, maps = x.astype(self.dtype), [], []
        for i, width in enumerate(widths):
            sizes.append(y.shape[1:3])
            y = DownConv(width, use_bias=False, name=f"down_{i}")(nn.leaky_relu(y, 0.2) if i else y)
            if 0 < i < self.halvings - 1:
                y = norm(f"down_norm_{i}", y)
            maps.append(y)
        for i in reversed(range(self.halvings)):
            inner = i == self.halvings - 1
            y = y if inner else jnp.concatenate([maps[i], y], axis=-1)
            features = widths[i - 1] if i else self.channels
            y = UpConv(features, sizes[i], use_bias=i == 0, name=f"up_{i}")(nn.relu(y))
            y = norm(f"up_norm_{i}", y) if i else y
            if (
                not inner
                and i
                and widths[i] == widths[i - 1] == 8 * self.width
                and keys is not None
                and self.noise
            ):
                y = dropout(y, jax.vmap(jax.random.fold_in, (0, None))(keys, i))
        return jnp.tanh(y.astype(jnp.float32))


class ResNetTranslator(nn.Module, kw_only=True):
    """Images to images through two halvings, residual blocks and two doublings, all instance-normalised.

    7x7 convolution to `width`, two 3x3 convolutions of stride 2, blocks of two 3x3 convolutions, two transposed 3x3
    convolutions of stride 2, 7x7 convolution and tanh; the 7x7 and those of the blocks pad by reflection. With classes
    each has a scale and a bias of its own after every normalisation, which would take out constant maps.

    Attributes:
      channels: of the images that it makes.
      width: channels at full resolution.
      blocks: residual blocks; the paper has 6 for 128 pixels and 9 for 256 and more.
      n_classes: 0, or the number of classes.
      dtype: type of the computation; parameters and images are float32.

    References:
      Zhu, Park, Isola, Efros (2017), Unpaired image-to-image translation using cycle-consistent adversarial networks,
      section 7.2; Johnson, Alahi, Fei-Fei (2016), Perceptual losses for real-time style transfer; Dumoulin, Shlens,
      Kudlur (2017), A learned representation for artistic style, eq. 5.
    """

    channels: int = 3
    width: int = 64
    blocks: int = 9
    n_classes: int = 0
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """Images [n, h, w, c] (and labels [n]) -> images [n, h, w, channels] in [-1, 1].

        Training makes no difference, and without classes labels make none.

        Raises:
          ValueError: unless both sides are multiples of 4 pixels, at least 8; for classes and no label.
        """
        if any(side % 4 or side < 8 for side in x.shape[1:3]):
            raise InputError(
                f"images: expected sides that are multiples of 4 pixels, at least 8, got {x.shape[1]}x{x.shape[2]}"
            )

        def conv(features: int, size: int, name: str, y: jax.Array, stride: int = 1) -> jax.Array:
            pad = size // 2
            if stride == 1:
                y = jnp.pad(y, ((0, 0), (pad, pad), (pad, pad), (0, 0)), mode="reflect")
            return nn.Conv(
                features,
                (size, size),
                (stride, stride),
                padding="VALID" if stride == 1 else pad,
                kernel_init=dcgan_init,
                dtype=self.dtype,
                name=name,
            )(y)

        def norm(name: str, y: jax.Array) -> jax.Array:
            y = instance_norm(y)
            if not self.n_classes:
                return y
            table = nn.Embed(
                self.n_classes,
                2 * y.shape[-1],
                embedding_init=nn.initializers.zeros_init(),
                name=f"{name}_classes",
            )
            gain, bias = jnp.split(table(needed(label, self.n_classes))[:, None, None].astype(y.dtype), 2, -1)
            return (1 + gain) * y + bias

        def normed(features: int, name: str, y: jax.Array, stride: int = 1) -> jax.Array:
            return norm(name, conv(features, 3, name, y, stride))

        y = nn.relu(norm("first", conv(self.width, 7, "first", x)))
        for i in (2, 4):
            y = nn.relu(normed(i * self.width, f"down_{i}", y, stride=2))
        for i in range(self.blocks):
            inner = nn.relu(normed(4 * self.width, f"block_{i}_1", y))
            y = y + normed(4 * self.width, f"block_{i}_2", inner)
        for i in (2, 1):
            y = DoublingConv(i * self.width, name=f"up_{i}")(y)
            y = nn.relu(norm(f"up_{i}", y))
        return jnp.tanh(conv(self.channels, 7, "last", y).astype(jnp.float32))


class DoublingConv(nn.Module):
    """Transposed 3x3 convolution of stride 2, with bias: [n, h, w, c] -> [n, 2h, 2w, features].

    It is the transpose of the convolution of stride 2 that pads one pixel on all sides (PyTorch's, with one pixel
    of output padding).
    """

    features: int

    @nn.compact
    def __call__(self, x: jax.Array) -> jax.Array:
        """Computes in the type of `x`; parameters are float32."""
        kernel = self.param("kernel", dcgan_init, (3, 3, x.shape[-1], self.features)).astype(x.dtype)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,)).astype(x.dtype)
        n, h, w, _ = x.shape
        # Output pixel 2k sees tap 1 of input k; pixel 2k + 1 sees tap 2 of input k and tap 0 of input k + 1.
        taps = {0: ((0, 1),), 1: ((0, 2), (1, 0))}
        padded = jnp.pad(x, ((0, 0), (0, 1), (0, 1), (0, 0)))
        rows = []
        for row in (0, 1):
            columns = []
            for column in (0, 1):
                seen = [
                    padded[:, i : i + h, j : j + w] @ kernel[a, b]
                    for i, a in taps[row]
                    for j, b in taps[column]
                ]
                columns.append(sum(seen[1:], seen[0]))
            rows.append(jnp.stack(columns, axis=3))
        return jnp.stack(rows, axis=2).reshape(n, 2 * h, 2 * w, self.features) + bias


class PatchGAN(nn.Module, kw_only=True):
    """Images to a logit for every patch of 70x70 pixels (with the default depth), not a probability.

    4x4 convolutions: `depth` of stride 2, whose channels double up to 8 times `width`, one of stride 1 with twice as
    many channels still (at most 8 times `width`), and one to a logit. All pad one pixel. All but the first and
    the last are normalised. For pix2pix, which judges pairs, join condition and image along the channels. With classes
    each logit gains the inner product of the features under it, averaged over 2x2, with the label's embedding.

    Attributes:
      width: channels at half resolution.
      depth: convolutions of stride 2; 3 see patches of 70x70 pixels, 1 of 16x16, 5 of 286x286.
      norm: "batch" (pix2pix), or "instance" (CycleGAN), without scale and bias.
      n_classes: 0, or the number of classes.
      dtype: type of the computation; parameters and logits are float32.
      axis_name: mapped axis that batch normalisation averages over.

    References:
      Isola, Zhu, Zhou, Efros (2017), Image-to-image translation with conditional adversarial networks, section 6.1.2;
      Miyato, Koyama (2018), cGANs with projection discriminator.
    """

    width: int = 64
    depth: int = 3
    norm: str = "batch"
    n_classes: int = 0
    dtype: Any = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(self, x: jax.Array, label: jax.Array | None = None, *, train: bool = False) -> jax.Array:
        """Images [n, h, w, c] (and labels [n]) -> logits [n, patches], row by row.

        An image of 32x32 pixels has 2x2 patches, 64x64 6x6, 128x128 14x14, 256x256 30x30 and 286x286 33x33. Without
        classes labels make no difference.

        Raises:
          ValueError: for an unknown norm, images so small that there is no patch, or classes and no label.
        """
        if self.norm not in ("batch", "instance"):
            raise InputError(f"norm: expected 'batch' or 'instance', got {self.norm!r}")
        if min(x.shape[1:3]) < 3 * 2**self.depth:
            raise InputError(
                f"images: expected sides of at least {3 * 2**self.depth} pixels, got {x.shape[1]}x{x.shape[2]}"
            )
        batch = self.norm == "batch"

        def normalised(y: jax.Array) -> jax.Array:
            if batch:
                return BatchNorm(axis_name=self.axis_name, scale_init=scale_init)(y, train)
            return instance_norm(y)

        def conv(features: int, use_bias: bool, y: jax.Array) -> jax.Array:
            init = dcgan_init
            layer = nn.Conv(
                features, (4, 4), padding=1, use_bias=use_bias, kernel_init=init, dtype=self.dtype
            )
            return layer(y)

        y = x.astype(self.dtype)
        for i in range(self.depth):
            h, w = y.shape[1:3]
            # An odd side loses its last pixel, which DownConv would see in a window that is half outside.
            y = DownConv(self.width * min(2**i, 8), use_bias=i == 0 or not batch)(y)[:, : h // 2, : w // 2]
            y = nn.leaky_relu(normalised(y) if i else y, 0.2)
        y = nn.leaky_relu(normalised(conv(self.width * min(2**self.depth, 8), not batch, y)), 0.2)
        logits = conv(1, True, y).astype(jnp.float32)
        if self.n_classes:  # the last convolution pads one pixel: its places lie between those of its input
            logits += nn.avg_pool(class_logits(y, label, self.n_classes), (2, 2))
        return logits.reshape(len(x), -1)
