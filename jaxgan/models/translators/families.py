"""pix2pix's and CycleGAN's networks as a family."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.models.layers import dtype_of
from jaxgan.models.pix2pix import ResNetTranslator, UNet
from jaxgan.models.translators.critics import Translates, critic_of

_LARGE = 256  # pixels from which the residual translator has 9 blocks


@dataclass(frozen=True, kw_only=True)
class Pix2PixConfig(Translates):
    """U-Net or residual translator, and a critic of patches (pix2pix, CycleGAN)."""

    translator: Literal["unet", "resnet"] = "unet"
    """unet (pix2pix) or resnet (CycleGAN)."""
    width: int = 64
    """Channels of the translator: at half resolution of a U-Net, at full resolution of the residual one."""
    halvings: int = 0
    """Halvings of the U-Net; 0: down to one pixel of the shorter side, or two."""
    blocks: int = 0
    """Residual blocks of the other; 0: 9 for images of 256 pixels and more, else 6."""
    dropout: bool = True
    """Dropout in the widest layers of the U-Net, which is its noise."""
    d_width: int = 0
    """Channels of the critic at half resolution; 0 takes the translator's."""
    d_depth: int = 0
    """Halvings of the critic: 3 see patches of 70 pixels; 0: at most 3, as the images allow."""
    d_norm: Literal["batch", "instance"] = "batch"
    """Normalisation in the critic: batch (pix2pix) or instance (CycleGAN)."""
    conditional: bool = False
    """Condition on class labels: maps beside the U-Net's input, norms of the residual one, projection in the critic."""
    embedding: int = 8
    """Size of the translator's class embedding, which only the U-Net has."""
    dtype: str = "float32"
    """What the networks compute in: float32 or bfloat16. Parameters stay float32."""

    family = "pix2pix"

    def _networks(self, shape: tuple[int, ...], source: tuple[int, ...], classes: int) -> tuple[Any, Any]:
        if source[:2] != shape[:2]:
            raise InputError(
                f"model: pix2pix makes images of the size that it is given, {source[0]}x{source[1]}, and not "
                f"{shape[0]}x{shape[1]}; --model srresnet enlarges"
            )
        check_range("width", self.width, at_least=1)
        check_range("d_width", self.d_width, at_least=0)
        check_range("embedding", self.embedding, at_least=1)
        dtype, channels, side = dtype_of(self.dtype), shape[2], min(shape[:2])
        most = (side - 1).bit_length()
        halvings = self.halvings or most
        if self.translator == "unet" and not 2 <= halvings <= most:
            raise InputError(
                f"halvings: expected 2 to {most} for images of {side} pixels, or 0, got {self.halvings}"
            )
        if self.translator == "resnet" and any(s % 4 or s < 8 for s in shape[:2]):
            raise InputError(
                f"translator: expected 'unet' for sides that are no multiples of 4 pixels, {shape[0]}x{shape[1]}, got "
                "'resnet'"
            )
        check_range("blocks", self.blocks, at_least=0)
        if self.translator == "unet":
            made: Any = UNet(
                channels=channels,
                width=self.width,
                halvings=halvings,
                noise=self.dropout,
                n_classes=classes,
                embedding=self.embedding,
                dtype=dtype,
            )
        else:
            blocks = self.blocks or (9 if side >= _LARGE else 6)
            made = ResNetTranslator(
                channels=channels, width=self.width, blocks=blocks, n_classes=classes, dtype=dtype
            )
        return made, critic_of(shape, self.d_width or self.width, self.d_depth, self.d_norm, dtype, classes)
