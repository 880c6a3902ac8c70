"""`jaxgan compile`: a step compiled for a machine that is not here, and what it costs there."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import math
import pathlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from jaxgan.cli.arguments import check_out, gflop, parse, print_rows
from jaxgan.cli.train import Train
from jaxgan.cli.words.flags import flags_of
from jaxgan.cli.words.training import planned
from jaxgan.common.errors import InputError
from jaxgan.config.config import Config
from jaxgan.config.data import as_meant, lacking, open_data, outlined
from jaxgan.config.fields import to_json
from jaxgan.data import Source

if TYPE_CHECKING:
    from jaxgan.train.ahead.account import Account, Fit
    from jaxgan.train.ahead.machines import Machine


@dataclass(frozen=True)
class Compile:
    """Compile a step of a preset for a machine that is not here: its memory, time at best, and what bounds it.

    Presets, data and flags are those of `jaxgan train`, which come beside the ones below. Nothing is trained, and
    images need not be there. The compiler of TPUs is the extra `compile-tpu`, that of GPUs `compile-gpu`.
    """

    topology: str | None = None
    """The machine: v5e:4x4, v6e:16x16 (chips along both axes), v4:2x2x1, v5p:4x4x4, or h100:8."""
    batch: int | None = None
    """Examples in one discriminator update, over all chips; None: as the preset says."""
    batch_per_chip: int | None = None
    """Examples in one discriminator update on each chip, in place of --batch."""
    quick: bool = False
    """Compile one batch alone, and do not say which one would fit: that takes a second one."""
    json: pathlib.Path | None = None
    """File to write everything to as well."""


def compile(args: list[str]) -> None:
    """Compiles a step of a preset for a machine that is not here, and says what it costs there."""
    mine, others = _parted(args)
    own = parse(Compile, mine, "compile")
    plan = planned(others, Train)  # first, as the flag that is missing may be one that is misspelt
    config = plan.config
    for flag in ("seeds", "name"):
        if (given := getattr(plan, flag)) is not None:
            raise InputError(
                f"{flag}: expected none, as the step of one run is compiled and not kept, got {given}"
            )
    if own.topology is None:
        raise InputError("topology: expected a machine, such as --topology v5e:4x4 or h100:8, got none")
    if own.json is not None:
        check_out("json", own.json, (".json",))
    import jax

    from jaxgan.train.ahead.machines import machine

    there = machine(own.topology)
    jax.config.update("jax_platforms", "cpu")  # nothing is run, whatever is here
    config = with_batch(config, there, own.batch, own.batch_per_chip)
    said = accounts(config, there, quick=own.quick)
    print_rows(_rows(config, there, *said))
    if own.json is not None:
        own.json.write_text(json.dumps(plain(config, *said), indent=1) + "\n")


def with_batch(config: Config, machine: Machine, batch: int | None, per_chip: int | None) -> Config:
    """The configuration with another batch, over all chips or a chip.

    Raises:
      InputError: if both are given, or one below 1.
    """
    if batch is not None and per_chip is not None:
        raise InputError(f"batch: expected --batch or --batch-per-chip, got {batch} and {per_chip}")
    if per_chip is not None:
        batch = per_chip * machine.chips
    return config if batch is None else dataclasses.replace(config, batch_size=batch)


def accounts(config: Config, machine: Machine, *, quick: bool = False) -> tuple[Account, Fit | None]:
    """Says what a step costs on a machine and, unless `quick`, which batch fits, which takes more compilations.

    Raises:
      TooLarge: if not even a part of the batch fits.
      InputError: for what cannot be.
    """
    from jaxgan.train.ahead.account import TooLarge, account, fit

    def of(config: Config) -> Account:
        return account(config, machine, source_of(config))

    each = len(machine.devices) * config.dynamics.pack
    try:
        first = of(config)
    except TooLarge as error:
        smaller = sorted({config.batch_size // (k * each) * each for k in (8, 4)} - {0})
        if quick or len(smaller) < 2:
            raise
        low, high = (of(dataclasses.replace(config, batch_size=n)) for n in smaller)
        found = fit(low, high, config.dynamics.pack)
        raise TooLarge(f"{error}; {found.batch} would fit ({found.told})") from error
    if quick:
        return first, None
    # much larger, as the activations of a small batch may take no memory at all beside that of the cores
    for other in (8 * config.batch_size, 2 * config.batch_size, config.batch_size // (2 * each) * each):
        with contextlib.suppress(InputError):  # too large, or more than there are examples
            return first, fit(first, of(dataclasses.replace(config, batch_size=other)), config.dynamics.pack)
    return first, None


def source_of(config: Config) -> Source:
    """The data of a configuration, or a stand-in for them: no images are decoded."""
    source = as_meant(config) if lacking(config) else outlined(config)
    return open_data(config) if source is None else source


def plain(config: Config, account: Account, fit: Fit | None) -> dict[str, object]:
    """What was found, as a dict that JSON can hold."""
    found = None if fit is None else dataclasses.asdict(fit)
    return {"preset": config.preset, **account.plain(), "largest_batch": found, "config": to_json(config)}


def _parted(args: Sequence[str]) -> tuple[list[str], list[str]]:
    """The arguments of this command, and those of `jaxgan train`."""
    flags, mine, others = flags_of(Compile), [], []
    at = 0
    while at < len(args):
        name, equals, _ = args[at].partition("=")
        flag = flags.get(name.replace("_", "-"))
        words = 1 if flag is None or flag.is_switch or equals else 2
        (mine if flag is not None or args[at] in ("-h", "--help") else others).extend(args[at : at + words])
        at += words
    return mine, others


# --- for people ------------------------------------------------------------------------------------


def _rows(config: Config, machine: Machine, one: Account, fit: Fit | None) -> Mapping[str, str]:
    chip, memory = machine.chip, one.memory
    of = "chip" if one.devices == machine.chips else "core"
    parts = ", ".join(
        f"{name} {_bytes(memory[name])}" for name in ("arguments", "outputs", "temporaries", "data")
    )
    rows = {
        "step": f"{config.preset}, batch {one.batch:,} ({one.batch / machine.chips:g} a chip), products of {one.dtype}",
        "machine": f"{machine.name}: {machine.chips} chips; {chip.source}{_BETWEEN if machine.hosts > 1 else ''}",
        "memory": f"{_bytes(memory['peak'])} a {of}, of {_bytes(memory['has'])}: {parts}",
        "fits": "yes" if one.fits else "no",
    }
    if fit is not None:
        rows["fits"] += f"; the largest batch is about {fit.batch:,} ({fit.told})"
    rows["operations"] = f"{gflop(one.flops)} a {of}"
    rows["bytes"] = f"{_bytes(one.nbytes)} read and written a {of}"
    for kind, own in sorted(one.collectives.items()):
        rows[kind] = f"{own['count']:,}, of {_bytes(own['bytes'])} in all; a {of} sends {_bytes(own['sent'])}"
    if not one.collectives:
        rows["collectives"] = "none"
    if one.unknown_loops:
        rows["loops"] = f"{one.unknown_loops} of a length that the program does not tell, counted as run once"
    seconds = ", ".join(f"{name} {_time(value)}" for name, value in one.seconds.items())
    rows["time"] = f"{_time(one.step)} a step at least, bound by {_BOUND[one.bound]}: {seconds}"
    rows["speed"] = f"{one.images / one.step:,.0f} images a second at most"
    if any(every > 1 for every in config.penalty.intervals().values()):
        rows["time"] += "; this is the dearest step, with all penalties that are applied now and then"
        rows["speed"] += ", if every step were such a one"
    rows["counted"] = one.counted
    return rows


_BETWEEN = "; slower links between hosts are not told apart"
_BOUND = {"arithmetic": "arithmetic", "memory": "bytes of memory", "collectives": "collectives"}


def _bytes(n: float) -> str:
    power = 0 if n < 1 else min(int(math.log(n, 1024)), 4)
    return f"{n / 1024**power:.{1 if power else 0}f} {('B', 'KiB', 'MiB', 'GiB', 'TiB')[power]}"


def _time(seconds: float) -> str:
    if seconds >= 1:
        return f"{seconds:.2f} s"
    return f"{seconds * 1e3:.3g} ms" if seconds >= 1e-3 else f"{seconds * 1e6:.3g} us"
