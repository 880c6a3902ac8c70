"""The range of the data, as the family of networks is told of it: their shape does not say it."""

from __future__ import annotations

import inspect
from typing import Any

from jaxgan.common.errors import InputError
from jaxgan.data import Spec, modality_of
from jaxgan.models import MODELS
from jaxgan.models.files import loaded_name


def range_for(model: Any, spec: Spec) -> dict[str, bool]:
    """What the `build` of a family takes beside the shape: "bounded", if that is one of its arguments, or nothing.

    Args:
      model: configuration of a family of networks.
      spec: of the data.

    Raises:
      InputError: for data that nothing bounds, if the family would take them for images in [-1, 1]: it says nothing of
        itself (`bounded = False`), and is told only a shape that is an image's.
    """
    bounded = spec.modality.bounded
    if "bounded" in inspect.signature(model.build).parameters:
        return {"bounded": bounded}
    if not bounded and getattr(model, "bounded", modality_of(spec.shape).bounded):
        family = type(model)
        known = next((name for name, own in MODELS.items() if own is family), family.__name__)
        raise InputError(
            f"model.name: expected a family that makes numbers of any size, such as mlp or stylegan2, for "
            f"{spec.modality.name}s, which are not bounded, got {loaded_name(family) or known!r}, which makes "
            "images in [-1, 1]"
        )
    return {}
