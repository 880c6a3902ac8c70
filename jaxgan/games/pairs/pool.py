"""A pool of images made before, which critics are shown among the new ones."""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp

Memory = Any


def empty_pool(examples: int, shape: tuple[int, ...], size: int) -> Memory:
    """A pool with nothing in it, of at least `size` images.

    Each example of a batch, by its global index, has places of its own: what a step takes out and puts in does not
    depend on how the batch is shared out.

    Args:
      examples: of a batch.
      shape: of an image.
      size: places in all; they are rounded up to as many for each example.
    """
    each = -(-size // examples)
    return {"images": jnp.zeros((examples, each, *shape)), "steps": jnp.zeros((), jnp.int32)}


def through_pool(memory: Memory, images: jax.Array, keys: jax.Array) -> tuple[jax.Array, Memory]:
    """Images, half of them changed for older ones, which they take the place of; and the pool after it.

    Until the pool is full every image is kept and shown.

    Args:
      memory: of `empty_pool`.
      images: made now, [n, ...]; no gradient goes through what comes out.
      keys: one an example.

    References:
      Shrivastava et al. (2017), Learning from simulated and unsupervised images through adversarial training, section
      2.3; Zhu et al. (2017), section 4: 50 images, an old one in half of the cases.
    """
    images, kept, steps = jax.lax.stop_gradient(images), memory["images"], memory["steps"]
    each = kept.shape[1]
    filling = steps < each

    def one(key: jax.Array, image: jax.Array, own: jax.Array) -> tuple[jax.Array, jax.Array]:
        swap, place = jax.random.split(key)
        place = jnp.where(filling, jnp.minimum(steps, each - 1), jax.random.randint(place, (), 0, each))
        old = ~filling & jax.random.bernoulli(swap)
        shown = jnp.where(old, own[place], image)
        return shown, jnp.where(filling | old, own.at[place].set(image), own)

    shown, kept = jax.vmap(one)(keys, images, kept)
    return shown, {"images": kept, "steps": steps + 1}
