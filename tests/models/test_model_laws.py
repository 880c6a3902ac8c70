"""Every family of networks of the package obeys every law."""

import pytest

from jaxgan.models import MODELS, DCGANConfig, FastGANConfig, GATConfig, MLPConfig, ProjectedConfig, laws

SMALL = {
    "mlp": MLPConfig(g_widths=(8, 8), d_widths=(8, 8), g_batch_norm=True, d_spectral_norm=True),
    "dcgan": DCGANConfig(width=2),
    "conditional dcgan": DCGANConfig(width=2, conditional=True),
    "fastgan": FastGANConfig(width=2),
    "projected": ProjectedConfig(width=2, mixing=2, resolution=128, weights="random"),
    "conditional projected": ProjectedConfig(
        width=2, lite=True, mixing=2, resolution=128, weights="random", conditional=True
    ),
    "gat": GATConfig(width=8, depth=4, heads=2),
    "conditional gat": GATConfig(width=8, depth=4, heads=2, label_size=6, conditional=True),
}


@pytest.mark.parametrize("name", SMALL)
def test_every_family_obeys_every_law(name):
    assert {type(config) for config in SMALL.values()} == set(MODELS.values())
    assert [v for v in laws.check(SMALL[name]) if v.outcome != "holds"] == []
