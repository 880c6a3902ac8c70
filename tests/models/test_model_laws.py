"""Every family of networks of the package obeys every law."""

import pytest

from jaxgan.models import MODELS, BigGANConfig, DCGANConfig, MLPConfig, ResNetConfig, laws

SMALL = {
    "mlp": MLPConfig(g_widths=(8, 8), d_widths=(8, 8), g_batch_norm=True, d_spectral_norm=True),
    "dcgan": DCGANConfig(width=2),
    "conditional dcgan": DCGANConfig(width=2, conditional=True),
    "resnet": ResNetConfig(width=2, d_width=4, attention=6, d_hidden="in_always"),
    "self-modulated resnet": ResNetConfig(
        width=2, modulation="latent", d_spectral_norm=False, d_pooling="mean"
    ),
    "conditional resnet": ResNetConfig(
        width=2, conditional=True, g_spectral_norm=True, weight_init="orthogonal"
    ),
    "classifying resnet": ResNetConfig(width=2, conditional=True, head="ac", modulation="latent", d_logits=2),
    "resnet of joined labels": ResNetConfig(width=2, conditional=True, head="concat", modulation="none"),
    "biggan": BigGANConfig(width=2, shared=3, attention=12),
    "biggan without classes": BigGANConfig(width=2, conditional=False, hierarchical=False),
    "biggan with flat latents": BigGANConfig(width=2, shared=0, hierarchical=False),
    "biggan-deep": BigGANConfig(width=2, shared=3, deep=True, head="ac"),
}


@pytest.mark.parametrize("name", SMALL)
def test_every_family_obeys_every_law(name):
    assert {type(config) for config in SMALL.values()} == set(MODELS.values())
    assert [v for v in laws.check(SMALL[name]) if v.outcome != "holds"] == []
