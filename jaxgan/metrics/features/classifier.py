"""A small classifier trained on labelled data itself, whose features its generators are then scored on.

The network is a residual CNN of 128 features that trains in minutes on a few CPU cores. What is
trained is kept in the per-user cache, in features/, under the first 16 digits of the fingerprints
of the images that it was trained on and of the split that it was tested on, in sorted order. So
there is one classifier for a dataset: opened by either of its splits it gives the same features,
and training again replaces it. Data without another split are told by their own fingerprint alone.
"""

from __future__ import annotations

import hashlib
import pathlib
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import flax.traverse_util
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan import keys
from jaxgan.data import Images, cache_dir, other_split, to_float
from jaxgan.data.permutation import positions, shuffled_index
from jaxgan.data.splits import parsed_name
from jaxgan.errors import InputError
from jaxgan.files import write_atomically
from jaxgan.metrics.features import mnist_cnn
from jaxgan.metrics.features.network import FeatureNetwork
from jaxgan.models.layers import BatchNorm, DownConv

Array = jax.Array
OnProgress = Callable[[int, int, float], None]
"""Receives (steps done, all steps, loss) now and then, and after the last step."""

BATCH_SIZE = 128
STEPS = 2000  # by default, whatever the size of the data, but not beyond:
MAX_EPOCHS = 60
HELD_OUT_SHARE = 0.1  # of data that have no other split
MIN_SIDE = 16
_MAX_SIDE = 64  # larger images are averaged down to this: the cost stays bounded
_VERSION = "cnn1"  # of network and recipe; part of the file's name
_STEPS_BETWEEN_REPORTS = 50

_he_normal = nn.initializers.he_normal(in_axis=-1, out_axis=0)  # of DownConv


# --- the network ---------------------------------------------------------------------------------


class Block(nn.Module):
    """relu(x + f(x)), f of two 3x3 convolutions with batch normalisation; f is 0 at the start."""

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        """[n, h, w, c] -> [n, h, w, c]."""
        y = self._conv(x)
        y = nn.relu(BatchNorm()(y, train))
        y = self._conv(y)
        return nn.relu(x + BatchNorm(scale_init=nn.initializers.zeros_init())(y, train))

    def _conv(self, x: Array) -> Array:
        return nn.Conv(x.shape[-1], (3, 3), use_bias=False, kernel_init=nn.initializers.he_normal())(x)


class ResidualCNN(nn.Module):
    """Stages that halve the image, by a 4x4 convolution, and may refine it by residual blocks.

    Images of more than 64 pixels are averaged down first, those of more than 32 have a stage more.

    Attributes:
      n_classes: number of classes.
      widths: channels of the stages; the last are the features.
      blocks: residual blocks of the stages.
    """

    n_classes: int
    widths: tuple[int, ...] = (32, 64, 128)
    blocks: tuple[int, ...] = (0, 1, 1)

    @nn.compact
    def __call__(self, images: Array, *, train: bool = False) -> tuple[Array, Array]:
        """Images [n, h, w, c] in [-1, 1] -> (features [n, 128], logits [n, n_classes])."""
        x = _averaged_down(images)
        stages = list(zip(self.widths, self.blocks, strict=True))
        if max(x.shape[1:3]) > _MAX_SIDE // 2:
            stages.insert(0, (self.widths[0] // 2, 0))
        for width, blocks in stages:
            x = DownConv(width, use_bias=False, kernel_init=_he_normal)(x)
            x = nn.relu(BatchNorm()(x, train))
            for _ in range(blocks):
                x = Block()(x, train)
        features = x.mean((1, 2))
        return features, nn.Dense(self.n_classes)(features)


def _averaged_down(images: Array) -> Array:
    """Means of whole pixels, such that no side is longer than _MAX_SIDE."""
    factors = tuple(-(-side // _MAX_SIDE) for side in images.shape[1:3])
    if factors == (1, 1):
        return images
    return nn.avg_pool(images, factors, factors, "SAME", count_include_pad=False)


@partial(jax.jit, static_argnums=0)
def _apply(model: ResidualCNN, variables: Any, images: Array) -> tuple[Array, Array]:
    return model.apply(variables, to_float(images))  # pyright: ignore[reportReturnType]


def network_of(variables: Any, n_classes: int, name: str, identity: str) -> FeatureNetwork:
    """A feature network of trained variables."""
    model, on_device = ResidualCNN(n_classes), jax.tree.map(jnp.asarray, variables)
    return FeatureNetwork(name, identity, lambda images: _apply(model, on_device, images))


# --- training ------------------------------------------------------------------------------------


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
    images: Array, step: Array | int, seed: Array | int, *, flip: bool = False, first: Array | int = 0
) -> Array:
    """Each image moved at random by up to 4 pixels, or 2 below 32 pixels a side, its border mirrored.

    Args:
      images: [n, h, w, c] of any type.
      step: number of the step.
      seed: of the training.
      flip: also turn half of them left to right.
      first: index of the first image in the batch of the step.

    Returns:
      [n, h, w, c]; what happens to an image depends on (seed, step, its index in the batch) only.
    """
    n, h, w, _ = images.shape
    reach = 2 if min(h, w) < 32 else 4
    key = jax.random.fold_in(jax.random.fold_in(jax.random.key(seed), 0x76696577), step)
    shift_keys, flip_keys = jax.vmap(jax.random.split, out_axes=1)(keys.per_example(key, n, first=first))
    shifts = jax.vmap(lambda key: jax.random.randint(key, (2,), -reach, reach + 1))(shift_keys)
    rows = _reflected(shifts[:, :1] + jnp.arange(h), h)
    columns = _reflected(shifts[:, 1:] + jnp.arange(w), w)
    if flip:
        turned = jax.vmap(jax.random.bernoulli)(flip_keys)[:, None]
        columns = jnp.where(turned, w - 1 - columns, columns)
    return images[jnp.arange(n)[:, None, None], rows[:, :, None], columns[:, None, :]]


def _reflected(index: Array, size: int) -> Array:
    """Indices a little outside [0, size) mirrored at the first and the last pixel."""
    return size - 1 - jnp.abs(size - 1 - jnp.abs(index))


@partial(jax.jit, static_argnums=(0, 1, 2))
def _init(model: ResidualCNN, recipe: _Recipe, shape: tuple[int, ...], seed: Array) -> Any:
    variables = model.init(jax.random.key(seed), jnp.zeros((1, *shape)))
    return variables["params"], variables["batch_stats"], recipe.optimizer().init(variables["params"])


@partial(jax.jit, static_argnums=(0, 1), donate_argnums=2)
def _step(
    model: ResidualCNN, recipe: _Recipe, state: Any, images: Array, labels: Array, step: Array, seed: Array
) -> tuple[Any, Array]:
    params, stats, opt_state = state
    x = to_float(views(images, step, seed, flip=recipe.flip))
    targets = optax.smooth_labels(jax.nn.one_hot(labels, model.n_classes), 0.05)

    def loss_fn(params: Any) -> tuple[Array, Any]:
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
    """Trains a ResidualCNN; the same arguments give the same variables on the same machine.

    The batch of a step and how it is augmented are functions of (seed, step, index in the batch).
    Examples are seen in epochs without replacement. It runs on one device, however many there are.

    Args:
      images: uint8 [n, h, w, c]; may be memory-mapped.
      labels: integers [n] from 0 to n_classes - 1.
      n_classes: number of classes.
      steps: updates.
      seed: of weights, order and augmentation; from 0 to 2^32 - 1.
      batch_size: images of a step; at most n are taken.
      flip: turn half of the images left to right, which suits objects but not digits.
      on_progress: called every 50 steps and after the last.

    Returns:
      Variables of the network, on the host: "params" and "batch_stats".

    Raises:
      InputError: for images, labels, steps, a seed or a batch size that cannot be trained with.
    """
    check_examples("images", images, labels, n_classes)
    if steps < 1:
        raise InputError(f"steps: expected at least 1, got {steps}")
    if not 0 <= seed < 2**32:
        raise InputError(f"seed: expected an integer from 0 to 2^32 - 1, got {seed}")
    batch_size = min(batch_size, len(images))
    if batch_size < 2:
        raise InputError(f"batch_size: expected at least 2 images a batch, got {batch_size}")
    model, recipe = ResidualCNN(n_classes), _Recipe(steps, flip)
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
    """Classes int64 [n] that trained variables give uint8 images [n, h, w, c]."""
    logits = network_of(variables, n_classes, "classifier", "")(images)[1]
    assert logits is not None  # a classifier has them
    return logits.argmax(1)


def check_examples(name: str, images: np.ndarray, labels: np.ndarray, n_classes: int) -> None:
    """Raises InputError, in one line that starts with `name`, unless a classifier can use the examples."""
    if images.ndim != 4 or images.dtype != np.uint8:
        raise InputError(f"{name}: expected uint8 [n, h, w, c], got {images.dtype} of shape {images.shape}")
    if min(images.shape[1:3]) < MIN_SIDE or not 1 <= images.shape[3] <= 4:
        raise InputError(
            f"{name}: expected images of at least {MIN_SIDE} pixels a side and 1 to 4 channels, "
            f"got shape {images.shape}"
        )
    if not len(images):
        raise InputError(f"{name}: expected at least one image, got none")
    if n_classes < 2:
        raise InputError(f"n_classes: expected at least 2 classes, got {n_classes}")
    if np.shape(labels) != (len(images),) or not np.issubdtype(np.asarray(labels).dtype, np.integer):
        raise InputError(
            f"{name}: expected {len(images)} integer labels, "
            f"got {np.asarray(labels).dtype} of shape {np.shape(labels)}"
        )
    if np.min(labels) < 0 or np.max(labels) >= n_classes:
        raise InputError(
            f"{name}: expected labels from 0 to {n_classes - 1}, got {np.min(labels)} to {np.max(labels)}"
        )


# --- classifiers of a data source ----------------------------------------------------------------


@dataclass(frozen=True)
class Trained:
    """A trained classifier.

    Attributes:
      variables: of the network, on the host.
      accuracy: share of the held-out images that it gets right.
      metadata: what is written beside the weights; all text.
    """

    variables: Any
    accuracy: float
    metadata: dict[str, str]


def train(
    source: Images,
    *,
    epochs: float | None = None,
    seed: int = 0,
    batch_size: int = BATCH_SIZE,
    flip: bool = False,
    on_progress: OnProgress | None = None,
) -> Trained:
    """Trains a classifier on all images of `source`, and tests it on its other split.

    Data without another split give up a tenth, chosen by the seed, that is tested on and not trained on.
    The weights after the last step are kept, whatever their accuracy.

    Args:
      source: labelled images of at least two classes, 16 pixels a side and 1 to 4 channels.
      epochs: times that every image is seen; None: as many as STEPS steps see, but at most 60.
      seed: of weights, order, augmentation and of what is held out.
      batch_size: images of a step.
      flip: turn half of the images left to right.
      on_progress: called now and then.

    Raises:
      InputError: if the source has no labels, one class, too few or too small images, or for bad epochs.
    """
    _check_source(source)
    if epochs is not None and not 0 < epochs < float("inf"):
        raise InputError(f"epochs: expected a positive number, got {epochs}")
    images, labels, held_out, tested_on = _parts(source, seed)
    batch = min(batch_size, len(images))
    steps = STEPS if epochs is None else max(1, round(epochs * len(images) / batch))
    if epochs is None:
        steps = min(steps, -(-MAX_EPOCHS * len(images) // batch))
    variables = fit(
        images,
        labels,
        source.n_classes,
        steps=steps,
        seed=seed,
        batch_size=batch,
        flip=flip,
        on_progress=on_progress,
    )
    test_images, test_labels = held_out
    accuracy = float((predict(variables, source.n_classes, test_images) == test_labels).mean())
    from jaxgan import __version__

    metadata = {
        "name": name_of(source),
        "source": source.name,
        "fingerprint": source.fingerprint,
        "tested_on": tested_on.name if isinstance(tested_on, Images) else tested_on,
        "tested_on_fingerprint": tested_on.fingerprint if isinstance(tested_on, Images) else "",
        "accuracy": f"{accuracy:.4f}",
        "n_train": str(len(images)),
        "n_test": str(len(test_images)),
        "n_classes": str(source.n_classes),
        "shape": "x".join(map(str, source.shape)),
        "seed": str(seed),
        "epochs": f"{steps * batch / len(images):g}",
        "steps": str(steps),
        "batch_size": str(batch),
        "flip": str(flip).lower(),
        "network": _VERSION,
        "jaxgan": __version__,
        "jax": jax.__version__,
        "backend": jax.default_backend(),
        "date": time.strftime("%Y-%m-%d %H:%M"),
    }
    return Trained(variables, accuracy, metadata)


def _check_source(source: Images) -> None:
    if source.labels is None:
        raise InputError(
            f"source: expected labelled images to train a classifier on, got {source.name!r} without labels"
        )
    if len(present := np.unique(source.labels)) < 2:
        raise InputError(
            f"source: expected images of at least two classes, got {source.name!r}, all of "
            f"class {source.class_names[present[0]]!r}"
        )
    if len(source) < 2 / HELD_OUT_SHARE:
        raise InputError(
            f"source: expected at least {2 / HELD_OUT_SHARE:.0f} images, got {len(source)} of {source.name!r}"
        )
    check_examples(f"source {source.name!r}", source.images, source.labels, source.n_classes)


def _parts(
    source: Images, seed: int
) -> tuple[np.ndarray, np.ndarray, tuple[np.ndarray, np.ndarray], Images | str]:
    """Images and labels to train on; those to test on; where the latter are from."""
    labels = source.labels
    assert labels is not None  # checked before
    other = other_labelled_split(source)
    if other is not None:
        assert other.labels is not None
        return source.images, labels, (other.images, other.labels), other
    share = int(len(source) * HELD_OUT_SHARE)
    order = np.random.default_rng(seed).permutation(len(source))
    test, rest = np.sort(order[:share]), np.sort(order[share:])
    chosen = f"{share:,} held-out images of {source.name}"
    return source.images[rest], labels[rest], (source.images[test], labels[test]), chosen


def other_labelled_split(source: Images) -> Images | None:
    """The test split of data that come in splits (the train split, if `source` is that), if it has labels."""
    other = other_split(source)
    if other is None or other.labels is None or other.class_names != source.class_names:
        return None
    return other


def name_of(source: Images) -> str:
    """What the classifier of a source is called: its name without kind, folders and split, and "_cnn"."""
    kind, base, _ = parsed_name(source.name)
    if kind in ("folder", "npz"):
        path = pathlib.Path(base).expanduser()
        base = path.stem if path.suffix in (".npz", ".zip") else (path.name or path.resolve().name)
    slug = re.sub(r"[^a-z0-9]+", "_", (base or kind).lower()).strip("_") or "images"
    if f"{slug}_cnn" == mnist_cnn.NAME:  # that is the shipped one, for digits as they are
        slug += "_" + "x".join(map(str, source.shape))
    return f"{slug}_cnn"


# --- files ---------------------------------------------------------------------------------------


def cache_path(metadata: dict[str, str]) -> pathlib.Path:
    """Where the cache keeps the classifier that `metadata` describes."""
    prints = sorted(filter(None, (metadata["fingerprint"], metadata["tested_on_fingerprint"])))
    return _folder() / "-".join([*(p[:16] for p in prints), f"{_VERSION}.safetensors"])


def _folder() -> pathlib.Path:
    return cache_dir() / "features"


def save(trained: Trained, path: pathlib.Path | None = None) -> pathlib.Path:
    """Writes a classifier as safetensors, to `path` or into the cache; returns where."""
    from safetensors.numpy import save as serialised

    path = cache_path(trained.metadata) if path is None else path
    flat = flax.traverse_util.flatten_dict(trained.variables, sep="/")
    arrays = {name: np.ascontiguousarray(value) for name, value in flat.items()}
    write_atomically(path, serialised(arrays, trained.metadata))
    return path


def load(path: pathlib.Path) -> tuple[FeatureNetwork, dict[str, str]]:
    """The network in a file, its identity the first 12 digits of the file's SHA-256; and its metadata.

    Raises:
      InputError: if the file is no such classifier.
    """
    from safetensors.numpy import load as parse

    try:
        data, metadata = path.read_bytes(), _metadata(path)
        variables: Any = flax.traverse_util.unflatten_dict(parse(data), sep="/")
        identity = hashlib.sha256(data).hexdigest()[:12]
        return network_of(variables, int(metadata["n_classes"]), metadata["name"], identity), metadata
    except Exception as error:  # a damaged file surfaces as many types
        raise _unreadable(path, error) from error


def _metadata(path: pathlib.Path) -> dict[str, str]:
    from safetensors import safe_open

    try:
        with safe_open(path, framework="numpy") as file:
            metadata = file.metadata() or {}
    except Exception as error:
        raise _unreadable(path, error) from error
    if metadata.get("network") != _VERSION:
        raise InputError(f"features: expected a classifier of version {_VERSION} in {str(path)!r}")
    return metadata


def _unreadable(path: pathlib.Path, error: Exception) -> InputError:
    if isinstance(error, InputError):
        return error
    return InputError(
        f"features: cannot read the trained classifier {str(path)!r} ({error}); "
        "delete it, or run `jaxgan metrics train-features` again"
    )


def features(source: Images) -> FeatureNetwork | None:
    """The cached classifier of a source, trained on it or on the other split of the same data, or None.

    If there are several, the one trained on `source` itself is taken, then the one of most images.

    Raises:
      InputError: if the file cannot be read; another network in its place would change the scores.
    """
    found = [
        (metadata["fingerprint"] == source.fingerprint, int(metadata["n_train"]), path.name, path)
        for path in _folder().glob(f"*{source.fingerprint[:16]}*{_VERSION}.safetensors")
        if source.fingerprint
        in ((metadata := _metadata(path))["fingerprint"], metadata["tested_on_fingerprint"])
    ]
    return load(max(found)[3])[0] if found else None
