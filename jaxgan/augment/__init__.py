"""What a critic sees of examples: augmentations, noise, packs, exchanged labels."""

from collections.abc import Callable

from jaxgan.augment.ada import ada, ada_scheduled
from jaxgan.augment.adaptive import adaptive, apa
from jaxgan.augment.base import Augmentation
from jaxgan.augment.blur import blurred, fading_blur
from jaxgan.augment.diffaugment import diffaugment
from jaxgan.augment.files import always, load_augmentation
from jaxgan.augment.seen import flipped, instance_noise, noisy, packed
from jaxgan.augment.shifts import Augment, flip_and_shift
from jaxgan.augment.strength import Strength, rising, steered
from jaxgan.common.errors import lookup
from jaxgan.common.user_files import OWN, is_file

__all__ = [
    "AUGMENTATIONS",
    "Augment",
    "Augmentation",
    "Strength",
    "ada",
    "ada_scheduled",
    "adaptive",
    "always",
    "apa",
    "blurred",
    "diffaugment",
    "fading_blur",
    "find_augmentation",
    "flip_and_shift",
    "flipped",
    "instance_noise",
    "noisy",
    "packed",
    "rising",
    "steered",
]

AUGMENTATIONS: dict[str, Callable[..., Augmentation]] = {
    "flip_and_shift": lambda: always(flip_and_shift),
    "adaptive": adaptive,
    "diffaugment": diffaugment,
    "ada": ada,
    "ada_scheduled": ada_scheduled,
    "apa": apa,
}


def find_augmentation(name: str) -> Callable[..., Augmentation]:
    """Finds the function that builds the augmentation `name`, an entry of AUGMENTATIONS or FILE.py:NAME.

    Raises:
      ValueError: if there is no such augmentation, or the file cannot be used.
    """
    return (
        load_augmentation(name) if is_file(name) else lookup("augmentation", name, AUGMENTATIONS, also=[OWN])
    )
