"""Network architectures: one file per family, and the table of their configurations.

A configuration is a frozen dataclass with `build(shape, n_classes) -> (generator, discriminator)`
and two facts: `conditional` says whether labels matter, and `convolutional` decides how steps are
dispatched on a CPU. Generators take (z, label, train) and return examples; discriminators take
(x, label, train) and return logits.
"""

from jaxgan.common.errors import lookup
from jaxgan.models.dcgan import DCGANConfig
from jaxgan.models.mlp import MLPConfig

MODELS = {"mlp": MLPConfig, "dcgan": DCGANConfig}


def find_model(name: str) -> type[MLPConfig | DCGANConfig]:
    """The configuration class of the family `name`. Raises InputError naming the nearest if there is none."""
    return lookup("model", name, MODELS)


__all__ = ["MODELS", "DCGANConfig", "MLPConfig", "find_model"]
