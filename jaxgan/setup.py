"""A configuration brought to life: data, networks, devices and the compiled program."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax

from jaxgan.config import Config
from jaxgan.data import Images, Pipeline, Source, make_pipeline, open_source
from jaxgan.environment import choose_devices
from jaxgan.errors import InputError
from jaxgan.run import batch_like
from jaxgan.sampling import Sampler
from jaxgan.sharding import compile_step, make_mesh, replicated
from jaxgan.state import GAN, GANState, init
from jaxgan.step import Metrics, make_step


@dataclass(frozen=True, eq=False)
class Setup:
    """A configuration brought to life: data, networks, devices and the compiled program."""

    config: Config
    source: Source
    gan: GAN
    mesh: Any
    pipeline: Pipeline
    program: Any
    steps_per_dispatch: int
    sampler: Sampler

    @property
    def data(self) -> dict[str, Any]:
        """What run.json says of the data."""
        return describe(self.source)

    def init(self) -> GANState:
        """A fresh state on the devices."""
        state = init(self.gan, jax.random.key(self.config.seed), batch_like(self.data), self.mesh)
        if self.mesh is None:  # placed for good, as the data are: else the second step compiles again
            state = jax.device_put(state, jax.devices()[0])
        return state


def describe(source: Source) -> dict[str, Any]:
    """What run.json says of the data."""
    return {
        "name": source.name,
        "n": len(source) if isinstance(source, Images) else 0,
        "shape": list(source.shape),
        "n_classes": source.n_classes,
        "class_names": list(source.class_names),
        "fingerprint": source.fingerprint,
        "skipped": source.skipped,
    }


def open_data(config: Config) -> Source:
    """The data of a configuration. Raises InputError if it names none, or it cannot be trained on."""
    if not config.data.source:
        raise InputError(
            f"data.source: preset {config.preset!r} needs one: --data.source folder:PATH or tfds:NAME"
        )
    source = open_source(
        config.data.source,
        config.data.split,
        resolution=config.data.resolution,
        channels=config.data.channels,
        skip_broken=config.data.skip_broken,
    )
    if isinstance(source, Images) and len(source) < 2:
        raise InputError(f"data.source: expected at least 2 images in {source.name!r}, got {len(source)}")
    return source


def set_up(config: Config, *, starts: Sequence[int] = ()) -> Setup:
    """Opens the data, builds the networks and the program; trains nothing.

    Args:
      config: what to do.
      starts: steps at which training may begin, besides 0: those of the checkpoints.

    Raises:
      InputError: for anything in the configuration or the data that cannot be.
    """
    config.check()
    source = open_data(config)
    gan = config.build(source.shape, source.n_classes)
    devices = choose_devices(config.compute.devices)
    mesh = make_mesh(devices) if len(devices) > 1 or config.compute.how == "pmap" else None
    pipeline = make_pipeline(
        source,
        batch_size=config.batch_size,
        d_steps=config.d_steps,
        seed=config.seed,
        flip=config.data.flip,
        placement=config.data.placement,
        mesh=mesh,
    )
    repeat = steps_per_dispatch(config, pipeline, jax.default_backend(), starts)
    program = compile_program(gan, pipeline, mesh, config.compute.how, repeat)
    conditional = config.model.conditional
    sampler = Sampler(gan, source.n_classes if conditional else 0, points=len(source.shape) == 1)
    return Setup(config, source, gan, mesh, pipeline, program, repeat, sampler)


def steps_per_dispatch(config: Config, pipeline: Pipeline, backend: str, starts: Sequence[int] = ()) -> int:
    """How many steps one program makes: a divisor of every interval and start, so that each ends with one.

    Raises:
      InputError: if the configuration asks for a number that cannot be.
    """
    intervals = (
        config.steps,
        config.log_every,
        config.sample_every,
        config.checkpoint_every,
        config.evaluate_every,
    )
    common = math.gcd(*intervals)
    asked = config.compute.steps_per_dispatch
    if pipeline.streams or config.compute.how == "pmap":
        if asked not in (None, 1):
            raise InputError(
                f"compute.steps_per_dispatch: expected 1 with pmap or streamed data, got {asked}"
            )
        return 1
    if asked is not None:
        if common % asked:
            raise InputError(
                f"compute.steps_per_dispatch: expected a divisor of all intervals and of steps ({common}), got {asked}"
            )
        return math.gcd(asked, *starts)
    most = 1 if backend == "cpu" and config.model.convolutional else 16
    return max(k for k in range(1, most + 1) if math.gcd(common, *starts) % k == 0)


def compile_program(gan: GAN, pipeline: Pipeline, mesh: Any, how: str, repeat: int) -> Any:
    """(state, inputs of the pipeline) -> (state, metrics of shape [repeat]): data and steps in one program."""
    step = make_step(gan)
    if how == "pmap":
        prepare, mapped = jax.jit(pipeline.prepare), compile_step(step, mesh, how="pmap")

        def run_mapped(state: GANState, inputs: Any) -> tuple[GANState, Metrics]:
            state, metrics = mapped(state, prepare(inputs, state.step))
            return state, jax.tree.map(lambda x: x[None], metrics)

        return run_mapped

    def one(state: GANState, inputs: Any) -> tuple[GANState, Metrics]:
        return step(state, pipeline.prepare(inputs, state.step))

    def several(state: GANState, inputs: Any) -> tuple[GANState, Metrics]:
        if repeat == 1:
            state, metrics = one(state, inputs)
            return state, jax.tree.map(lambda x: x[None], metrics)
        return jax.lax.scan(lambda state, _: one(state, inputs), state, length=repeat)

    out = None if mesh is None else (replicated(mesh), replicated(mesh))
    return jax.jit(several, donate_argnums=0, out_shardings=out)
