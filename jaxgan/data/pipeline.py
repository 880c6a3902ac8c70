"""From a source to the batch of a step, as a function of (seed, step).

A pipeline has two halves. `inputs(first_step)` is the host's: an iterator over what each dispatch
of the compiled program receives. `prepare(inputs, step)` is pure and runs inside that program:
it gives the batch of the step, with pixels in [-1, 1]. The order of examples depends on the seed
and the step only: not on devices, not on where a run was interrupted, not on the pipeline.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import jax
import jax.numpy as jnp
import numpy as np
from flax import struct
from jax.sharding import Mesh

from jaxgan.common import keys
from jaxgan.common.devices import batch_sharded, check_batch, replicated
from jaxgan.common.errors import InputError
from jaxgan.data.permutation import positions, shuffled_index
from jaxgan.data.source import Images, Points, to_float

RESIDENT_LIMIT = 2 * 2**30  # bytes of pixels that are kept on the device by default


class Pipeline(Protocol):
    """What the training loop needs of its data."""

    streams: bool

    def inputs(self, first_step: int) -> Iterator[Any]:
        """What the program receives at `first_step`, `first_step + 1`, ..."""
        ...

    def prepare(self, inputs: Any, step: jax.Array, seed: jax.Array | None = None) -> dict[str, jax.Array]:
        """The batch of `step`: "image" float32 and, where there are labels, "label" int32.

        `seed`, uint32 and possibly traced, takes the place of the pipeline's own (not where `streams`).
        """
        ...


@dataclass(frozen=True, eq=False)
class _Order:
    """Which examples a step sees: epochs without replacement, each in an order of its own."""

    n: int
    per_step: int
    seed: int
    flip: bool
    mesh: Mesh | None

    def indices(self, step: Any, seed: Any = None) -> Any:
        epoch, position = positions(step, self.n, self.per_step)
        seed = self.seed if seed is None else seed
        return shuffled_index(position, self.n, seed=seed, epoch=epoch)

    def normalised(
        self, images: jax.Array, labels: jax.Array | None, step: jax.Array, seed: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        if self.flip:
            key = jax.random.fold_in(_data_key(self.seed if seed is None else seed), step)
            flipped = jax.vmap(jax.random.bernoulli)(keys.per_example(key, self.per_step))
            images = jnp.where(flipped[:, None, None, None], images[:, :, ::-1], images)
        batch = {"image": to_float(images)}
        if labels is not None:
            batch["label"] = labels
        return _split(batch, self.mesh)


def _data_key(seed: int | jax.Array) -> jax.Array:
    """The data's own key, apart from those of weights and noise."""
    return jax.random.fold_in(jax.random.key(seed), 0x64617461)


def _split(batch: dict[str, jax.Array], mesh: Mesh | None) -> dict[str, jax.Array]:
    return batch if mesh is None else jax.lax.with_sharding_constraint(batch, batch_sharded(mesh))


@struct.dataclass
class _Arrays:
    images: jax.Array
    labels: jax.Array | None


class Resident:
    """All images on the device as uint8; a step looks up its own. No transfer while training."""

    streams = False

    def __init__(self, source: Images, order: _Order) -> None:
        """Copies the source to every device of the mesh."""
        self._order = order
        placement = jax.devices()[0] if order.mesh is None else replicated(order.mesh)
        labels = None if source.labels is None else np.asarray(source.labels)
        self._arrays = jax.device_put(_Arrays(np.asarray(source.images), labels), placement)  # pyright: ignore

    def inputs(self, first_step: int) -> Iterator[_Arrays]:
        """The same arrays for every step."""
        while True:
            yield self._arrays

    def prepare(
        self, inputs: _Arrays, step: jax.Array, seed: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Looks up, flips and scales the examples of `step`."""
        indices = self._order.indices(step, seed)
        labels = None if inputs.labels is None else inputs.labels[indices]
        return self._order.normalised(inputs.images[indices], labels, step, seed)


class Stream:
    """Images stay on the host (memory-mapped); batches are read ahead and sent as uint8."""

    streams = True

    def __init__(self, source: Images, order: _Order) -> None:
        """Keeps a reference to the source; nothing is read yet."""
        self._source, self._order = source, order

    def _read(self, step: int) -> dict[str, np.ndarray]:
        indices = self._order.indices(np.uint32(step))
        batch = {"image": self._source.images[indices]}
        if self._source.labels is not None:
            batch["label"] = self._source.labels[indices]
        return batch

    def inputs(self, first_step: int) -> Iterator[dict[str, jax.Array]]:
        """Batches from `first_step` on, read by threads and copied ahead of their use."""
        import grain

        steps = grain.MapDataset.range(first_step, 2**31 - 1).map(self._read)
        options = grain.ReadOptions(num_threads=os.cpu_count() or 2, prefetch_buffer_size=8)
        mesh = self._order.mesh
        placement = jax.devices()[0] if mesh is None else batch_sharded(mesh)
        ahead: list[Any] = []
        for batch in steps.to_iter_dataset(options):
            ahead.append(jax.device_put(batch, placement))
            if len(ahead) > 2:
                yield ahead.pop(0)

    def prepare(
        self, inputs: dict[str, jax.Array], step: jax.Array, seed: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Flips and scales a batch, which was read in the order of the pipeline's own seed."""
        if seed is not None:
            raise InputError("seed: streamed data has one order; expected None, got another seed")
        return self._order.normalised(inputs["image"], inputs.get("label"), step)


class Sampled:
    """Points drawn anew in every step, as a function of (seed, step, index)."""

    streams = False

    def __init__(self, source: Points, per_step: int, seed: int, mesh: Mesh | None) -> None:
        """Nothing is drawn yet."""
        self._source, self._per_step, self._seed, self._mesh = source, per_step, seed, mesh

    def inputs(self, first_step: int) -> Iterator[tuple[()]]:
        """Nothing: the program draws for itself."""
        while True:
            yield ()

    def prepare(
        self, inputs: tuple[()], step: jax.Array, seed: jax.Array | None = None
    ) -> dict[str, jax.Array]:
        """Draws the points of `step`."""
        key = jax.random.fold_in(_data_key(self._seed if seed is None else seed), step)
        points, _ = self._source.sample(key, self._per_step)
        return _split({"image": points}, self._mesh)


def make_pipeline(
    source: Images | Points,
    *,
    batch_size: int,
    d_steps: int = 1,
    seed: int = 0,
    flip: bool = False,
    placement: str = "auto",
    mesh: Mesh | None = None,
) -> Pipeline:
    """The pipeline that feeds steps of `d_steps` discriminator updates of `batch_size` examples each.

    Args:
      source: images or points.
      batch_size: examples of one discriminator update, over all devices.
      d_steps: discriminator updates a step.
      seed: of the order, the flips and the points.
      flip: mirror each image left to right with probability 1/2.
      placement: "device", "host", or "auto": on the device up to 2 GiB of pixels.
      mesh: devices to share the batch.

    Raises:
      InputError: if the batch is empty, larger than the data, or does not divide by the devices, if
        points are to be flipped, or the placement is unknown.
    """
    if batch_size < 1:
        raise InputError(f"batch_size: expected at least 1 example, got {batch_size}")
    if placement not in ("auto", "device", "host"):
        raise InputError(f"data.placement: expected 'auto', 'device' or 'host', got {placement!r}")
    per_step = batch_size * d_steps
    check_batch(per_step, mesh, d_steps)
    if isinstance(source, Points):
        if flip:
            raise InputError(f"data.flip: expected images to flip, got the points of {source.name!r}")
        return Sampled(source, per_step, seed, mesh)
    if batch_size > len(source):
        raise InputError(
            f"batch_size: expected at most the {len(source)} examples of {source.name!r}, got {batch_size}"
        )
    order = _Order(len(source), per_step, seed, flip, mesh)
    on_device = placement == "device" or (placement == "auto" and source.images.nbytes <= RESIDENT_LIMIT)
    return Resident(source, order) if on_device else Stream(source, order)
