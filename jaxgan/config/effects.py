"""Settings that have no effect beside others: whoever types one is told, and not left to wonder."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection
from typing import Any, NamedTuple

from jaxgan.common.errors import InputError
from jaxgan.common.user_files import short_name
from jaxgan.config.config import Config


class _Need(NamedTuple):
    """Settings have an effect where `other`, a setting too, `holds`; `expected` says so in words."""

    settings: tuple[str, ...]
    other: str
    expected: str
    holds: Callable[[Any], bool]


def _moves(schedule: str) -> bool:
    return schedule != "constant"


def _adaptive(kind: str) -> bool:
    return kind != "sgd"


_SCHEDULE = "another than constant"
_NEEDS = (
    _Need(("penalty.end",), "penalty.schedule", _SCHEDULE, _moves),
    _Need(("penalty.schedule", "penalty.every"), "penalty.weights", "given", bool),
    _Need(("g_optimizer.end",), "g_optimizer.schedule", _SCHEDULE, _moves),
    _Need(("d_optimizer.end",), "d_optimizer.schedule", _SCHEDULE, _moves),
    _Need(("e_optimizer.end",), "e_optimizer.schedule", _SCHEDULE, _moves),
    _Need(("e_optimizer.b2", "e_optimizer.eps"), "e_optimizer.kind", "another than sgd", _adaptive),
    _Need(("g_optimizer.b2", "g_optimizer.eps"), "g_optimizer.kind", "another than sgd", _adaptive),
    _Need(("d_optimizer.b2", "d_optimizer.eps"), "d_optimizer.kind", "another than sgd", _adaptive),
    _Need(("ema.decay", "ema.ramp_up"), "ema.half_life", "0", lambda life: not life),
    _Need(("dynamics.instance_noise_end",), "dynamics.instance_noise", "more than 0", bool),
    _Need(("dynamics.blur_end",), "dynamics.blur", "more than 0", bool),
    _Need(("dynamics.top_k_start",), "dynamics.top_k", "below 1", lambda share: share != 1),
    _Need(("dynamics.lookahead_alpha",), "dynamics.lookahead", "more than 0", bool),
    _Need(("health.n",), "health.enabled", "True", bool),
)


def check_effects(config: Config, typed: Collection[str]) -> None:
    """Raises InputError for the first of the settings `typed` that changes nothing.

    One that has its usual value passes where the setting that it waits for has its usual value, too.

    Args:
      config: with them.
      typed: dotted names.
    """
    for setting in typed:
        usual = _value(config, setting) == _value(_plain(), setting)
        for need in _NEEDS:
            other = _value(config, need.other)
            if usual and other == _value(_plain(), need.other):
                continue
            if setting in need.settings and not need.holds(other):
                raise InputError(
                    f"{setting}: expected {need.other} to be {need.expected}, as it has no effect otherwise, got "
                    f"{other!r}"
                )
    weights = {short_name(name) for name, _ in config.penalty.weights}
    if "penalty.every_of" in typed:
        for name, _ in config.penalty.every_of:
            if short_name(name) not in weights:
                raise InputError(
                    f"penalty.every_of: expected names of penalty.weights ({', '.join(sorted(weights)) or 'none'}), "
                    f"got {name!r}"
                )
    own = {short_name(name) for name, _ in config.penalty.every_of}
    if "penalty.every" in typed and config.penalty.every != 1 and weights and weights <= own:
        raise InputError(
            "penalty.every: expected penalty.every_of to leave a penalty out, as it has no effect otherwise, got all "
            f"of them ({', '.join(sorted(weights))})"
        )
    if "penalty.own_updates" in typed and config.penalty.own_updates and not config.penalty.own_turns():
        raise InputError(
            "penalty.own_updates: expected penalty.every or penalty.every_of to be above 1 for some penalty, as it has "
            "no effect otherwise, got neither"
        )
    schedules = config.g_optimizer, config.d_optimizer, config.e_optimizer, config.penalty, config.ema
    if (
        "schedule_kimg" in typed
        and config.schedule_kimg
        and not any(_moves(group.schedule) for group in schedules)
        and "ada_scheduled" not in config.augment
    ):
        raise InputError(
            "schedule_kimg: expected an optimiser, the penalties or the average to follow a schedule, as it has no "
            "effect otherwise, got none"
        )


@functools.cache
def _plain() -> Config:
    return Config()


def _value(config: Any, setting: str) -> Any:
    """The value of a dotted name; None for one that the groups of every configuration do not have."""
    for name in setting.split("."):
        config = getattr(config, name, None)
    return config
