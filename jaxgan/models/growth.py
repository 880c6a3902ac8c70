"""How networks grow while they are trained: one size after another, each faded in.

Training begins at the smallest size. Every size is trained for some images as it is, and then the next one is faded in
over some more, until the last one is trained to the end (Karras et al. 2018, Progressive growing of GANs, section 2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from jaxgan.models.layers import downsample, upsample

GROWN = 2**31 - 1
"""A step at which every network has grown up."""
_BOX = (1.0, 1.0)


def halved(x: jax.Array) -> jax.Array:
    """The means of 2x2 pixels: [n, h, w, c] -> [n, h / 2, w / 2, c]."""
    return downsample(x, _BOX)


def doubled(x: jax.Array) -> jax.Array:
    """Every pixel as 2x2 pixels: [n, h, w, c] -> [n, 2 h, 2 w, c]."""
    return upsample(x, _BOX)


def times(n: int, change: Callable[[jax.Array], jax.Array], x: jax.Array) -> jax.Array:
    """The images changed n times."""
    for _ in range(n):
        x = change(x)
    return x


def faded(share: Any, new: jax.Array, old: jax.Array) -> jax.Array:
    """share new + (1 - share) old: exactly the one or the other at the ends."""
    share = jnp.asarray(share, new.dtype)
    return share * new + (1 - share) * old


@dataclass(frozen=True)
class Growth:
    """When networks grow.

    Attributes:
      stages: sizes, from the smallest to that of the image, each twice the one before.
      stable: real images for which each is trained before the next one is faded in.
      fade: real images over which it is faded in.
      images: real images of a step.
    """

    stages: int
    stable: int
    fade: int
    images: int

    def _seen(self, step: Any) -> Any:
        """Real images before a step, as an int32 that stays at the last multiple that there is."""
        return jnp.minimum(step, GROWN // self.images) * self.images

    def share(self, stage: int, step: Any) -> jax.Array:
        """The share, float32 in [0, 1], by which a stage has been faded in."""
        if stage == 0:
            return jnp.ones(())
        begin = (stage - 1) * (self.stable + self.fade) + self.stable
        beyond = self._seen(step) - begin
        return jnp.clip(beyond / self.fade if self.fade else beyond >= 0, 0, 1).astype(jnp.float32)

    def index(self, step: Any) -> jax.Array:
        """The stage, int32, that is being faded in, or else the last one that has been."""
        seen, cycle = self._seen(step), self.stable + self.fade
        number = seen // cycle
        stage = number + (seen - number * cycle > self.stable)
        return jnp.minimum(stage, self.stages - 1).astype(jnp.int32)

    def stage(self, first: int, steps: int = 1) -> int | None:
        """The stage whose networks are those of all steps from `first` on; None where there is none.

        A stage that is not yet faded in is, as a function, the one before.
        """
        cycle = self.stable + self.fade
        number, beyond = divmod((first + steps - 1) * self.images, cycle)
        stage = min(number + (beyond > self.stable), self.stages - 1)
        return stage if first * self.images >= (stage - 1) * cycle else None

    def changes(self) -> list[int]:
        """The first steps in which a stage is being faded in, and in which it has been."""
        cycle = self.stable + self.fade
        begun = [(k * cycle + self.stable) // self.images + 1 for k in range(self.stages - 1)]
        done = [-(-(k + 1) * cycle // self.images) for k in range(self.stages - 1)]
        return sorted({*begun, *done} if self.fade else done)

    def middles(self) -> list[int]:
        """A step in the midst of fading in each stage but the first, or the end where there is but one."""
        cycle = self.stable + self.fade
        halfway = self.stable + self.fade // 2
        return [(k * cycle + halfway) // self.images for k in range(self.stages - 1)] or [GROWN]

    def detail(self, stage: int | None, step: Any, x: jax.Array) -> jax.Array:
        """Images in the detail of the generator at a step: reduced, faded like its own, and enlarged again.

        Args:
          stage: that of the step; None: whichever it is.
          step: of the training.
          x: images [n, h, w, c] of full size.
        """
        if stage is None:
            branches = [lambda x, step, k=k: self.detail(k, step, x) for k in range(self.stages)]
            return jax.lax.switch(self.index(step), branches, x, step)
        above = self.stages - 1 - stage
        x = times(above, halved, x)
        if stage:
            x = faded(self.share(stage, step), x, doubled(halved(x)))
        return times(above, doubled, x)
