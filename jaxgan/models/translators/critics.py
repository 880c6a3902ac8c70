"""What the families of translators share: their critic of patches, and what their settings must be."""

from __future__ import annotations

from typing import Any

from jaxgan.common.errors import InputError
from jaxgan.models.pix2pix import PatchGAN


class Translates:
    """A family whose generator makes images of images: `build` takes the shape of these, too.

    Attributes:
      family: its name in messages.
    """

    family: str
    conditional: bool
    convolutional = True
    translates = True

    def build(
        self,
        shape: tuple[int, ...],
        n_classes: int,
        *,
        source: tuple[int, ...] | None = None,
        judged: int | None = None,
    ) -> tuple[Any, Any]:
        """Builds translator and critic.

        Args:
          shape: of what is made.
          n_classes: of the examples; makes no difference unless the networks are conditional.
          source: of what is given; None: as what is made. Only srresnet takes another height and width.
          judged: channels that the critic sees, which takes any number.

        Raises:
          InputError: for shapes that the networks do not take, settings out of range, or conditional networks without
            classes.
        """
        source = shape if source is None else source
        for what in (shape, source):
            if len(what) != 3:
                raise InputError(
                    f"model: {self.family} needs images (height, width, channels), got shape {what}"
                )
        if self.conditional and not n_classes:
            raise InputError("conditional: expected data with class labels, got data without")
        return self._networks(shape, source, n_classes if self.conditional else 0)

    def _networks(self, shape: tuple[int, ...], source: tuple[int, ...], classes: int) -> tuple[Any, Any]:
        """Translator and critic, of images of these shapes and so many classes; 0: labels make no difference."""
        raise NotImplementedError


def critic_of(
    shape: tuple[int, ...], width: int, depth: int, norm: str, dtype: Any, classes: int = 0
) -> PatchGAN:
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
    return PatchGAN(width=width, depth=depth, norm=norm, n_classes=classes, dtype=dtype)
