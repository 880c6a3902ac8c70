"""Standing statistics: batch normalisation sampled with statistics of its own and not with those of training."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import flax.linen as nn
import jax
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxgan.common.errors import InputError


def standing_statistics(
    generator: nn.Module, variables: Any, batches: Iterable[tuple[jax.Array, jax.Array | None]]
) -> Any:
    """`variables`, with the means and variances of batch normalisation averaged anew over passes in training mode.

    The statistics that training leaves lag behind the weights, and an average of weights has none of its own. Here
    each pass normalises by its own batch, and the means and the variances of all passes are averaged.

    Args:
      generator: Linen module, (z, label, train) -> examples.
      variables: of the generator: {"params": ..., "batch_stats": ..., and others}.
      batches: latents [n, dim] and labels [n], or None, of each pass.

    Returns:
      The variables with other "batch_stats".

    Raises:
      ValueError: if there are no batches, or the generator has no batch normalisation.

    References:
      Brock, Donahue, Simonyan (2019), Large scale GAN training, section 3.1.
    """
    kept = [name for name in variables if name != "params"]

    @jax.jit
    def seen(z: jax.Array, label: jax.Array | None) -> Any:
        left = generator.apply(variables, z, label, train=True, mutable=[*kept, "intermediates"])[1]
        return flatten_dict(left.get("intermediates", {}))

    passes = [seen(z, label) for z, label in batches]
    if not passes:
        raise InputError("batches: expected at least one, got none")
    own = {(*path[:-1], f"batch_{path[-1]}"): path for path in flatten_dict(variables.get("batch_stats", {}))}
    found = {path: own[path] for path in passes[0] if path in own}
    if not found:
        raise InputError("generator: expected one with batch normalisation, got one without")
    means = jax.tree.map(lambda *values: sum(values) / len(values), *passes)
    stats = flatten_dict(variables["batch_stats"])
    stats |= {path: means[sown][0] for sown, path in found.items()}
    return {**variables, "batch_stats": unflatten_dict(stats)}
