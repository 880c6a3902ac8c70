"""What is true of an image: classifiers of attributes, and where in an image they see them."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.user_files import is_file, load_object
from jaxgan.data import to_float
from jaxgan.data.permutation import positions, shuffled_index
from jaxgan.metrics.features import classifier, mnist_cnn
from jaxgan.metrics.features.fitting import MIN_SIDE, views
from jaxgan.metrics.features.network import in_batches
from jaxgan.metrics.features.residual_cnn import ResidualCNN

OnProgress = Callable[[int, int, float], None]
_BATCH = 200


@dataclass(frozen=True)
class Attributes:
    """A classifier of images.

    Attributes:
      name: of it.
      names: of what it knows.
      scores: uint8 images [n, h, w, c] -> how likely each attribute is, [n, k], in [0, 1]; above 0.5 it is there.
      evidence: uint8 images -> at every position of a small map, what speaks for each attribute, [n, h', w', k]; above
        0 it is seen there. None of a function of the user's own.
    """

    name: str
    names: list[str]
    scores: Callable[[np.ndarray], np.ndarray]
    evidence: Callable[[np.ndarray], np.ndarray] | None = None


def eight_bits(images: np.ndarray) -> np.ndarray:
    """Images of 8 or 16 bits as uint8."""
    return images if images.dtype == np.uint8 else ((images.astype(np.uint32) + 128) // 257).astype(np.uint8)


def is_mnist(data_name: str, shape: tuple[int, ...]) -> bool:
    """Whether data of this name, with images of this shape, are MNIST's digits at their own size."""
    kind, *rest = data_name.split(":")
    return shape == (28, 28, 1) and (kind == "mnist" or (kind == "tfds" and rest[:1] == ["mnist"]))


def of_network(
    module: nn.Module, variables: Any, names: Sequence[str], name: str, *, exclusive: bool
) -> Attributes:
    """The attributes that a classifier knows whose last maps are averaged and seen by one dense layer.

    The evidence at a position is what that layer makes of the maps there (Zhou et al. 2016, Learning deep features for
    discriminative localization, eq. 2), so its mean over positions is the logit. Where classes exclude each other, it
    is by how much it exceeds that of all other classes together: the logit of the class's probability there.

    Args:
      module: float images in [-1, 1] -> (features, logits).
      variables: of it.
      names: of its classes.
      name: of the classifier.
      exclusive: whether an image has one class, as of a softmax, or attributes that do not exclude each other.
    """

    def logits_of(maps: jax.Array) -> jax.Array:
        if not exclusive:
            return maps
        rest = jnp.where(jnp.eye(maps.shape[-1], dtype=bool), -jnp.inf, maps[..., None, :])
        return maps - jax.nn.logsumexp(rest, axis=-1)

    @jax.jit
    def both(images: jax.Array) -> tuple[jax.Array, jax.Array]:
        last: list[jax.Array] = []

        def look(call: Any, args: Any, kwargs: Any, context: Any) -> Any:
            given = call(*args, **kwargs)
            if isinstance(given, jax.Array) and given.ndim == 4:
                last.append(given)
            return given

        with nn.intercept_methods(look):
            outputs: Any = module.apply(variables, to_float(images))
        dense = variables["params"]["Dense_0"]
        maps = nn.relu(last[-1]) @ dense["kernel"] + dense["bias"]
        return jax.nn.sigmoid(logits_of(outputs[1])), logits_of(maps)

    run = lambda i: lambda images: in_batches(lambda x: both(x)[i], eight_bits(images), _BATCH)
    return Attributes(name, list(names), run(0), run(1))


# --- trained on attributes -------------------------------------------------------------------------


def fit(
    images: np.ndarray,
    attributes: Mapping[str, np.ndarray],
    *,
    steps: int = 500,
    seed: int = 0,
    batch_size: int = 100,
    on_progress: OnProgress | None = None,
) -> Attributes:
    """Trains one network to tell several attributes, each present or absent.

    It is the residual network of the library's features, with a sigmoid for each attribute, trained by AdamW with a
    rate of 4e-3 that rises over a tenth of the steps and falls to 0; images are moved by some pixels.

    Args:
      images: uint8 [n, h, w, c], at least 16 pixels a side.
      attributes: name -> bool [n].
      steps: of training.
      seed: of weights, order and moves.
      batch_size: images a step.
      on_progress: called now and then with steps done, all steps and the loss.

    Raises:
      InputError: for images or attributes that do not fit.
    """
    check_range("steps", steps, at_least=1)
    names = list(attributes)
    if not names:
        raise InputError("attributes: expected at least one, got none")
    if images.ndim != 4 or images.dtype != np.uint8 or min(images.shape[1:3]) < MIN_SIDE:
        raise InputError(
            f"images: expected uint8 [n, h, w, c] of at least {MIN_SIDE} pixels a side, got {images.dtype} of shape "
            f"{images.shape}"
        )
    for name, value in attributes.items():
        if np.shape(value) != (len(images),):
            raise InputError(f"attributes: expected {len(images)} values of {name!r}, got {np.shape(value)}")
    true = np.stack([np.asarray(attributes[name], bool) for name in names], axis=1).astype(np.float32)
    batch_size = min(batch_size, len(images))
    model = ResidualCNN(len(names))
    warmup = max(1, steps // 10)
    rate = optax.join_schedules(
        [optax.linear_schedule(0.0, 4e-3, warmup), optax.linear_schedule(4e-3, 0.0, max(1, steps - warmup))],
        [warmup],
    )
    optimizer = optax.adamw(rate, weight_decay=0.05)

    @partial(jax.jit, donate_argnums=0)
    def step(state: Any, images: jax.Array, true: jax.Array, number: jax.Array) -> Any:
        params, stats, moments = state
        x = to_float(views(images, number, seed))

        def loss_fn(params: Any) -> tuple[jax.Array, Any]:
            variables = {"params": params, "batch_stats": stats}
            (_, logits), new = model.apply(variables, x, train=True, mutable=["batch_stats"])
            return optax.sigmoid_binary_cross_entropy(logits, true).mean(), new["batch_stats"]

        (loss, stats), grads = jax.value_and_grad(loss_fn, has_aux=True)(params)
        updates, moments = optimizer.update(grads, moments, params)
        return (optax.apply_updates(params, updates), stats, moments), loss

    @jax.jit
    def start() -> Any:
        variables = model.init(jax.random.key(seed), jnp.zeros((1, *images.shape[1:])))
        return variables["params"], variables["batch_stats"], optimizer.init(variables["params"])

    state = start()
    for done in range(steps):
        epoch, place = positions(done, len(images), batch_size)
        rows = shuffled_index(place, len(images), seed=seed, epoch=epoch)
        state, loss = step(state, jnp.asarray(images[rows]), jnp.asarray(true[rows]), np.uint32(done))
        if (done + 1) % 50 == 0 or done + 1 == steps:
            value = float(loss)
            if on_progress is not None:
                on_progress(done + 1, steps, value)
    variables = {"params": state[0], "batch_stats": state[1]}
    return of_network(model, variables, names, "attributes", exclusive=False)


# --- of the library, or of the user's own ----------------------------------------------------------


def classifier_for(
    name: str, data_name: str, open_source: Callable[[], Any], shape: tuple[int, ...]
) -> Attributes:
    """The classifier called `name`.

    Args:
      name: "mnist_cnn"; "trained" (what `jaxgan metrics train-features` trained on the run's data); "auto", the one of
        them that fits; or FILE.py:NAME, a function uint8 images [n, h, w, c] -> {attribute: values [n] from 0 to 1}.
      data_name: of the run's data.
      open_source: opens them, which "trained" needs.
      shape: of an image.

    Raises:
      InputError: for a name that is none of these, or where there is no such classifier.
    """
    if is_file(name):
        return _own(name, shape)
    if name == "mnist_cnn" or (name == "auto" and is_mnist(data_name, shape)):
        if shape != (28, 28, 1):
            raise InputError(f"classifier: mnist_cnn expects images (28, 28, 1), got {shape}")
        variables, _ = mnist_cnn.load()
        digits = list("0123456789")
        return of_network(mnist_cnn.MNISTClassifier(), variables, digits, "mnist_cnn", exclusive=True)
    if name in ("auto", "trained"):
        source = open_source()
        if (found := classifier.variables_of(source)) is None:
            raise InputError(
                f"classifier: none was trained on {data_name!r}; run: jaxgan metrics train-features "
                f"{shlex.quote(data_name)}, or name one of your own (FILE.py:NAME)"
            )
        variables, title = found
        module = ResidualCNN(len(source.class_names))
        return of_network(module, variables, source.class_names, title, exclusive=True)
    raise InputError(f"classifier: expected auto, trained, mnist_cnn or FILE.py:NAME, got {name!r}")


def _own(name: str, shape: tuple[int, ...]) -> Attributes:
    function = load_object("classifier", name, fits=callable)
    if not callable(function):
        raise InputError(
            f"classifier: expected a function images -> {{attribute: values}}, got {type(function).__name__} {name!r}"
        )

    def asked(images: np.ndarray) -> dict[str, np.ndarray]:
        try:
            given = function(eight_bits(images))
        except InputError:
            raise
        except Exception as error:  # whatever the user's function raises
            raise InputError(f"classifier: {name!r} raised {type(error).__name__}: {error}") from error
        if not isinstance(given, Mapping) or not given:
            raise InputError(
                f"classifier: expected {{attribute: values}} of {name!r}, got {type(given).__name__}"
            )
        found = {str(key): np.asarray(value, np.float64) for key, value in given.items()}
        for key, value in found.items():
            if value.shape != (len(images),) or not np.isfinite(value).all():
                raise InputError(
                    f"classifier: expected {len(images)} finite numbers for {key!r} of {name!r}, got shape "
                    f"{value.shape}"
                )
        return found

    names = list(asked(np.zeros((2, *shape), np.uint8)))
    return Attributes(name, names, lambda images: np.stack([asked(images)[key] for key in names], axis=1))
