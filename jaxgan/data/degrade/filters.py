"""Super-resolution, deblurring and colourisation: images are made smaller, blurred, or lose their colours."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, unknown
from jaxgan.data.degrade.base import Degradation, Shape, between, level_of

LUMA = (0.299, 0.587, 0.114)  # BT.601, as Pillow's "L"


def super_resolution(*, scale: int = 2, resample: str = "bicubic") -> Degradation:
    """Images are made smaller.

    Args:
      scale: by this factor each side, which it must divide.
      resample: "bicubic" (a = -1/2, with antialiasing, as Pillow's and, but for the edges, MATLAB's) or "area", the
        mean of scale x scale pixels.
    """
    check_range("scale", scale, at_least=2, at_most=16)
    if resample not in ("bicubic", "area"):
        raise unknown("resample", resample, ("bicubic", "area"))

    def shape(before: Shape) -> Shape:
        h, w, c = before
        if h % scale or w % scale:
            raise InputError(
                f"degrade_options.scale: expected a divisor of the images' sides, {h}x{w}, got {scale}; "
                "--data.resolution scales images to others"
            )
        return h // scale, w // scale, c

    def apply(key: jax.Array, image: jax.Array) -> jax.Array:
        h, w, c = shape(image.shape)  # pyright: ignore
        if resample == "area":
            return image.reshape(h, scale, w, scale, c).mean((1, 3))
        return jax.image.resize(image, (h, w, c), "cubic", antialias=True)

    return Degradation("super-resolution", f"made {scale} times smaller ({resample})", apply, shape)


def deblur(*, blur: str = "gaussian", radius: float = 1.5, radius_to: float = 0.0) -> Degradation:
    """Images are blurred; their edges are repeated outwards.

    Args:
      blur: "gaussian", of standard deviation `radius` pixels, or "motion", along a line of 2 `radius` pixels in a
        random direction.
      radius: in pixels.
      radius_to: if it is larger, every image has a radius of its own, uniform from `radius` to this.
    """
    if blur not in ("gaussian", "motion"):
        raise unknown("blur", blur, ("gaussian", "motion"))
    check_range("radius", radius, above=0, at_most=32)
    check_range("radius_to", radius_to, at_least=0, at_most=32)
    reach = int(np.ceil((3 if blur == "gaussian" else 1) * max(radius, radius_to))) + (blur == "motion")
    rows, columns = np.mgrid[-reach : reach + 1, -reach : reach + 1].astype(np.float32)

    def kernel(key: jax.Array) -> jax.Array:
        amount, turn = jax.random.split(key)
        size = level_of(amount, radius, radius_to)
        if blur == "gaussian":
            found = jnp.exp(-(rows**2 + columns**2) / (2 * size**2))
        else:
            angle = jax.random.uniform(turn, (), maxval=jnp.pi)
            along = rows * jnp.sin(angle) + columns * jnp.cos(angle)
            across = rows * jnp.cos(angle) - columns * jnp.sin(angle)
            inside = lambda x, most: jnp.clip(most + 0.5 - jnp.abs(x), 0, 1)
            found = inside(along, size) * inside(across, 0.5)
        return found / found.sum()

    def apply(key: jax.Array, image: jax.Array) -> jax.Array:
        padded = jnp.pad(image, ((reach, reach), (reach, reach), (0, 0)), mode="edge")
        planes = jnp.moveaxis(padded, 2, 0)[:, None]
        blurred = jax.lax.conv(planes, kernel(key)[None, None], (1, 1), "VALID")
        return jnp.moveaxis(blurred[:, 0], 0, 2)

    return Degradation("deblur", f"{blur} blur of {between(radius, radius_to, ' pixels')}", apply)


def colourise() -> Degradation:
    """Images lose their colours: one channel, of the luma that Pillow's "L" has."""

    def shape(before: Shape) -> Shape:
        if before[2] != 3:
            raise InputError(
                f"data.degrade: expected RGB images to lose their colours (--data.channels 3), got {before[2]} channels"
            )
        return (*before[:2], 1)

    weights = np.asarray(LUMA, np.float32)
    return Degradation("colourise", "without colours", lambda key, image: (image @ weights)[..., None], shape)
