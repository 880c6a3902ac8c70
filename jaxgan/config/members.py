"""What members may differ in, and whether one program for all of them pays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from jaxgan.common.devices import platform
from jaxgan.common.errors import InputError
from jaxgan.config.config import Config
from jaxgan.config.fields import is_real, with_fields
from jaxgan.config.games import needs_whole_batches
from jaxgan.config.own_files import own_files

_WIDEST_MAPPED = 64  # on a CPU: measured by experiments/bench_ensemble.py


def check_members(config: Config, seeds: Sequence[Any], hyper: Mapping[str, Sequence[float]]) -> None:
    """Raises InputError for seeds or hyper-parameters, as of `Members`, that cannot be."""
    if not seeds:
        raise InputError("seeds: expected at least one, got none")
    if any(not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32 for seed in seeds):
        raise InputError(f"seeds: expected integers from 0 to {2**32 - 1}, got {seeds}")
    if not hyper and len(set(seeds)) < len(seeds):
        raise InputError(f"seeds: expected different ones, got {seeds}")
    for name, values in hyper.items():
        if name.split(".")[0] in ("latent", "model", "data", "compute"):
            raise InputError(
                f"hyper: expected fields of the loss, penalties, dynamics, optimisers or EMA, got {name}, which "
                "says how members start or what is sampled"
            )
        if len(values) != len(seeds):
            raise InputError(
                f"hyper: expected one {name} for each of {len(seeds)} members, got {len(values)}"
            )
        with_fields(config, **{name: 0.0})  # raises for a field that does not exist
        if not is_real(config, name.split(".")):
            raise InputError(f"hyper: expected fields that are real numbers, got {name}")
        if any(isinstance(v, bool) or not isinstance(v, int | float | np.number) for v in values):
            raise InputError(f"hyper: expected a number for each member, got {name} = {list(values)}")


def slow_to_map(config: Config) -> bool:
    """Whether one mapped step for all members takes longer than a loop over them."""
    model: Any = config.model
    if platform() != "cpu":
        return False
    widths = (
        *getattr(model, "g_widths", ()),
        *getattr(model, "d_widths", ()),
    )  # a family of one's own has none
    return model.convolutional or max(widths, default=0) > _WIDEST_MAPPED


def takes_shares(config: Config, devices: int) -> bool:
    """Whether each device can compute the step on its share of the batch, as it is known what is averaged over devices.

    Code of the user's own may look at a batch as a whole, which it would not have then; packs, microbatches and those
    examples of which a penalty looks at the first are not parted.
    """
    if needs_whole_batches(config):
        return False
    if config.compute.how != "auto":
        return config.compute.how == "shard_map"
    together = config.dynamics.pack * config.compute.microbatches * config.penalty.shrink
    whole = config.batch_size % devices == 0 and config.batch_size // devices % together == 0
    return config.compute.fsdp == 1 and whole and not own_files(config)
