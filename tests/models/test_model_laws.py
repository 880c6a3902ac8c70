"""Every family of networks of the package obeys every law."""

import pytest

from jaxgan.models import MODELS, DCGANConfig, MLPConfig, ProGANConfig, R3GANConfig, laws

SMALL = {
    "mlp": MLPConfig(g_widths=(8, 8), d_widths=(8, 8), g_batch_norm=True, d_spectral_norm=True),
    "dcgan": DCGANConfig(width=2),
    "conditional dcgan": DCGANConfig(width=2, conditional=True),
    "progan": ProGANConfig(width=4, base=32),
    "r3gan": R3GANConfig(width=4, cardinality=2, full=1, blocks=1),
    "conditional r3gan": R3GANConfig(width=4, cardinality=2, embedding=3, conditional=True),
}


@pytest.mark.parametrize("name", SMALL)
def test_every_family_obeys_every_law(name):
    assert {type(config) for config in SMALL.values()} == set(MODELS.values())
    assert [v for v in laws.check(SMALL[name]) if v.outcome != "holds"] == []
