"""Every family of networks of the package obeys every law."""

import pytest

from jaxgan.models import MODELS, DCGANConfig, MLPConfig, StyleGAN2Config, StyleGAN3Config, laws

SMALL = {
    "mlp": MLPConfig(g_widths=(8, 8), d_widths=(8, 8), g_batch_norm=True, d_spectral_norm=True),
    "dcgan": DCGANConfig(width=2),
    "conditional dcgan": DCGANConfig(width=2, conditional=True),
    "stylegan2": StyleGAN2Config(base=32, most=4, style=4, mapping_layers=2, d_residual=False),
    "conditional stylegan2": StyleGAN2Config(base=32, most=4, style=4, mapping_layers=2, conditional=True),
    "stylegan3": StyleGAN3Config(base=32, most=4, style=4, layers=4, margin=2),
    "conditional stylegan3-r": StyleGAN3Config(
        base=32, most=4, style=4, layers=4, margin=2, rotations=True, conditional=True
    ),
}


@pytest.mark.parametrize("name", SMALL)
def test_every_family_obeys_every_law(name):
    assert {type(config) for config in SMALL.values()} == set(MODELS.values())
    assert [v for v in laws.check(SMALL[name]) if v.outcome != "holds"] == []
