"""Counts the parameters of networks without making them."""

import jax
import jax.numpy as jnp


def counted(config, shape, n_classes, latent):
    """Parameters of (generator, discriminator) that `config` builds."""
    label = jnp.zeros(2, jnp.int32) if n_classes else None
    found = []
    for module, x in zip(
        config.build(shape, n_classes), (jnp.zeros((2, latent)), jnp.zeros((2, *shape))), strict=True
    ):
        init = lambda key, module=module, x=x: module.init(key, x, label, train=True)
        params = jax.eval_shape(init, jax.random.key(0))["params"]
        found.append(sum(leaf.size for leaf in jax.tree.leaves(params)))
    return tuple(found)
