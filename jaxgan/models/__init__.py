"""Network architectures: one file per family, and the table of their configurations.

A configuration is a frozen dataclass with `build(shape, n_classes) -> (generator, discriminator)`
and two facts: `conditional` says whether labels matter, and `convolutional` decides how steps are
dispatched on a CPU. Images lie in [-1, 1], but for a family that says `bounded = False`. A family whose `build` takes
`bounded` is told whether the examples lie there (None: as the shape suggests). Any other that does not say
`bounded = False` takes [height, width, channels] for an image, and is refused for data of such a shape without bounds.

Generators take (z, label, train) and return examples; discriminators take (x, label, train) and return logits. Either
may also take `keys`, one key an example, if it is random in training, and `step`, if it changes with time. A
discriminator whose attribute `classifies` is true also takes classify=True, and then returns the logits of the classes,
[batch, n_classes]. A network may keep weights that were trained before in the collection "frozen", which no step
changes, and get them in `prepare()`, which is called before a run.

A family whose samples can be truncated has a method `truncated(variables, latents, psi) -> (variables, latents)`,
which `jaxgan sample --truncation PSI` calls with those of the averaged generator; 1 changes nothing, 0 makes all alike.

A family that says `translates = True` has translators in the place of generators: they take images. Its `build` takes
`source`, too, the shape of these (None: that of what is made), and `judged`, the channels that the critic sees.

A generator with a mapping network has two more methods, of which its `__call__` is made: `mapping(z, label)` gives
styles [n, layers, d], one a layer, and `synthesis(styles)` examples. What edits and projects works in their space then.

A family whose networks grow while they are trained has a method `growth(shape, images) -> Growth`, where `images` is
the number of real images in a step. Its `build` takes `images`, too, and `stage`, the only size that the networks are
then asked for (None: that of the step). Its networks take `step` (None: the last one they were trained in, which they
remember in a collection), and its generator may have `detail(step, x)`, which gives reals the detail of its own images.
"""

from typing import Any

from jaxgan.common.errors import InputError, lookup
from jaxgan.common.user_files import OWN, is_file
from jaxgan.models.biggan import BigGANConfig
from jaxgan.models.dcgan import DCGANConfig
from jaxgan.models.fastgan import FastGANConfig
from jaxgan.models.files import load_family, loaded_name
from jaxgan.models.gat import GATConfig
from jaxgan.models.mlp import MLPConfig
from jaxgan.models.progan import ProGANConfig
from jaxgan.models.projected import ProjectedConfig
from jaxgan.models.r3gan import R3GANConfig
from jaxgan.models.resnet import ResNetConfig
from jaxgan.models.stylegan2 import StyleGAN2Config
from jaxgan.models.stylegan3 import StyleGAN3Config
from jaxgan.models.translators.families import Pix2PixConfig
from jaxgan.models.translators.gated import GatedConfig
from jaxgan.models.translators.srresnet import SRResNetConfig

MODELS: dict[str, type[Any]] = {
    "mlp": MLPConfig,
    "dcgan": DCGANConfig,
    "resnet": ResNetConfig,
    "progan": ProGANConfig,
    "biggan": BigGANConfig,
    "stylegan2": StyleGAN2Config,
    "fastgan": FastGANConfig,
    "stylegan3": StyleGAN3Config,
    "projected": ProjectedConfig,
    "r3gan": R3GANConfig,
    "gat": GATConfig,
    "pix2pix": Pix2PixConfig,
    "gated": GatedConfig,
    "srresnet": SRResNetConfig,
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


__all__ = [
    "MODELS",
    "BigGANConfig",
    "DCGANConfig",
    "FastGANConfig",
    "GATConfig",
    "GatedConfig",
    "MLPConfig",
    "Pix2PixConfig",
    "ProGANConfig",
    "ProjectedConfig",
    "R3GANConfig",
    "ResNetConfig",
    "SRResNetConfig",
    "StyleGAN2Config",
    "StyleGAN3Config",
    "find_model",
    "model_name",
]
