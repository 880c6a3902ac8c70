"""What the families of translators share: their critic of patches, and what their settings must be."""

from __future__ import annotations

from typing import Any

from jaxgan.common.errors import InputError
from jaxgan.models.pix2pix import PatchGAN


def hold_images(family: str, shape: tuple[int, ...], source: tuple[int, ...]) -> None:
    """Raises InputError unless both are shapes of images."""
    for what in (shape, source):
        if len(what) != 3:
            raise InputError(f"model: {family} needs images (height, width, channels), got shape {what}")


def critic_of(shape: tuple[int, ...], width: int, depth: int, norm: str, dtype: Any) -> PatchGAN:
    """A PatchGAN for images of this shape; `depth` 0: as deep as the images allow, at most 3."""
    side = min(shape[:2])
    if side < 6:
        raise InputError(f"shape: expected sides of at least 6 pixels for a critic of patches, got {shape}")
    if depth == 0:
        depth = max(d for d in (1, 2, 3) if 3 * 2**d <= side)
    if depth < 1 or 3 * 2**depth > side:
        raise InputError(
            f"d_depth: expected 1 to {(side // 3).bit_length() - 1} halvings of images of {side} pixels, or 0, got "
            f"{depth}"
        )
    if norm not in ("batch", "instance"):
        raise InputError(f"d_norm: expected 'batch' or 'instance', got {norm!r}")
    return PatchGAN(width=width, depth=depth, norm=norm, dtype=dtype)
