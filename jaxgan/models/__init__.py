"""Network architectures: one file per family, and the table of their configurations.

A configuration is a frozen dataclass with `build(shape, n_classes) -> (generator, discriminator)`
and two facts: `conditional` says whether labels matter, and `convolutional` decides how steps are
dispatched on a CPU. Generators take (z, label, train) and return examples; discriminators take
(x, label, train) and return logits. A family whose samples can be truncated has a method
`truncated(variables, latents, psi) -> (variables, latents)`, which `jaxgan sample --truncation PSI` calls with those
of the averaged generator; 1 changes nothing, 0 makes all samples alike. A discriminator whose attribute `classifies`
is true also takes classify=True, and then returns the logits of the classes, [batch, n_classes].
"""

from typing import Any

from jaxgan.common.errors import InputError, lookup
from jaxgan.common.user_files import OWN, is_file
from jaxgan.models.biggan import BigGANConfig
from jaxgan.models.dcgan import DCGANConfig
from jaxgan.models.files import load_family, loaded_name
from jaxgan.models.mlp import MLPConfig
from jaxgan.models.resnet import ResNetConfig

MODELS: dict[str, type[Any]] = {
    "mlp": MLPConfig,
    "dcgan": DCGANConfig,
    "resnet": ResNetConfig,
    "biggan": BigGANConfig,
}


def find_model(name: str) -> type[Any]:
    """The configuration class of the family `name`, an entry of MODELS or FILE.py:NAME.

    Raises:
      InputError: naming the nearest if there is none, or if the file cannot be used.
    """
    return load_family(name) if is_file(name) else lookup("model", name, MODELS, also=[OWN])


def model_name(family: type) -> str:
    """The name under which `find_model` finds a family. Raises InputError if there is none."""
    name = loaded_name(family) or next((name for name, kind in MODELS.items() if family is kind), None)
    if name is None:
        raise InputError(
            f"model: expected a family of MODELS or of a file (FILE.py:NAME), got {family.__name__}, which a run could "
            "not find again"
        )
    return name


__all__ = ["MODELS", "BigGANConfig", "DCGANConfig", "MLPConfig", "ResNetConfig", "find_model", "model_name"]
