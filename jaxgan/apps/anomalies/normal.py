"""Normal images that a run was not trained on, to find thresholds with."""

from __future__ import annotations

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.config.data import located, open_data
from jaxgan.config.fields import with_fields
from jaxgan.data import Source, describe, other_split
from jaxgan.runs.opened import Run, changed_data


def data_of(run: Run, place: str | None = None) -> Source:
    """The data that a run was trained on.

    Args:
      run: whose data they are.
      place: where they are to be found now; None: where they were.

    Raises:
      InputError: if they cannot be opened, or have changed.
    """
    config = run.config if place is None else with_fields(run.config, **{"data.source": located(place)})
    source = open_data(config)
    if source.fingerprint != run.data["fingerprint"]:
        raise changed_data(run.data, describe(source))
    return source


def unseen(source: Source, n: int) -> np.ndarray:
    """At most n images of the classes that were trained on, of those that were not.

    Raises:
      InputError: if nothing was held out.
    """
    other = other_split(source)
    if other is None:
        raise InputError(
            f"normal: expected images to find the threshold with (--normal FOLDER), as nothing is held out of "
            f"{source.name!r}"
        )
    return other.some(n, 0)[other.example]
