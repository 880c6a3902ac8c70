"""Distances of all pairs of points: who is near whom, and within which radius.

Distances are computed in blocks in float32 and, wherever float32 cannot decide, again in float64.
So the results are those of float64: `brute_force` computes the same in a few lines, and tests compare the two.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial, wraps
from typing import Any, ParamSpec, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan.common.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")
_FEW = 16  # rows for which differences cost less than they spare
_ROWS = 1000  # that are converted at once
_SPARE = 3  # neighbours beyond the k-th whose distances are computed exactly


def _processor() -> Any:
    return jax.default_device(jax.local_devices(backend="cpu")[0])


def on_host(function: Callable[P, R]) -> Callable[P, R]:
    """`function` on the processor, also where JAX has an accelerator.

    On a GPU the distances came out wrong (densities of 188 where 1 is right), which no test on a processor shows.
    """

    @wraps(function)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with _processor():
            return function(*args, **kwargs)

    return run


class Points:
    """A set of points [n, d]: as given, and centred in float32 with squared norms."""

    def __init__(self, exact: np.ndarray, centre: np.ndarray) -> None:
        """Centres the points `exact` at `centre` [d]; distances between two sets need the same centre."""
        self.exact, self.centre = exact, centre
        self.small: np.ndarray = np.empty(exact.shape, np.float32)
        self.norms: np.ndarray = np.empty(len(exact), np.float32)
        for rows in _slices(len(exact), _ROWS):
            self.small[rows] = exact[rows].astype(np.float64) - centre
            self.norms[rows] = np.square(self.small[rows], dtype=np.float64).sum(1)

    def __len__(self) -> int:
        """Number of points."""
        return len(self.exact)

    @staticmethod
    def pair(name: str, x: np.ndarray, y: np.ndarray, fewest: int) -> tuple[Points, Points]:
        """Two sets, centred at the mean of the first; one and the same if x is y.

        Raises:
          InputError: in a message that starts with `name`, unless both have more than `fewest` points of one
            dimension, all finite.
        """
        x, y = np.asarray(x), np.asarray(y)
        if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(len(x), len(y)) <= fewest:
            raise InputError(
                f"{name}: expected two sets [n > k={fewest}, d] of one dimension, got {x.shape} and {y.shape}"
            )
        if not (np.isfinite(x).all() and np.isfinite(y).all()):
            raise InputError(f"{name}: expected finite features, got NaN or infinity")
        centre = x.mean(0, dtype=np.float64)
        a = Points(x, centre)
        return a, a if y is x else Points(y, centre)

    def products(self, rows: slice, others: Points, columns: slice, room: _Room) -> Any:
        """Inner products in float32, [rows, columns]. They may lie in `room`, until it is used again."""
        x, y = (
            self.small[rows],
            others.small[columns],
        )  # NumPy's BLAS multiplies faster than XLA does on a CPU
        return np.matmul(x, y.T, out=room.matrix(len(x), len(y)))

    def decided(
        self, rows: np.ndarray, others: Points, products: np.ndarray, radii: tuple[np.ndarray, np.ndarray]
    ) -> np.ndarray:
        """Squared distances of some rows to all others, exact wherever they are close to a radius."""
        norms = self.norms[rows, None] + others.norms
        squared = (norms - 2 * products).astype(np.float64)

        def close(dtype: Any) -> tuple[np.ndarray, ...]:
            tolerance = _tolerance(self.small.shape[1], norms, dtype)
            near = [np.abs(squared - r) <= tolerance for r in (radii[0][rows, None], radii[1])]
            return np.nonzero(near[0] | near[1])

        row, column = close(np.float32)
        if len(row) > 0.01 * squared.size:  # one product in float64 decides nearly all
            squared = self.squared_distances(rows, others)
            row, column = close(np.float64)
        squared[row, column] = self.gaps(rows[row], others, column)
        return squared

    def within(self, rows: np.ndarray, others: Points, bound: np.ndarray) -> np.ndarray:
        """Squared distances of some rows to all others: exact up to a bound for each row, infinite beyond it."""
        norms = self.norms[rows, None] + others.norms
        rough = norms - 2 * (self.small[rows] @ others.small.T)
        row, column = np.nonzero(rough <= bound[:, None] + _tolerance(self.small.shape[1], norms))
        if len(row) > 0.01 * rough.size:
            return self.squared_distances(rows, others)
        squared = np.full(rough.shape, np.inf)
        squared[row, column] = self.gaps(rows[row], others, column)
        return squared

    def gaps(self, rows: np.ndarray, others: Points, columns: np.ndarray) -> np.ndarray:
        """Squared distances of pairs (a row here, a column there), in float64 by differences."""
        found = np.empty(len(rows))
        for part in _slices(len(rows), _ROWS):
            gap = self.exact[rows[part]].astype(np.float64) - others.exact[columns[part]]
            found[part] = np.square(gap).sum(1)
        return found

    def squared_distances(self, rows: np.ndarray, others: Points) -> np.ndarray:
        """Squared distances of some rows to all others in float64: of few rows by differences, else by a product."""
        points = self.exact[rows].astype(np.float64) - self.centre
        exact = others.exact.astype(np.float64) - self.centre
        if len(rows) <= _FEW:
            return np.stack([np.square(exact - point).sum(1) for point in points])
        norms = np.square(points).sum(1)[:, None] + np.square(exact).sum(1)
        squared = norms - 2 * points @ exact.T
        # what is left of equal points is rounding
        return np.where(squared <= _tolerance(exact.shape[1], norms, np.float64), 0.0, squared)


@on_host
def nearest(a: Points, b: Points, k: int, block: int) -> tuple[np.ndarray, np.ndarray]:
    """The k nearest points of b for each point of a.

    Args:
      a: n points.
      b: at least k points, of the same centre.
      k: number of neighbours.
      block: rows and columns of the distance matrix that are held at once.

    Returns:
      Squared distances [n, k], ascending, and indices [n, k]; of equal distances, the smaller index comes
      first. Distances are those of float64, with the rounding of a product of the centred points at most.
    """
    rough = _rough_nearest(a, b, min(k + _SPARE, len(b)), block, False)
    distances, indices = np.empty((len(a), k)), np.empty((len(a), k), np.int64)
    with jax.enable_x64(True):
        others = jnp.asarray(b.exact)
    largest = float(b.norms.max())
    for rows in _slices(len(a), block):
        found = rough.indices[rows]
        with jax.enable_x64(True):
            exact = np.asarray(_exact(a.exact[rows], others, found))
        order = np.lexsort((found, exact), axis=1)[:, :k]
        distances[rows] = np.take_along_axis(exact, order, 1)
        indices[rows] = np.take_along_axis(found, order, 1)
        if found.shape[1] < len(b):  # a point that is no candidate may still be nearer
            tolerance = _tolerance(a.small.shape[1], a.norms[rows] + largest)
            unsure = rough.values[rows].max(1) - 2 * tolerance <= distances[rows][:, -1]
            again = np.flatnonzero(unsure) + rows.start
            if len(again):
                squared = a.within(again, b, distances[again, -1])
                order = np.argsort(squared, axis=1, kind="stable")[:, :k]
                distances[again], indices[again] = np.take_along_axis(squared, order, 1), order
    return distances, indices


@on_host
def own_radii(x: Points, k: int, block: int) -> np.ndarray:
    """The squared distance of each point to its k-th neighbour in the same set, itself excluded.

    Args:
      x: n points, more than k.
      k: number of the neighbour.
      block: half of the rows and columns of the distance matrix that are held at once.

    Returns:
      [n], float64.
    """
    rough = _rough_nearest(x, x, min(k + _SPARE, len(x) - 1), 2 * block, True)
    kth = np.partition(rough.values, k - 1, axis=1)[:, k - 1]
    doubt = 2 * _tolerance(x.small.shape[1], x.norms + x.norms.max())
    # certainly nearer than the k-th, certainly further, or to be looked at
    below, above = (rough.values < (kth - doubt)[:, None]), (rough.values > (kth + doubt)[:, None])
    squared = np.where(below, -np.inf, np.inf)
    row, column = np.nonzero(~(below | above))
    squared[row, column] = x.gaps(row, x, rough.indices[row, column])
    radii = np.partition(squared, k - 1, axis=1)[:, k - 1]
    again = np.flatnonzero(~above.any(1))
    if len(again) and rough.values.shape[1] < len(x) - 1:  # there may be nearer ones that are no candidates
        squared = x.within(again, x, (kth + doubt)[again])
        squared[np.arange(len(again)), again] = np.inf
        radii[again] = x.gaps(again, x, np.argpartition(squared, k - 1, axis=1)[:, k - 1])
    return radii


@on_host
def inside(
    a: Points, b: Points, a_radii: np.ndarray, b_radii: np.ndarray, block: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Which points lie in which balls; a point at exactly the radius lies outside.

    Args:
      a: n points.
      b: m points, of the same centre.
      a_radii: squared radius of the ball around each point of a [n].
      b_radii: squared radius of the ball around each point of b [m].
      block: rows of the distance matrix that are held at once.

    Returns:
      The number of a's balls that each point of b lies in, int64 [m]; whether each of a's balls holds a point
      of b, bool [n]; whether each point of a lies in one of b's balls, bool [n].
    """
    counts = np.zeros(len(b), np.int64)
    holding, held = np.zeros(len(a), bool), np.zeros(len(a), bool)
    largest, room = float(b.norms.max()), _Room()
    for rows in _slices(len(a), block):
        tolerance = _tolerance(a.small.shape[1], float(a.norms[rows].max()) + largest)
        products = a.products(rows, b, slice(None), room)
        found, *some, unsure = _compare(products, a.norms[rows], b.norms, a_radii[rows], b_radii, tolerance)
        counts += np.asarray(found)
        holding[rows], held[rows] = (np.asarray(each) for each in some)
        again = np.flatnonzero(np.asarray(unsure))
        if len(again):
            squared = a.decided(again + rows.start, b, np.asarray(products)[again], (a_radii, b_radii))
            again += rows.start
            within = squared < a_radii[again, None]
            counts += within.sum(0)
            holding[again], held[again] = within.any(1), (squared < b_radii).any(1)
    return counts, holding, held


# --- how it is computed ------------------------------------------------------------------------------


class _Room:
    """Memory for one matrix after another: fresh pages cost more than the sums that are read from them."""

    _ALIGNMENT = 64  # what XLA needs to read it where it lies

    def __init__(self) -> None:
        self._numbers = np.empty(0, np.float32)

    def matrix(self, rows: int, columns: int) -> np.ndarray:
        """float32 [rows, columns], of no defined values."""
        n = rows * columns
        if n > len(self._numbers):
            raw = np.empty(4 * n + self._ALIGNMENT, np.uint8)
            first = -raw.ctypes.data % self._ALIGNMENT
            self._numbers = raw[first : first + 4 * n].view(np.float32)
        return self._numbers[:n].reshape(rows, columns)


def _slices(n: int, block: int) -> list[slice]:
    return [slice(start, min(start + block, n)) for start in range(0, n, block)]


def _tolerance(d: int, norms: Any, dtype: Any = np.float32) -> Any:
    """How far the computed squared distance of two points may be off, given the sum of their squared norms."""
    # Rounding of the inputs, and of a sum of d products, which grows like the root of their number
    return 4 * np.finfo(dtype).eps * (4 + d**0.5) * norms


@jax.jit
def _compare(
    products: jax.Array,
    x_norms: jax.Array,
    y_norms: jax.Array,
    x_radius: jax.Array,
    y_radius: jax.Array,
    tolerance: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """As `inside`, for the rows that float32 can decide; and which rows it cannot."""
    squared = x_norms[:, None] + y_norms[None] - 2 * products
    inside, reaching = squared < x_radius[:, None], squared < y_radius[None]
    margin = jnp.minimum(jnp.abs(squared - x_radius[:, None]), jnp.abs(squared - y_radius[None]))
    unsure = (margin <= tolerance).any(1)
    return (inside & ~unsure[:, None]).sum(0), inside.any(1), reaching.any(1), unsure


@partial(jax.jit, static_argnames=("k", "diagonal", "columns_too"))
def _smallest(
    products: jax.Array, x_norms: jax.Array, y_norms: jax.Array, k: int, diagonal: bool, columns_too: bool
) -> tuple[tuple[jax.Array, jax.Array], tuple[jax.Array, jax.Array] | None]:
    """The k smallest squared distances of each row, and of each column if asked for, and where they are."""
    squared = x_norms[:, None] + y_norms[None] - 2 * products
    if diagonal:  # a point is no neighbour of itself
        squared = jnp.where(jnp.eye(len(squared), dtype=bool), jnp.inf, squared)

    def first(x: jax.Array) -> tuple[jax.Array, jax.Array]:
        values, indices = jax.lax.top_k(-x, min(k, x.shape[1]))
        return -values, indices

    return first(squared), first(squared.T) if columns_too else None


class _Candidates:
    """The k smallest squared distances of each row so far, and where they are."""

    def __init__(self, n: int, k: int) -> None:
        self.values = np.full((n, k), np.inf, np.float32)
        self.indices = np.zeros((n, k), np.int64)

    def merge(self, rows: slice, found: tuple[jax.Array, jax.Array], first: int) -> None:
        k = self.values.shape[1]
        values = np.concatenate([self.values[rows], np.asarray(found[0])], axis=1)
        indices = np.concatenate([self.indices[rows], np.asarray(found[1]) + first], axis=1)
        best = np.argpartition(values, k - 1, axis=1)[:, :k]
        self.values[rows] = np.take_along_axis(values, best, 1)
        self.indices[rows] = np.take_along_axis(indices, best, 1)


def _rough_nearest(a: Points, b: Points, k: int, block: int, same: bool) -> _Candidates:
    """The candidates that float32 finds; of one set, each product serves both of its blocks."""
    found, room = _Candidates(len(a), k), _Room()
    for i, rows in enumerate(_slices(len(a), block)):
        for j, columns in enumerate(_slices(len(b), block)):
            if same and j < i:
                continue
            by_row, by_column = _smallest(
                a.products(rows, b, columns, room),
                a.norms[rows],
                b.norms[columns],
                k,
                same and i == j,
                same and i != j,
            )
            found.merge(rows, by_row, columns.start)
            if by_column is not None:
                found.merge(columns, by_column, rows.start)
    return found


@jax.jit
def _exact(points: jax.Array, others: jax.Array, indices: jax.Array) -> jax.Array:
    """Squared distances [n, k] of points [n, d] to others[indices], by differences."""
    distance = lambda column: jnp.square(points.astype(jnp.float64) - others[column]).sum(1)
    return jax.lax.map(distance, indices.T).T
