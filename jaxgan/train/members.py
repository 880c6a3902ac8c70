"""Many members in one program: the same pure step, over seeds and over scalar hyper-parameters.

A member is what `jaxgan train --seed K` computes, to rounding: its weights, data order and noise
come from its own seed. Members never exchange anything. Where one program for all pays
(accelerators, fully connected networks) the step is mapped over them by `vmap`, and on several
devices each takes its share of the members; elsewhere one compiled step goes round them in a loop.
"""

from __future__ import annotations

import contextlib
import dataclasses
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.devices import batch_sharded, choose_devices, make_mesh, replicated
from jaxgan.common.errors import InputError
from jaxgan.config.config import Config
from jaxgan.config.data import open_data
from jaxgan.config.fields import with_fields
from jaxgan.data import Source, make_pipeline
from jaxgan.data.source import describe
from jaxgan.games.game import GAN, GANState, init
from jaxgan.games.step import Metrics, make_step
from jaxgan.runs.sampling import Sampler
from jaxgan.train.program import steps_per_dispatch

HOW = ("auto", "vmap", "loop")
_WIDEST_MAPPED = 64  # on a CPU: measured by experiments/bench_ensemble.py


class Ensemble:
    """Members that differ in their seed and in scalar hyper-parameters, trained side by side.

    The states of all members are one value: a stacked `GANState` under "vmap", a list of them under
    "loop"; `member` and `joined` go between it and single states.
    """

    def __init__(
        self,
        config: Config,
        seeds: Sequence[int],
        *,
        hyper: Mapping[str, Sequence[float]] | None = None,
        how: str = "auto",
        devices: int | None = None,
        source: Source | None = None,
        starts: Sequence[int] = (),
    ) -> None:
        """Opens the data and prepares the program; compiles nothing yet.

        Args:
          config: of all members; its own seed is not used.
          seeds: one for each member.
          hyper: dotted names of fields that are real numbers, such as "g_optimizer.learning_rate" or
            "penalty.weights.r1", with one value for each member. They are inputs of the program, not
            constants in it: it is compiled once for all values. What is computed from them is
            computed in float32: 1 - b2 of an optimiser then differs from that of a constant by up
            to 1e-4 of itself.
          how: "vmap", "loop", or "auto": a loop on a CPU but for small fully connected networks, as
            XLA's mapped convolutions and batched products are slower there than single ones.
          devices: how many to use, for "vmap"; None: as many local ones as divide the members.
          source: data that is open already.
          starts: steps at which training may begin, besides 0.

        Raises:
          InputError: for a configuration or data that cannot be, no seeds or repeated ones without
            `hyper`, hyper-parameters that are not real numbers, not one a member or out of range. One
            that decides what is computed may be refused as late as by `advance`.
        """
        config.check()
        self.config, self.seeds, self.hyper = config, list(seeds), dict(hyper or {})
        self._check_members()
        self.source = open_data(config) if source is None else source
        self.data = describe(self.source)
        self.gan = self._build_all()
        if how not in HOW:
            raise InputError(f"how: expected one of {', '.join(HOW)}, got {how!r}")
        self._pipelines = [self._pipeline(seed) for seed in self.seeds[:1]]
        streams = self._pipelines[0].streams
        if how == "auto":
            how = "loop" if streams or _slow_to_map(config) else "vmap"
        if streams:
            if how == "vmap":
                raise InputError("how: expected 'loop' for data that is streamed, got 'vmap'")
            self._pipelines += [self._pipeline(seed) for seed in self.seeds[1:]]
        self.how = how
        self.repeat = steps_per_dispatch(config, self._pipelines[0], jax.default_backend(), starts)
        self.mesh = self._mesh(devices) if how == "vmap" else None
        spec = self.source.spec
        self.sampler = Sampler(self.gan, spec.n_classes if config.model.conditional else 0, spec)
        self._init = jax.jit(lambda key: init(self.gan, key, spec.batch()))
        self._stack = jax.jit(lambda trees: jax.tree.map(lambda *leaves: jnp.stack(leaves), *trees))
        self._take = jax.jit(lambda states, k: jax.tree.map(lambda x: x[k], states))
        self._program = self._compiled()
        own = {name: np.asarray(values, np.float32) for name, values in self.hyper.items()}
        self._own: Any = (np.asarray(self.seeds, np.uint32), own)  # placed once: nothing moves in `advance`
        if how == "vmap":
            self._own = jax.device_put(self._own, None if self.mesh is None else batch_sharded(self.mesh))
        else:
            rows = [jax.tree.map(lambda x, k=k: x[k], self._own) for k in range(len(self.seeds))]
            self._own = [jax.device_put(row) for row in rows]

    def _check_members(self) -> None:
        if not self.seeds:
            raise InputError("seeds: expected at least one, got none")
        if any(not isinstance(seed, int | np.integer) or not 0 <= seed < 2**32 for seed in self.seeds):
            raise InputError(f"seeds: expected integers from 0 to {2**32 - 1}, got {self.seeds}")
        if not self.hyper and len(set(self.seeds)) < len(self.seeds):
            raise InputError(f"seeds: expected different ones, got {self.seeds}")
        for name, values in self.hyper.items():
            if name.split(".")[0] in ("latent", "model", "data", "compute"):
                raise InputError(
                    f"hyper: expected fields of the loss, penalties, dynamics, optimisers or EMA, got {name}, which "
                    "says how members start or what is sampled"
                )
            if len(values) != len(self.seeds):
                raise InputError(
                    f"hyper: expected one {name} for each of {len(self.seeds)} members, got {len(values)}"
                )
            with_fields(self.config, **{name: 0.0})  # raises for a field that does not exist
            if not _is_real(self.config, name.split(".")):
                raise InputError(f"hyper: expected fields that are real numbers, got {name}")
            if any(isinstance(v, bool) or not isinstance(v, int | float | np.number) for v in values):
                raise InputError(f"hyper: expected a number for each member, got {name} = {list(values)}")

    def _build_all(self) -> GAN:
        """The first member's; raises InputError if another's cannot be, or not with its numbers as inputs."""
        values = {name: list(map(float, values)) for name, values in self.hyper.items()}
        gans = [
            self._build({name: own[k] for name, own in values.items()})
            for k in range(len(self.seeds) if values else 1)
        ]
        if values:
            traced = {name: jax.ShapeDtypeStruct((), jnp.float32) for name in values}
            with self._as_input_error():
                jax.eval_shape(lambda hyper: self._build(hyper) and None, traced)
        return gans[0]

    def _build(self, values: Mapping[str, Any]) -> GAN:
        return with_fields(self.config, **values).build(self.source.spec.shape, self.source.n_classes)

    @contextlib.contextmanager
    def _as_input_error(self) -> Iterator[None]:
        try:
            yield
        except jax.errors.ConcretizationTypeError as error:  # a field decides what is computed
            names = ", ".join(self.hyper)
            raise InputError(
                f"hyper: one of these decides what is computed, and is no input: {names}"
            ) from error

    def _pipeline(self, seed: Any) -> Any:
        config = self.config
        return make_pipeline(
            self.source,
            batch_size=config.batch_size,
            d_steps=config.d_steps,
            seed=seed,
            flip=config.data.flip,
            placement=config.data.placement,
        )

    def _mesh(self, devices: int | None) -> Any:
        if devices is not None and devices < 1:
            raise InputError(f"devices: expected at least 1, got {devices}")
        local = choose_devices(devices)
        n = max(k for k in range(1, len(local) + 1) if len(self.seeds) % k == 0)
        if devices is not None and n != devices:
            raise InputError(f"devices: expected a divisor of {len(self.seeds)} members, got {devices}")
        return make_mesh(local[:n]) if n > 1 else None

    def _one(self, state: GANState, inputs: Any, seed: jax.Array, hyper: Mapping[str, jax.Array]) -> Any:
        """One dispatch of one member."""
        step, pipeline, own = make_step(self._build(hyper)), self._pipelines[0], seed
        if pipeline.streams:  # batches come in the member's own order; flips need its seed here
            pipeline, own = self._pipeline(seed), None

        def once(state: GANState, _: None) -> tuple[GANState, Metrics]:
            return step(state, pipeline.prepare(inputs, state.step, own))

        if self.repeat > 1:
            return jax.lax.scan(once, state, length=self.repeat)
        state, metrics = once(state, None)
        return state, jax.tree.map(lambda x: x[None], metrics)

    def _compiled(self) -> Callable[..., Any]:
        if self.how == "loop":
            return jax.jit(self._one, donate_argnums=0)
        mapped = jax.vmap(self._one, in_axes=(0, None, 0, 0))
        if self.mesh is None:
            return jax.jit(mapped, donate_argnums=0)
        split, whole = batch_sharded(self.mesh), replicated(self.mesh)
        return jax.jit(
            mapped, in_shardings=(split, whole, split, split), out_shardings=(split, split), donate_argnums=0
        )

    @property
    def pipeline(self) -> Any:
        """Of the first member."""
        return self._pipelines[0]

    # --- states ---

    def init_member(self, k: int) -> GANState:
        """The state that member k starts from: that of `jaxgan train --seed`."""
        return jax.device_put(self._init(jax.random.key(self.seeds[k])), jax.local_devices()[0])

    def init(self) -> Any:
        """All members' first states."""
        return self.joined([self.init_member(k) for k in range(len(self.seeds))])

    def joined(self, states: Sequence[GANState]) -> Any:
        """All members' states as one value."""
        if self.how == "loop":
            return list(states)
        stacked = self._stack(list(states))
        return stacked if self.mesh is None else jax.device_put(stacked, batch_sharded(self.mesh))

    def member(self, states: Any, k: int) -> GANState:
        """One member's own state."""
        if self.how == "loop":
            return states[k]
        own = self._take(states, k)
        return own if self.mesh is None else jax.device_put(own, self.mesh.devices.flat[0])

    def inputs(self, first_step: int) -> list[Any]:
        """Iterators over what `advance` needs of the data."""
        iterators = [pipeline.inputs(first_step) for pipeline in self._pipelines]
        if self.mesh is None:
            return iterators
        return [_repeating(jax.device_put(next(iterators[0]), replicated(self.mesh)))]

    def advance(self, states: Any, inputs: Sequence[Any]) -> tuple[Any, Metrics]:
        """`repeat` steps of every member: new states, and metrics [members, repeat]. Consumes `states`."""
        batches = [next(iterator) for iterator in inputs]
        with self._as_input_error(), jax.transfer_guard("disallow"):
            if self.how == "vmap":
                return self._program(states, batches[0], *self._own)
            moved = [
                self._program(state, batches[k % len(batches)], *self._own[k])
                for k, state in enumerate(states)
            ]
            return [state for state, _ in moved], self._stack([metrics for _, metrics in moved])


def _slow_to_map(config: Config) -> bool:
    model: Any = config.model
    if jax.default_backend() != "cpu":
        return False
    return model.convolutional or max((*model.g_widths, *model.d_widths), default=0) > _WIDEST_MAPPED


def _repeating(value: Any) -> Any:
    while True:
        yield value


def _is_real(group: Any, path: Sequence[str]) -> bool:
    """Whether a field of a configuration is a real number: a hyper-parameter, not a size or a choice."""
    if isinstance(group, tuple):  # pairs of names and numbers
        return len(path) == 1
    if len(path) > 1:
        return _is_real(getattr(group, path[0]), path[1:])
    return dataclasses.is_dataclass(group) and typing.get_type_hints(type(group))[path[0]] is float
