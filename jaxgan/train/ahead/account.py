"""What a step costs on a machine, as its compiler tells: memory, operations, bytes, collectives, and what bounds it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import jax
from jax.experimental.compilation_cache import compilation_cache

from jaxgan.common.devices import made_for
from jaxgan.common.errors import InputError
from jaxgan.common.processes import count
from jaxgan.config.config import Config
from jaxgan.config.fields import with_fields
from jaxgan.data import Source, make_pipeline
from jaxgan.data.source import Finite
from jaxgan.games.compile import options_of_loops
from jaxgan.train.ahead import hlo
from jaxgan.train.ahead.machines import Machine
from jaxgan.train.members import Members


@dataclass(frozen=True, kw_only=True)
class Account:
    """A step on a machine, a device of it (a chip, or one of the two cores of a v4 chip).

    Attributes:
      machine: its name.
      devices: of the machine.
      batch: examples of one discriminator update, over all devices.
      images: that the discriminator is shown in a step, over all devices.
      dtype: of the products.
      memory: bytes of a device: "arguments", "outputs" beside those that take the place of arguments, "temporaries",
        "data" (all examples, where they are kept on the devices), "peak", which is all of these, and what it "has".
      flops: of a step and device, by the compiler's count.
      nbytes: read and written in a step by a device.
      collectives: kind -> {"count", "bytes", "sent"} of a step and device.
      unknown_loops: loops of unknown length, counted as run once.
      seconds: that each part of a step takes at the published rates: "arithmetic", "memory", "collectives".
      counted: where operations and bytes are from.
    """

    machine: str
    devices: int
    batch: int
    images: int
    dtype: str
    memory: Mapping[str, float]
    flops: float
    nbytes: float
    collectives: Mapping[str, Mapping[str, float]]
    unknown_loops: int
    seconds: Mapping[str, float]
    counted: str

    @property
    def step(self) -> float:
        """Seconds of a step with everything that is taken now and then, if its parts overlap and nothing is lost."""
        return max(self.seconds.values())

    @property
    def bound(self) -> str:
        """The part of a step that takes the longest: a key of `seconds`."""
        return max(self.seconds, key=self.seconds.__getitem__)

    @property
    def fits(self) -> bool:
        """Whether the machine has the memory that the step needs."""
        return self.memory["peak"] <= self.memory["has"]

    def plain(self) -> dict[str, Any]:
        """The account as a dict that JSON can hold, with `step`, `bound`, `fits` and images a second."""
        own = {("bytes" if name == "nbytes" else name): value for name, value in vars(self).items()}
        rate = self.images / self.step
        return own | {"step": self.step, "bound": self.bound, "fits": self.fits, "images_per_second": rate}


class TooLarge(InputError):
    """A program that its compiler refuses, as it needs more memory than there is."""


def account(config: Config, machine: Machine, source: Source) -> Account:
    """Compiles one step of a configuration for a machine, and adds up what it costs.

    The program gets the examples of the step. Where all examples are kept on the devices, their bytes are added.

    Args:
      config: of the run; `compute.devices` is not looked at.
      machine: to compile for.
      source: the data, or an outline of them.

    Raises:
      TooLarge: if the compiler refuses, as memory does not suffice.
      InputError: for what cannot be, such as a batch that the devices cannot share.
    """
    there = compiled_for(config, machine, source)
    devices, chip = len(machine.devices), machine.chip
    share = devices // machine.chips  # devices of a chip
    program, counted = hlo.read(there.as_text(), devices), there.cost_analysis() or {}
    if "flops" in counted:
        more_bytes, more_flops = program.again  # compilers count a loop once, as that over parts of a batch
        flops, nbytes = counted["flops"] + more_flops, counted["bytes accessed"] + more_bytes
        told = "the compiler's own count"
    else:  # as of CUDA
        flops, nbytes = _operations(config, machine, source), program.nbytes
        told = "operations: the same step compiled for a CPU; bytes: operands and results of each instruction"
    sizes = there.memory_analysis()
    memory = {
        "arguments": sizes.argument_size_in_bytes,
        "outputs": sizes.output_size_in_bytes - sizes.alias_size_in_bytes,
        "temporaries": sizes.temp_size_in_bytes,
        "data": _resident(config, source),
    }
    totals, dtype = program.totals(), dtype_of(config)
    sent = sum(of["sent"] for of in totals.values())
    return Account(
        machine=machine.name,
        devices=devices,
        batch=config.batch_size,
        images=config.batch_size * config.d_steps,
        dtype=dtype,
        memory=memory | {"peak": sum(memory.values()), "has": chip.memory / share},
        flops=flops,
        nbytes=nbytes,
        collectives=totals,
        unknown_loops=program.unknown_loops,
        seconds={
            "arithmetic": flops / (_peak(machine, dtype) / share),
            "memory": nbytes / (chip.memory_rate / share),
            "collectives": sent / (chip.link_rate / share),
        },
        counted=told,
    )


def compiled_for(config: Config, machine: Machine, source: Source) -> Any:
    """Compiles one step of a configuration for a machine.

    Args:
      config: of the run; `compute.devices` is not looked at.
      machine: to compile for.
      source: the data, or an outline of them.

    Raises:
      TooLarge: if the compiler refuses, as memory does not suffice.
      InputError: for what cannot be.
    """
    if count() > 1:
        raise InputError(f"topology: expected one process, got {count()}")
    config.check()
    if config.compute.how == "pmap":
        raise InputError("compute.how: expected a program of jit to compile ahead of time, got 'pmap'")
    members = _members(config, source, machine.devices)
    try:
        return compiled(members)
    except jax.errors.JaxRuntimeError as error:
        said = str(error)
        if "RESOURCE_EXHAUSTED" not in said:
            raise
        line = next((line for line in said.splitlines() if "xceeded" in line or "Used" in line), said)
        raise TooLarge(
            f"batch_size: {config.batch_size} does not fit {machine.name} ({line.strip()})"
        ) from error


def _members(config: Config, source: Source, devices: Any) -> Members:
    """One member, whose program gets the examples of a step."""
    own = (
        {"data.pipeline": "stream", "compute.steps_per_dispatch": None} if isinstance(source, Finite) else {}
    )
    return Members(with_fields(config, **own), [config.seed], how="loop", devices=devices, source=source)


def _resident(config: Config, source: Source) -> int:
    """Bytes of the examples that each device keeps; 0 where they are streamed, and of data that are not there yet."""
    if not isinstance(source, Finite) or not source.name:
        return 0
    pipeline = make_pipeline(source, batch_size=config.batch_size, pipeline=config.data.pipeline)
    return 0 if pipeline.streams else pipeline.nbytes


def compiled(members: Members) -> Any:
    """Compiles the step of a member for the devices of its mesh, which need not be here.

    This goes past JAX's cache of programs: a program from there would have to be put on devices.
    """
    before = jax.config.values["jax_enable_compilation_cache"]
    jax.config.update("jax_enable_compilation_cache", False)
    compilation_cache.reset_cache()  # which remembers whether it is used
    try:
        return members.lowered().compile()
    finally:
        jax.config.update("jax_enable_compilation_cache", before)
        compilation_cache.reset_cache()


def dtype_of(config: Config) -> str:
    """The type in which most products are computed: that of the networks or, for float32, the precision asked for."""
    own, precision = str(getattr(config.model, "dtype", "float32")), config.compute.matmul_precision
    return own if own != "float32" or precision == "default" else precision


def _peak(machine: Machine, dtype: str) -> float:
    return machine.chip.flops.get(dtype, machine.chip.flops["float32"])


def _operations(config: Config, machine: Machine, source: Source) -> float:
    """Of a device's part of a step: those of the step of its share of the batch, for a CPU, in the same forms."""
    with made_for("cpu"):
        own = options_of_loops(False, config.compute.remat) or {}
    options = {"xla_backend_optimization_level": 0, **own}

    def of(batch: int) -> float:
        one = with_fields(config, batch_size=batch, **{"compute.fsdp": 1})
        with made_for(machine.chip.platform):
            lowered = _members(one, source, 1).lowered()
        program = lowered.compile(compiler_options=options)
        return (program.cost_analysis() or {})["flops"] + hlo.read(program.as_text(), 1).again[1]

    devices = len(machine.devices)
    try:
        return of(config.batch_size // devices)
    except InputError:  # a share by itself, which has too few examples to compare, say
        return of(config.batch_size) / devices


# --- which batch fits ------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fit:
    """The largest batch that fits.

    Attributes:
      batch: examples of one discriminator update, over all devices; 0: none fits.
      told: in words, from what it is estimated.
    """

    batch: int
    told: str


_FURTHEST = 64  # times the larger batch


def fit(one: Account, other: Account, multiple: int = 1) -> Fit:
    """Estimates the largest batch that fits, by a straight line through the memory of two batches.

    Args:
      one: account of one batch.
      other: account of another batch on the same machine.
      multiple: the examples of each device must be a multiple of this.
    """
    low, high = sorted((one, other), key=lambda found: found.batch)
    slope = (high.memory["peak"] - low.memory["peak"]) / (high.batch - low.batch)
    told = f"a straight line through the memory of batches of {low.batch} and {high.batch}"
    if slope <= 0:
        return Fit(high.batch, f"at least; the memory of {low.batch} and {high.batch} is the same")
    most = high.batch + (high.memory["has"] - high.memory["peak"]) / slope
    if most > _FURTHEST * high.batch:
        most, told = _FURTHEST * high.batch, f"and more: {told}, which tells no further"
    each = one.devices * multiple
    return Fit(max(0, int(most // each) * each), told)
