"""Network architectures: one file a family, and the table of their configurations.

A configuration is a frozen dataclass with `build(shape, n_classes) -> (generator, discriminator)`
and two facts: `conditional` (labels matter) and `convolutional` (decides how steps are dispatched
on a CPU). Generators take (z, label, train), discriminators (x, label, train) and return logits.
"""

from jaxgan.models.dcgan import DCGANConfig
from jaxgan.models.mlp import MLPConfig

MODELS = {"mlp": MLPConfig, "dcgan": DCGANConfig}

__all__ = ["MODELS", "DCGANConfig", "MLPConfig"]
