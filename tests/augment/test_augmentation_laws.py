"""Every augmentation of the package obeys every law."""

import pytest

from jaxgan.augment import AUGMENTATIONS, laws


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_augmentation_obeys_every_law(name):
    assert [v for v in laws.check(AUGMENTATIONS[name]()) if v.outcome != "holds"] == []
