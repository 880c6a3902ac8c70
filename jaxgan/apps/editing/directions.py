"""Directions among latents: in closed form (SeFa), of principal components (GANSpace), and of attributes."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.apps.network import Network, Space, parts
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, unknown

METHODS = ("sefa", "ganspace", "supervised")
_AT_ONCE = 200  # images that a classifier is shown
_AFFINE = 1e-3  # of what a layer gives: how far it may be from a linear function of the latent


@dataclass(frozen=True)
class Directions:
    """k directions of a latent space.

    Attributes:
      space: "z", or "w", where they move all layers alike unless layers are named.
      vectors: float32 [k, d], each of length 1.
      scales: [k], the standard deviation of latents along each: a strength of 1 in `edit` is so much.
      values: [k], what they are sorted by.
      names: of each.
      method: an entry of METHODS.
      value: what `values` are: "eigenvalue", "share of variance", "balanced accuracy".
    """

    space: Space
    vectors: np.ndarray
    scales: np.ndarray
    values: np.ndarray
    names: list[str]
    method: str
    value: str

    def __len__(self) -> int:
        """How many there are."""
        return len(self.vectors)

    def only(self, rows: Sequence[int]) -> Directions:
        """Those at some positions."""
        rows = list(rows)
        names = [self.names[i] for i in rows]
        return replace(
            self, vectors=self.vectors[rows], scales=self.scales[rows], values=self.values[rows], names=names
        )

    def find(self, name: str | int) -> int:
        """The position of a direction, by its name or its number; of names that are numbers, the name counts.

        Raises:
          InputError: where there is none.
        """
        if isinstance(name, str) and name in self.names:
            return self.names.index(name)
        if not re.fullmatch("-?[0-9]+", str(name)):
            raise unknown("direction", str(name), self.names)
        if int(name) not in range(len(self)):
            raise InputError(f"direction: expected a number from 0 to {len(self) - 1}, got {name}")
        return int(name)


# --- closed form -----------------------------------------------------------------------------------


def sefa(weights: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The directions that a linear layer answers to most: eigenvectors of W^T W, with the largest eigenvalue first.

    Every row of W is divided by its length first, as the authors' code does (the paper's equations do not), and the
    sign of an eigenvector is that which makes its largest entry positive.

    Args:
      weights: [outputs, latent coordinates]; rows of zeros count for nothing.

    Returns:
      Eigenvalues [d] and eigenvectors [d, d], one a row. The eigenvalues add up to the number of rows.

    References:
      Shen, Zhou (2021), Closed-form factorization of latent semantics in GANs, eqs. 4 to 6.
    """
    rows = np.asarray(weights, np.float64)
    length = np.linalg.norm(rows, axis=1, keepdims=True)
    rows = np.divide(rows, length, out=np.zeros_like(rows), where=length > 0)
    values, vectors = np.linalg.eigh(rows.T @ rows)
    values, vectors = values[::-1], vectors.T[::-1]
    largest = vectors[np.arange(len(vectors)), np.abs(vectors).argmax(1)]
    return values, vectors * np.sign(largest)[:, None]


def first_weights(network: Network, space: Space) -> tuple[np.ndarray, list[str]]:
    """The weights that latents meet first: of all layers with a kernel that are linear in them.

    z meets the first dense layer or convolution, in BigGAN also the linear maps of every normalisation, and w the
    affine layer of every convolution: what the paper takes, found without knowing the family; a layer that is linear
    in the latent by way of another (a skip without activation in `resnet` and `r3gan`) counts as well. Where z is
    normalised on its way in (ProGAN, StyleGAN), it is the normalised z that counts. W is read off what the layers give
    for latents r e_i and -r e_i of the length r that normalising keeps.

    Args:
      network: of the run.
      space: "z" or "w".

    Returns:
      W [outputs, d], each output of a layer at each position being a row, and the names of the layers.

    Raises:
      InputError: where no layer is linear in the latent.
    """
    dim = network.dim(space)
    layers = network.style_shape[0] if space == "w" else 0
    label = np.zeros(1, np.int32) if network.n_classes else None
    radius = float(np.sqrt(dim))
    some = np.random.default_rng(0).standard_normal((3, dim))
    some *= radius / np.linalg.norm(some, axis=1, keepdims=True)

    def given(variables: Any, v: jax.Array, names: tuple[str, ...] | None) -> dict[str, jax.Array]:
        """Of latents [n, d]: by name, [n, outputs]."""
        whole = jnp.broadcast_to(v[:, None], (len(v), layers, dim)) if layers else v
        labels = None if label is None else jnp.broadcast_to(jnp.asarray(label), len(v))

        def wanted(module: nn.Module, name: str, given: Any) -> bool:
            return name in names if names is not None else "kernel" in module.variables.get("params", {})

        found = network.watched(variables, whole, labels, wanted=wanted)[1]
        return {
            name: x.reshape(len(v), -1).astype(jnp.float32) for name, x in found.items() if len(x) == len(v)
        }

    def values(v: np.ndarray, names: tuple[str, ...] | None) -> dict[str, np.ndarray]:
        program = network.program(f"given {space} {names}", lambda variables, v: given(variables, v, names))
        made = [(program(network.variables, *p), k) for p, k in parts(v.astype(np.float32))]
        return {name: np.concatenate([np.asarray(x[name])[:k] for x, k in made]) for name in made[0][0]}

    tried = values(np.concatenate([some, -some]), None)
    odd = tuple(name for name, x in tried.items() if _is_constant((x[:3] + x[3:]) / 2, x))
    if odd:
        axes = radius * np.eye(dim)
        found = values(np.concatenate([axes, -axes]), odd)
        rows = {name: (x[:dim] - x[dim:]).T / (2 * radius) for name, x in found.items()}
        names = [name for name, w in rows.items() if _is_constant(tried[name][:3] - some @ w.T, tried[name])]
        if names:
            return np.concatenate([rows[name] for name in names]), names
    raise InputError(
        f"method: expected a network with a layer that is linear in {space} for 'sefa', got one without"
    )


def _is_constant(x: np.ndarray, beside: np.ndarray) -> bool:
    """Whether rows are all the same, where those `beside` are not."""
    size = np.abs(beside - beside.mean(0)).max()
    return bool(size > 0 and np.abs(x - x.mean(0)).max() < _AFFINE * size)


def closed_form(network: Network, space: Space, k: int | None = None) -> Directions:
    """The first k directions (None: all) of `sefa` of the weights that latents of a space meet first.

    Raises:
      InputError: where no layer is linear in the latent.
    """
    values, vectors = sefa(first_weights(network, space)[0])
    return _made(network, space, vectors[:k], values[:k], None, "sefa", "eigenvalue")


# --- principal components --------------------------------------------------------------------------


def principal(
    network: Network, space: Space, k: int = 10, *, n: int = 2000, layer: str | None = None
) -> Directions:
    """Principal components: of w, or of what a layer gives, with the directions of z that move along them.

    For z: where x are the features of draws in the basis of the k components, each divided by its standard deviation,
    the directions are the rows of U that minimise sum |x U - z|^2, with length 1.

    Args:
      network: of the run.
      space: "z" or "w".
      k: how many.
      n: draws; 1,000,000 in the paper.
      layer: name of a module whose features count, for z; None: the first with a kernel that is not linear in z.

    Raises:
      InputError: for a layer that there is not, or more components than draws.

    References:
      Härkönen, Hertzmann, Lehtinen, Paris (2020), GANSpace: discovering interpretable GAN controls, section 2.
    """
    check_range("n", n, at_least=2)
    check_range("k", k, at_least=1, at_most=network.dim(space))
    check_range("n", n, at_least=k + 1)  # as many draws leave k components
    z, labels = network.drawn(range(n))
    if space == "w":
        if layer is not None:
            raise InputError(f"layer: expected none, as components of w are of w itself, got {layer!r}")
        w = network.styles(z, labels)[:, 0].astype(np.float64)
        vectors, share = components(w - w.mean(0), k)[1:]
        return _made(network, space, vectors, share, None, "ganspace", "share of variance")
    features = layer_outputs(network, z, labels, layer or default_layer(network))
    scores, _, share = components(features - features.mean(0), k)
    scores = scores / np.maximum(scores.std(0), 1e-12)
    u = np.linalg.lstsq(scores, z.astype(np.float64) - z.mean(0), rcond=None)[0]
    return _made(network, space, u, share, None, "ganspace", "share of variance")


def components(x: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores [n, k], unit vectors [k, d] and shares of the variance of centred rows [n, d]."""
    x = x.astype(np.float64)
    if x.shape[1] <= len(x):
        values, vectors = np.linalg.eigh(x.T @ x)
        vectors = vectors.T[::-1][:k]
    else:
        values, left = np.linalg.eigh(x @ x.T)
        vectors = left.T[::-1][:k] @ x
        vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return x @ vectors.T, vectors, values[::-1][:k] / max(values.sum(), 1e-12)


def default_layer(network: Network) -> str:
    """The first module with a kernel, in the order in which they are called, that z does not meet itself."""
    shapes = _shapes(network)
    try:
        first = set(first_weights(network, "z")[1])
    except InputError:
        first = set()
    return next((name for name in shapes if name not in first), next(iter(shapes)))


def _shapes(network: Network) -> dict[str, tuple[int, ...]]:
    return network.modules(lambda module, name, given: "kernel" in module.variables.get("params", {}))


def layer_outputs(network: Network, z: np.ndarray, labels: np.ndarray | None, layer: str) -> np.ndarray:
    """What a module gives for latents, [n, numbers].

    Raises:
      InputError: for a module that there is not.
    """
    look = lambda *args: network.watched(*args, wanted=lambda module, name, given: name == layer)[1]
    if not network.modules(lambda module, name, given: name == layer):
        raise unknown("layer", layer, _shapes(network))
    program = network.program(f"layer {layer}", look)
    found = [np.asarray(program(network.variables, *p)[layer])[:m] for p, m in parts(z, labels)]
    return np.concatenate(found).reshape(len(z), -1)


# --- attributes ------------------------------------------------------------------------------------


def supervised(
    network: Network,
    space: Space,
    scores_of: Callable[[np.ndarray], np.ndarray],
    names: Sequence[str],
    *,
    n: int = 2000,
    l2: float = 1.0,
) -> Directions:
    """The normals of the planes that part latents by an attribute of their images, by logistic regression.

    Three quarters of the draws fit the planes; `values` are the balanced accuracies on the last quarter, of which 0.5
    is chance. Attributes that fewer than ten images of either part have, or lack, are left out.

    Args:
      network: of the run.
      space: "z" or "w".
      scores_of: images as they are stored -> [n, attributes], above 0.5 where an image has one.
      names: of the attributes.
      n: draws.
      l2: weight of the square of the normal, of latents of variance 1, beside the sum of the losses.

    Raises:
      InputError: where no attribute is left.

    References:
      Shen, Gu, Tang, Zhou (2020), Interpreting the latent space of GANs for semantic face editing, section 3.1.
    """
    check_range("n", n, at_least=80)
    z, labels = network.drawn(range(n))
    v = z if space == "z" else network.styles(z, labels)
    rows = [slice(start, start + _AT_ONCE) for start in range(0, n, _AT_ONCE)]
    some = (network.decode(v[part], None if labels is None else labels[part]) for part in rows)
    true = np.concatenate([scores_of(images) > 0.5 for images in some])
    flat = (v if space == "z" else v[:, 0]).astype(np.float64)
    x = (flat - flat.mean(0)) / np.maximum(flat.std(0), 1e-12)
    fit, rest = slice(0, 3 * n // 4), slice(3 * n // 4, n)
    found: list[tuple[float, np.ndarray, str]] = []
    for name, y in zip(names, true.T, strict=True):
        if min(min(part.sum(), (~part).sum()) for part in (y[fit], y[rest])) < 10:
            continue
        normal, bias = logistic(x[fit], y[fit], l2)
        guess = x[rest] @ normal + bias > 0
        accuracy = (guess[y[rest]].mean() + (~guess)[~y[rest]].mean()) / 2
        found.append((float(accuracy), normal / np.maximum(flat.std(0), 1e-12), name))
    if not found:
        raise InputError(
            f"n: expected images of which some have an attribute and some have not, got {n} all alike"
        )
    values, vectors, kept = zip(*found, strict=True)
    return _made(
        network, space, np.stack(vectors), np.asarray(values), list(kept), "supervised", "balanced accuracy"
    )


def logistic(x: np.ndarray, y: np.ndarray, l2: float) -> tuple[np.ndarray, float]:
    """Minimises sum log(1 + exp(-s (x w + b))) + l2/2 |w|^2, s = 1 for `y` and else -1, each part weighing as much.

    Args:
      x: [n, d].
      y: bool [n].
      l2: at least 0.

    Returns:
      w [d] and b.
    """
    from scipy.optimize import minimize

    sign = np.where(y, 1.0, -1.0)
    weight = np.where(y, 0.5 / max(y.mean(), 1e-12), 0.5 / max((~y).mean(), 1e-12))

    def objective(p: np.ndarray) -> tuple[float, np.ndarray]:
        margin = sign * (x @ p[:-1] + p[-1])
        slope = -weight * sign / (1 + np.exp(np.minimum(margin, 700)))
        value = (weight * np.logaddexp(0, -margin)).sum() + l2 / 2 * np.square(p[:-1]).sum()
        return value, np.concatenate([x.T @ slope + l2 * p[:-1], [slope.sum()]])

    p = minimize(objective, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B").x
    return p[:-1], float(p[-1])


def random_directions(network: Network, space: Space, k: int, seed: int = 0) -> Directions:
    """k random directions, which others are compared with."""
    vectors = np.random.default_rng(seed).standard_normal((k, network.dim(space)))
    return _made(network, space, vectors, np.zeros(k), None, "random", "nothing")


def _made(
    network: Network,
    space: Space,
    vectors: np.ndarray,
    values: np.ndarray,
    names: list[str] | None,
    method: str,
    value: str,
) -> Directions:
    """Directions of length 1, with the spread of latents along each."""
    z, labels = network.drawn(range(1000))
    v = z if space == "z" else network.styles(z, labels)[:, 0]
    vectors = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    scales = ((v - v.mean(0)) @ vectors.T).std(0)
    names = [str(i) for i in range(len(vectors))] if names is None else names
    return Directions(
        space, vectors.astype(np.float32), scales.astype(np.float32), np.asarray(values), names, method, value
    )
