"""Latents by seed: priors of the library share their programs, and any function of the user's own may draw."""

import dataclasses

import jax
import numpy as np

from jaxgan.config.data import open_data
from jaxgan.config.presets import get_preset
from jaxgan.models.latents import Latent, get_latent
from jaxgan.runs.sampling import Sampler, sampler_of


def sampler(latent: Latent) -> Sampler:
    """Of the ring's GAN with another prior."""
    config = get_preset("toy-ring")
    spec = open_data(config).spec
    game = config.build(spec)
    assert game.output is not None
    return sampler_of(dataclasses.replace(game, output=game.output._replace(latent=latent)), config, spec)


def compiled(caplog, latent):
    """Latents of some seeds, and whether a program was compiled for them."""
    caplog.clear()
    with jax.log_compiles(), caplog.at_level("WARNING", "jax"):
        z = sampler(latent).latents(range(7))
    return z, any("Finished XLA compilation" in record.getMessage() for record in caplog.records)


def test_samplers_of_a_prior_share_its_program(caplog):
    first, told = compiled(caplog, get_latent("normal", 3, 1.25))
    assert told
    again, told = compiled(caplog, get_latent("normal", 3, 1.25))
    assert not told
    np.testing.assert_array_equal(first, again)
    by_hand = [jax.random.normal(jax.random.fold_in(jax.random.key(s), 0), (3,)) for s in range(7)]
    np.testing.assert_allclose(first, 1.25 * np.stack(by_hand), rtol=1e-6)
    for other in (get_latent("normal", 3), get_latent("uniform", 3, 1.25)):
        assert not np.array_equal(compiled(caplog, other)[0], first)


def test_keys_are_of_the_kind_that_is_set(caplog):
    first, _ = compiled(caplog, get_latent("normal", 3))
    with jax.default_prng_impl("rbg"):
        assert not np.array_equal(compiled(caplog, get_latent("normal", 3))[0], first)


@dataclasses.dataclass
class Shifted:
    """It cannot be hashed, and can be changed."""

    by: float

    def __call__(self, key):
        return self.by + jax.random.normal(key, (3,))


def test_a_draw_of_ones_own_is_taken_as_it_is_now():
    draw = Shifted(1.0)
    one = sampler(Latent(3, draw)).latents(range(5))
    draw.by = 3.0
    np.testing.assert_allclose(sampler(Latent(3, draw)).latents(range(5)), one + 2, rtol=1e-5)
