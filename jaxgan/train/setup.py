"""A configuration brought to life: data, networks, devices and the compiled program."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import jax

from jaxgan.common.devices import choose_devices, make_mesh
from jaxgan.config.config import Config
from jaxgan.config.data import open_data
from jaxgan.data import Pipeline, Source, make_pipeline
from jaxgan.data.source import describe
from jaxgan.games.game import GAN, GANState, init
from jaxgan.runs.sampling import Sampler
from jaxgan.train.program import compile_program, steps_per_dispatch


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
        state = init(self.gan, jax.random.key(self.config.seed), self.source.spec.batch(), self.mesh)
        if self.mesh is None:  # placed for good, as the data are: else the second step compiles again
            state = jax.device_put(state, jax.devices()[0])
        return state


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
    spec = source.spec
    gan = config.build(spec.shape, spec.n_classes)
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
    sampler = Sampler(gan, spec.n_classes if config.model.conditional else 0, spec)
    return Setup(config, source, gan, mesh, pipeline, program, repeat, sampler)
