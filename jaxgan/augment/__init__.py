"""What a critic sees of examples: augmentations, noise, packs, exchanged labels."""

from jaxgan.augment.adaptive import adaptive
from jaxgan.augment.base import Augmentation
from jaxgan.augment.seen import flipped, instance_noise, noisy, packed
from jaxgan.augment.shifts import Augment, flip_and_shift

__all__ = [
    "Augment",
    "Augmentation",
    "adaptive",
    "flip_and_shift",
    "flipped",
    "instance_noise",
    "noisy",
    "packed",
]
