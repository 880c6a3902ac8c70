"""From a source to the batch of a step, as a function of (seed, step).

A pipeline has two halves. `inputs(first_step)` is the host's: an iterator over what each dispatch
of the compiled program receives. `prepare(inputs, step)` is pure and runs inside that program:
it gives the batch of the step, in the form in which the model sees it. The order of examples depends
on the seed and the step only: not on devices, not on where a run was interrupted, not on the pipeline.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh

from jaxgan.common import keys
from jaxgan.common.checks import check_range
from jaxgan.common.devices import batch_sharded, check_batch, own_rows, put, put_rows, replicated
from jaxgan.common.errors import InputError
from jaxgan.data.decoding.choice import check_pipeline, streams
from jaxgan.data.modality import Modality
from jaxgan.data.permutation import positions, shuffled_index
from jaxgan.data.source import Endless, Finite, Source
from jaxgan.data.spec import LABEL

_DERIVED = 0x6D616465  # stream of what is made of the examples of a batch
AHEAD = 2**28
"""How many bytes of batches are read ahead."""
Batch = dict[str, jax.Array]


class Pipeline(Protocol):
    """What the training loop needs of its data."""

    streams: bool
    nbytes: int
    """Of what the program receives, on one device."""

    def inputs(self, first_step: int) -> Iterator[Any]:
        """What the program receives at `first_step`, `first_step + 1`, ..."""
        ...

    def like(self) -> Any:
        """Shapes, types and placement of that; nothing is read or placed."""
        ...

    def prepare(self, inputs: Any, step: jax.Array, seed: jax.Array | None = None) -> Batch:
        """The batch of `step`: the arrays of the source's spec.

        `seed`, uint32 and possibly traced, takes the place of the pipeline's own (not where `streams`).
        """
        ...


@dataclass(frozen=True, eq=False)
class _Order:
    """Which examples a step sees: epochs without replacement, each in an order of its own."""

    modality: Modality
    n: int
    per_step: int
    seed: int
    flip: bool
    mesh: Mesh | None
    derived: Callable[[jax.Array, Batch], Mapping[str, jax.Array]] | None = None

    def indices(self, step: Any, seed: Any = None) -> Any:
        epoch, position = positions(step, self.n, self.per_step)
        seed = self.seed if seed is None else seed
        if self.mesh is not None and isinstance(step, jax.Array):
            # every device finds all of them: were they shared out, each round of the walk would ask all devices
            everywhere = lambda x: jax.lax.with_sharding_constraint(x, replicated(self.mesh))  # pyright: ignore
            found = shuffled_index(everywhere(position), self.n, seed=seed, epoch=everywhere(epoch))
            return everywhere(found)
        return shuffled_index(position, self.n, seed=seed, epoch=epoch)

    def batch(self, stored: Mapping[str, jax.Array], step: jax.Array, seed: jax.Array | None = None) -> Batch:
        """Examples of a step as the model sees them, some of them mirrored."""
        if self.flip and (mirror := self.modality.mirror) is not None:
            key = jax.random.fold_in(_data_key(self.seed if seed is None else seed), step)
            chosen = jax.vmap(jax.random.bernoulli)(keys.per_example(key, self.per_step))
            flipped = lambda x: jnp.where(chosen.reshape(-1, *(1,) * (x.ndim - 1)), mirror(x), x)
            stored = {name: x if name == LABEL else flipped(x) for name, x in stored.items()}
        batch = _seen(stored, self.modality, self.mesh)
        if self.derived is None:
            return batch
        key = jax.random.fold_in(_data_key(self.seed if seed is None else seed), step)
        more = self.derived(keys.per_example(jax.random.fold_in(key, _DERIVED), self.per_step), batch)
        return batch | _shared(dict(more), self.mesh)


def _data_key(seed: int | jax.Array) -> jax.Array:
    """The data's own key, apart from those of weights and noise."""
    return jax.random.fold_in(jax.random.key(seed), 0x64617461)


def _seen(stored: Mapping[str, jax.Array], modality: Modality, mesh: Mesh | None) -> Batch:
    """Stored examples as the model sees them, shared by the devices."""
    return _shared({name: x if name == LABEL else modality.to_model(x) for name, x in stored.items()}, mesh)


def _shared(batch: Batch, mesh: Mesh | None) -> Batch:
    return batch if mesh is None else jax.lax.with_sharding_constraint(batch, batch_sharded(mesh))


class Resident:
    """All examples on the device, as they are stored; a step looks up its own. No transfer while training."""

    streams = False

    def __init__(self, source: Finite, order: _Order) -> None:
        """Keeps a reference to the source; nothing is copied yet."""
        self._source, self._order = source, order
        self.nbytes = _bytes_of(source)

    @cached_property
    def _arrays(self) -> Batch:
        """The source on every device of the mesh, to which it is copied once."""
        mesh = self._order.mesh
        placement = jax.local_devices()[0] if mesh is None else replicated(mesh)
        return put({name: np.asarray(x) for name, x in self._source.arrays.items()}, placement)

    def inputs(self, first_step: int) -> Iterator[Batch]:
        """The same arrays for every step."""
        while True:
            yield self._arrays

    def like(self) -> Any:
        """Of all examples."""
        mesh = self._order.mesh
        return _like(self._source, None, None if mesh is None else replicated(mesh))

    def prepare(self, inputs: Batch, step: jax.Array, seed: jax.Array | None = None) -> Batch:
        """Looks up the examples of `step` and turns them to what the model sees."""
        indices = self._order.indices(step, seed)
        return self._order.batch({name: x[indices] for name, x in inputs.items()}, step, seed)


class Stream:
    """Examples stay where they are; batches are read, and decoded, ahead of their use, and sent as they are stored.

    Of several processes each reads the part of a batch that its own devices get.
    """

    streams = True

    def __init__(self, source: Finite, order: _Order) -> None:
        """Keeps a reference to the source; nothing is read yet."""
        self._source, self._order = source, order
        self.nbytes = _bytes_of(source) // len(source) * order.per_step

    def _read(self, step: int) -> dict[str, np.ndarray]:
        """The examples of `step` that are for devices of this process."""
        mine = own_rows(self._order.per_step, self._order.mesh)
        return self._source.take(self._order.indices(np.uint32(step))[mine])

    def inputs(self, first_step: int) -> Iterator[Batch]:
        """Batches from `first_step` on, read by threads and copied ahead of their use."""
        import grain

        steps = grain.MapDataset.range(first_step, 2**31 - 1).map(self._read)
        batches = max(2, min(AHEAD // max(self.nbytes, 1), 8))
        options = grain.ReadOptions(
            num_threads=min(os.cpu_count() or 2, batches), prefetch_buffer_size=batches
        )
        ahead: list[Any] = []
        for rows in steps.to_iter_dataset(options):
            ahead.append(self._sent(rows))
            if len(ahead) > 2:
                yield ahead.pop(0)

    def like(self) -> Any:
        """Of the examples of a step."""
        mesh = self._order.mesh
        return _like(self._source, self._order.per_step, None if mesh is None else batch_sharded(mesh))

    def _sent(self, rows: dict[str, np.ndarray]) -> Batch:
        n, mesh = self._order.per_step, self._order.mesh
        if mesh is None:
            return jax.device_put(rows, jax.local_devices()[0])
        return put_rows(rows, n, batch_sharded(mesh))

    def prepare(self, inputs: Batch, step: jax.Array, seed: jax.Array | None = None) -> Batch:
        """Turns a batch, which was read in the order of the pipeline's own seed, to what the model sees."""
        if seed is not None:
            raise InputError("seed: streamed data has one order; expected None, got another seed")
        return self._order.batch(inputs, step)


class Sampled:
    """Examples drawn anew in every step, as a function of (seed, step, index)."""

    streams = False
    nbytes = 0

    def __init__(self, source: Endless, per_step: int, seed: int, mesh: Mesh | None) -> None:
        """Nothing is drawn yet."""
        self._source, self._per_step, self._seed, self._mesh = source, per_step, seed, mesh

    def inputs(self, first_step: int) -> Iterator[tuple[()]]:
        """Nothing: the program draws for itself."""
        while True:
            yield ()

    def like(self) -> tuple[()]:
        """Nothing."""
        return ()

    def prepare(self, inputs: tuple[()], step: jax.Array, seed: jax.Array | None = None) -> Batch:
        """Draws the examples of `step`."""
        key = jax.random.fold_in(_data_key(self._seed if seed is None else seed), step)
        drawn = self._source.sample_arrays(key, self._per_step)
        return _seen(drawn, self._source.modality, self._mesh)


def _like(source: Finite, n: int | None, placement: Any) -> Any:
    """Shapes of the stored arrays of `n` examples, or of all."""
    placement = placement or jax.sharding.SingleDeviceSharding(jax.local_devices()[0])
    shape = lambda x: (len(x) if n is None else n, *x.shape[1:])
    return {
        name: jax.ShapeDtypeStruct(shape(x), x.dtype, sharding=placement) for name, x in source.arrays.items()
    }


def _bytes_of(source: Finite) -> int:
    return sum(x.nbytes for x in source.arrays.values())


def _others(source: Finite) -> str:
    """In words, examples that are there and not trained on, and the settings that say so."""
    others = []
    if source.complete is not None:
        n = (source.complete.n or 0) - len(source)
        others.append(f"{n:,} more {'is' if n == 1 else 'are'} left out: data.share")
    if source.held_out is not None:
        n = source.held_out.n
        others.append(f"{n:,} more {'is' if n == 1 else 'are'} held out: data.hold_out")
    return f" ({'; '.join(others)})" if others else ""


def make_pipeline(
    source: Source,
    *,
    batch_size: int,
    d_steps: int = 1,
    seed: int = 0,
    flip: bool = False,
    pipeline: str = "auto",
    mesh: Mesh | None = None,
) -> Pipeline:
    """The pipeline that feeds steps of `d_steps` discriminator updates of `batch_size` examples each.

    Args:
      source: of the examples.
      batch_size: examples of one discriminator update, over all devices.
      d_steps: discriminator updates a step.
      seed: of the order, the flips, and of examples that are drawn.
      flip: mirror each example left to right with probability 1/2.
      pipeline: "resident" keeps all examples on the device, "stream" reads each batch ahead of its use, and "auto" is
        resident up to 2 GiB of examples. Batches are the same.
      mesh: devices to share the batch.

    Raises:
      InputError: if the batch is empty, larger than the data, or does not divide by the devices, if
        the examples have no left and right to be mirrored, or the pipeline is unknown.
    """
    check_range("batch_size", batch_size, at_least=1, unit="example")
    check_pipeline(pipeline)
    per_step = batch_size * d_steps
    check_batch(per_step, mesh, d_steps)
    if flip and (source.modality.mirror is None or source.n is None):
        raise InputError(
            f"data.flip: expected images to flip, got the {source.modality.name}s of {source.name!r}"
        )
    if not isinstance(source, Finite):
        assert isinstance(source, Endless)
        return Sampled(source, per_step, seed, mesh)
    if batch_size > len(source):
        raise InputError(
            f"batch_size: expected at most the {len(source)} examples of {source.name!r}, got {batch_size}"
            f"{_others(source)}"
        )
    order = _Order(source.modality, len(source), per_step, seed, flip, mesh, source.derived)
    return Stream(source, order) if streams(pipeline, _bytes_of(source)) else Resident(source, order)
