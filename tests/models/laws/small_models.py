"""A small configuration of every family of networks, and of what else it can be, in two halves of like weight."""

from jaxgan.models import (
    BigGANConfig,
    DCGANConfig,
    FastGANConfig,
    GATConfig,
    GatedConfig,
    MLPConfig,
    Pix2PixConfig,
    ProGANConfig,
    ProjectedConfig,
    R3GANConfig,
    ResNetConfig,
    SRResNetConfig,
    StyleGAN2Config,
    StyleGAN3Config,
)

FIRST = {
    "mlp": MLPConfig(g_widths=(8, 8), d_widths=(8, 8), g_batch_norm=True, d_spectral_norm=True),
    "dcgan": DCGANConfig(width=2),
    "conditional dcgan": DCGANConfig(width=2, conditional=True),
    "resnet": ResNetConfig(width=2, d_width=4, attention=6, d_hidden="in_always"),
    "self-modulated resnet": ResNetConfig(
        width=2, modulation="latent", d_spectral_norm=False, d_pooling="mean"
    ),
    "conditional resnet": ResNetConfig(
        width=2, conditional=True, g_spectral_norm=True, kernel_init="orthogonal"
    ),
    "classifying resnet": ResNetConfig(width=2, conditional=True, head="ac", modulation="latent", d_logits=2),
    "resnet of joined labels": ResNetConfig(width=2, conditional=True, head="concat", modulation="none"),
    "biggan": BigGANConfig(width=2, shared=3, attention=12),
    "biggan without classes": BigGANConfig(width=2, conditional=False, hierarchical=False),
    "biggan with flat latents": BigGANConfig(width=2, shared=0, hierarchical=False),
    "biggan-deep": BigGANConfig(width=2, shared=3, deep=True, head="ac"),
}
SECOND = {
    "stylegan2": StyleGAN2Config(base=32, most=4, style=4, mapping_layers=2, d_residual=False),
    "conditional stylegan2": StyleGAN2Config(base=32, most=4, style=4, mapping_layers=2, conditional=True),
    "stylegan3": StyleGAN3Config(base=32, most=4, style=4, layers=4, margin=2),
    "conditional stylegan3-r": StyleGAN3Config(
        base=32, most=4, style=4, layers=4, margin=2, rotations=True, conditional=True
    ),
    "progan": ProGANConfig(width=4, base=32),
    "r3gan": R3GANConfig(width=4, cardinality=2, embedding=3, full=1, blocks=1, conditional=True),
    "fastgan": FastGANConfig(width=2),
    "projected": ProjectedConfig(
        width=2, lite=True, mixing=2, input_size=128, weights="random", conditional=True
    ),
    "pix2pix": Pix2PixConfig(width=2, halvings=2, d_width=2),
    "residual pix2pix": Pix2PixConfig(translator="resnet", width=2, blocks=1, d_norm="instance"),
    "conditional pix2pix": Pix2PixConfig(width=2, halvings=2, d_width=2, conditional=True),
    "conditional residual pix2pix": Pix2PixConfig(
        translator="resnet", width=2, blocks=1, d_norm="instance", conditional=True
    ),
    "gated": GatedConfig(width=2, d_depth=2),
    "conditional gated": GatedConfig(width=2, d_depth=2, conditional=True),
    "srresnet": SRResNetConfig(width=2, blocks=1, d_width=2),
    "conditional srresnet": SRResNetConfig(width=2, blocks=1, d_width=2, conditional=True),
    "shrunk srresnet": SRResNetConfig(width=2, blocks=1, d_width=2, shrink=2),
    "rrdb": SRResNetConfig(width=2, blocks=1, growth=2, d_width=2),
    "gat": GATConfig(width=8, depth=4, heads=2, label_size=6, conditional=True),
}
FORMS = {
    "conditional dcgan",
    "self-modulated resnet",
    "conditional resnet",
    "resnet of joined labels",
    "biggan without classes",
    "biggan with flat latents",
    "conditional stylegan2",
    "conditional stylegan3-r",
    "residual pix2pix",
    "conditional residual pix2pix",
    "conditional gated",
    "conditional srresnet",
    "shrunk srresnet",
    "rrdb",
}
"""Further ones of families that have another one here."""
