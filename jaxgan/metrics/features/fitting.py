"""Fits a small classifier to labelled images, and predicts with it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan.augment.shifts import reflected
from jaxgan.common import keys
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.data import to_float
from jaxgan.data.permutation import positions, shuffled_index
from jaxgan.metrics.features import residual_cnn

OnProgress = Callable[[int, int, float], None]
"""Receives (steps done, all steps, loss) now and then, and after the last step."""
BATCH_SIZE = 128
STEPS = 2000  # by default, whatever the size of the data
MIN_SIDE = 16  # pixels of the smallest images that can be classified
_STEPS_BETWEEN_REPORTS = 50


@dataclass(frozen=True)
class _Recipe:
    """AdamW with a warm-up of a tenth and linear decay to 0, labels smoothed by 0.05."""

    steps: int
    flip: bool
    learning_rate: float = 4e-3
    weight_decay: float = 0.05

    def optimizer(self) -> optax.GradientTransformation:
        warmup = max(1, self.steps // 10)
        rise = optax.linear_schedule(self.learning_rate / warmup, self.learning_rate, warmup)
        fall = optax.linear_schedule(self.learning_rate, 0.0, max(1, self.steps - warmup))
        schedule = optax.join_schedules([rise, fall], [warmup])
        return optax.adamw(schedule, weight_decay=self.weight_decay)


def views(
    images: jax.Array,
    step: jax.Array | int,
    seed: jax.Array | int,
    *,
    flip: bool = False,
    first: jax.Array | int = 0,
) -> jax.Array:
    """Moves each image at random by up to 4 pixels (2 below 32 pixels a side) and mirrors it at its border.

    What happens to an image depends on the seed, the step and its index in the batch only.

    Args:
      images: [n, h, w, c] of any type.
      step: number of the step.
      seed: of the training.
      flip: whether half of the images are also turned left to right.
      first: index of the first image in the batch of the step.

    Returns:
      [n, h, w, c], of the same type.
    """
    n, h, w, _ = images.shape
    reach = 2 if min(h, w) < 32 else 4
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 0x76696577), step)
    shift_keys, flip_keys = jax.vmap(jax.random.split, out_axes=1)(keys.per_example(key, n, first=first))
    shifts = jax.vmap(lambda key: jax.random.randint(key, (2,), -reach, reach + 1))(shift_keys)
    rows = reflected(shifts[:, :1] + jnp.arange(h), h)
    columns = reflected(shifts[:, 1:] + jnp.arange(w), w)
    if flip:
        turned = jax.vmap(jax.random.bernoulli)(flip_keys)[:, None]
        columns = jnp.where(turned, w - 1 - columns, columns)
    return images[jnp.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


@partial(jax.jit, static_argnums=(0, 1, 2))
def _init(model: residual_cnn.ResidualCNN, recipe: _Recipe, shape: tuple[int, ...], seed: jax.Array) -> Any:
    variables = model.init(jax.random.key(seed), jnp.zeros((1, *shape)))
    return variables["params"], variables["batch_stats"], recipe.optimizer().init(variables["params"])


@partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def _step(
    model: residual_cnn.ResidualCNN,
    recipe: _Recipe,
    state: Any,
    images: jax.Array,
    labels: jax.Array,
    step: jax.Array,
    seed: jax.Array,
) -> tuple[Any, jax.Array]:
    params, stats, opt_state = state
    x = to_float(views(images, step, seed, flip=recipe.flip))
    targets = optax.smooth_labels(jax.nn.one_hot(labels, model.n_classes), 0.05)

    def loss_fn(params: Any) -> tuple[jax.Array, Any]:
        variables = {"params": params, "batch_stats": stats}
        (_, logits), new = model.apply(variables, x, train=True, mutable=["batch_stats"])
        return optax.softmax_cross_entropy(logits, targets).mean(), new["batch_stats"]

    (loss, stats), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
    updates, opt_state = recipe.optimizer().update(grads, opt_state, params)
    return (optax.apply_updates(params, updates), stats, opt_state), loss


def fit(
    images: np.ndarray,
    labels: np.ndarray,
    n_classes: int,
    *,
    steps: int = STEPS,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    flip: bool = False,
    on_progress: OnProgress | None = None,
) -> Any:
    """Trains a `ResidualCNN`; the same arguments give the same variables on the same machine.

    The batch of a step and how it is augmented are functions of the seed, the step and the index in the batch.
    Every epoch sees each image once. The training runs on one device, however many there are.

    Args:
      images: uint8 [n, h, w, c]; may be memory-mapped.
      labels: integers [n] from 0 to n_classes - 1.
      n_classes: number of classes.
      steps: number of updates.
      seed: of weights, order and augmentation; from 0 to 2^32 - 1.
      batch_size: number of images in a step; at most n are taken.
      flip: whether half of the images are turned left to right, which suits objects but not digits.
      on_progress: called every 50 steps and after the last.

    Returns:
      The variables of the network, on the host: "params" and "batch_stats".

    Raises:
      InputError: for images, labels, steps, a seed or a batch size that cannot be trained with.
    """
    check_examples("images", images, labels, n_classes)
    check_range("steps", steps, at_least=1)
    check_range("seed", seed, at_least=0, at_most=2**32 - 1)
    batch_size = min(batch_size, len(images))
    check_range("batch_size", batch_size, at_least=2, unit="images a batch")
    model, recipe = residual_cnn.ResidualCNN(n_classes), _Recipe(steps, flip)
    state = _init(model, recipe, images.shape[1:], np.uint32(seed))
    labels = np.asarray(labels, np.int32)
    for done in range(1, steps + 1):
        epoch, position = positions(done - 1, len(images), batch_size)
        index = shuffled_index(position, len(images), seed=seed, epoch=epoch)
        batch = np.ascontiguousarray(images[index])
        state, loss = _step(model, recipe, state, batch, labels[index], np.uint32(done - 1), np.uint32(seed))
        if done % _STEPS_BETWEEN_REPORTS == 0 or done == steps:
            value = float(loss)  # also keeps the host from running far ahead
            if on_progress is not None:
                on_progress(done, steps, value)
    return jax.tree.map(np.asarray, {"params": state[0], "batch_stats": state[1]})


def predict(variables: Any, n_classes: int, images: np.ndarray) -> np.ndarray:
    """The classes, int64 [n], that a network with trained variables assigns to uint8 images [n, h, w, c]."""
    logits = residual_cnn.network_of(variables, n_classes, "classifier", "")(images)[1]
    assert logits is not None  # a classifier has them
    return logits.argmax(1)


def check_examples(name: str, images: np.ndarray, labels: np.ndarray, n_classes: int) -> None:
    """Checks that a classifier can be trained or tested on labelled images.

    Raises:
      InputError: if it cannot; the message starts with `name`.
    """
    if images.ndim != 4 or images.dtype != np.uint8:
        raise InputError(f"{name}: expected uint8 [n, h, w, c], got {images.dtype} of shape {images.shape}")
    if min(images.shape[1:3]) < MIN_SIDE or not 1 <= images.shape[3] <= 4:
        raise InputError(
            f"{name}: expected images of at least {MIN_SIDE} pixels a side and 1 to 4 channels, "
            f"got shape {images.shape}"
        )
    if not len(images):
        raise InputError(f"{name}: expected at least one image, got none")
    check_range("n_classes", n_classes, at_least=2, unit="classes")
    if np.shape(labels) != (len(images),) or not np.issubdtype(np.asarray(labels).dtype, np.integer):
        raise InputError(
            f"{name}: expected {len(images)} integer labels, "
            f"got {np.asarray(labels).dtype} of shape {np.shape(labels)}"
        )
    if np.min(labels) < 0 or np.max(labels) >= n_classes:
        raise InputError(
            f"{name}: expected labels from 0 to {n_classes - 1}, got {np.min(labels)} to {np.max(labels)}"
        )
