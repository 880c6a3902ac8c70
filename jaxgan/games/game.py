"""What a game is: players, the turns that they take in a step, and what is remembered between steps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import struct
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, lookup, unknown
from jaxgan.common.numerics import is_number
from jaxgan.games.encoding.base import Encoding
from jaxgan.games.kinds import check_kind, check_module, check_optimizer, check_schedule
from jaxgan.games.pairs.direction import Translation

if TYPE_CHECKING:
    from jaxgan.losses import Loss
    from jaxgan.models.latents import Latent

ArrayLike = jax.typing.ArrayLike
PyTree = Any
Batch = Mapping[str, jax.Array]
Metrics = dict[str, jax.Array]
Schedule = Callable[[ArrayLike], jax.Array]
Objective = Callable[[Any], jax.Array]  # of a `View`

UPDATES = ("alternating", "simultaneous", "extragradient")
FROZEN = "frozen"  # collection of a network's variables that no turn changes, such as weights trained before


class Player(NamedTuple):
    """A network and how it moves.

    Attributes:
      module: Linen module. It is applied with `train=True` and keeps its statistics in collections of its own.
      optimizer: optax transformation, updated once in every turn in which the player moves.
      average: step -> share of the old average that a step keeps; None: no average is kept.
    """

    module: nn.Module
    optimizer: optax.GradientTransformation
    average: Schedule | None = None

    def moved(self, state: PlayerState, grads: PyTree, stats: PyTree) -> PlayerState:
        """The player after one update by `grads`, with those statistics that are new."""
        updates, opt_state = self.optimizer.update(grads, state.opt_state, state.params)
        return replace(
            state,
            params=optax.apply_updates(state.params, updates),
            stats={**state.stats, **stats},
            opt_state=opt_state,
        )

    def followed(self, state: PlayerState, step: jax.Array) -> PlayerState:
        """The player with its average, if it has one, moved towards it; whole numbers have no mean and are copied."""
        if self.average is None:
            return state
        now, share = {"params": state.params, **state.stats}, 1 - self.average(step)

        def towards(new: jax.Array, old: jax.Array) -> jax.Array:
            return share * new + (1 - share) * old if jnp.issubdtype(new.dtype, jnp.floating) else new

        return replace(state, average=jax.tree.map(towards, now, state.average))


class Turn(NamedTuple):
    """Who moves, and what they minimise; everyone else stands still.

    Attributes:
      name: prefix of the turn's metrics, such as "d". Turns may share it: their metrics are averaged.
      movers: names of the players that move.
      objective: `View` -> scalar that the movers minimise together.
      examples: which of the step's examples the turn sees, such as slice(1, None, 3): those with the numbers
        1, 4, 7, ...
      draw: turns of one draw see the same random numbers. Two turns that then compute the same are
        compiled to one computation.
      every: the turn is taken in one of so many steps, the first included; its metrics are then multiplied by
        that number, and 0 in the other steps.
      during: first step, and the one before which it ends, or None; metrics are 0 in others.
    """

    name: str
    movers: tuple[str, ...]
    objective: Objective
    examples: slice = slice(None)
    draw: int = 0
    every: int = 1
    during: tuple[int, int | None] = (0, None)


@dataclass(frozen=True)
class Moves:
    """How players move, written over turns, so that it holds for every game; the default is one after another.

    Attributes:
      updates: "alternating": each turn sees what the turns before it did. "simultaneous": all turns move
        from the same point. "extragradient": all make a trial step, and then move from where they were by
        the gradients found there, on the same examples (Gidel et al. 2019, A variational inequality
        perspective on GANs, eq. 10-11; the optimisers see both gradients, as in their algorithm 4, so their
        schedules count two updates a step). The last two go with one turn a player.
      unroll: the last turn's objective is taken after so many further turns of the others, and
        differentiated through them (Metz et al. 2017, Unrolled GANs, eq. 8).
      consensus: gamma; all players also descend gamma/2 ||v||^2, with v the gradients of all objectives
        (Mescheder et al. 2017, The numerics of GANs, eq. 9).
      lookahead: (k, alpha): every k steps all players go back to alpha of the way that they made since the
        last time (Chavdarova et al. 2021, Taming GANs with lookahead-minmax, algorithm 1).

    Raises:
      ValueError: for numbers out of range.
    """

    updates: str = "alternating"
    unroll: int = 0
    consensus: Any = 0.0
    lookahead: tuple[int, float] | None = None

    def __post_init__(self) -> None:
        """Checks the numbers that are numbers, and not traced."""
        if self.updates not in UPDATES:
            raise unknown("updates", self.updates, UPDATES)
        check_range("unroll", self.unroll, at_least=0, unit="updates")
        if self.unroll and self.updates == "extragradient":
            raise InputError("unroll: expected 0 with extragradient updates, which look ahead themselves")
        check_range("consensus", self.consensus, at_least=0)
        if self.lookahead is not None and (self.lookahead[0] < 1 or not 0 < self.lookahead[1] <= 1):
            raise InputError(f"lookahead: expected k >= 1 and 0 < alpha <= 1, got {self.lookahead}")

    @property
    def consensual(self) -> bool:
        """Whether the consensus term is on (a traced weight counts as on)."""
        return not is_number(self.consensus) or self.consensus > 0


class Output(NamedTuple):
    """What a game makes for people: examples of one player's average, from latents.

    Attributes:
      player: whose average is sampled and scored: a module (z, label, train) -> examples.
      latent: prior of z.
      conditional: whether it takes the labels of the data; otherwise label is None.
    """

    player: str
    latent: Latent
    conditional: bool = False


class Critic(NamedTuple):
    """How a game tells reals from fakes, for monitors of its health.

    Attributes:
      loss: what the logits are trained by.
      logits: `View` -> (logits of the view's reals, logits of the fakes beside them).
      multiple: the number of examples must be a multiple of it.
    """

    loss: Loss
    logits: Callable[[Any], tuple[jax.Array, jax.Array]]
    multiple: int = 1


@dataclass(frozen=True, eq=False, kw_only=True)
class Game:
    """The static half of adversarial training: modules and functions, closed over by the step.

    Attributes:
      players: by name.
      turns: taken in this order in every step.
      inputs: a batch -> what each player is applied to when it is initialised, by name; two examples do.
      memory: name -> () -> arrays: every state between steps of no player. Under a mapped axis (pmap), or of a batch in
        parts, real numbers in it are averaged over these, so what holds examples goes with whole batches and jit only.
      moves: how the players move.
      output: what is sampled and scored; None: nothing is.
      translations: direction -> what is made out of examples; the first is scored.
      critic: who tells reals from fakes, which monitors look at; None: nobody does.
      compares: () -> whether objectives look at the logits of several examples at once, as `View.gathered` gives
        them: a batch that is taken in parts is then looked at twice.
      encoding: how examples become latents; None: nothing encodes them.
      walks: () -> latents [n, dim] that show what single coordinates do, and how many stand in a row.

    Raises:
      ValueError: if a turn moves an unknown player or none, or updates other than alternating one more than once.
    """

    players: Mapping[str, Player]
    turns: tuple[Turn, ...]
    inputs: Callable[[Batch], Mapping[str, tuple[Any, ...]]]
    memory: Mapping[str, Callable[[], PyTree]] = field(default_factory=dict)
    moves: Moves = Moves()
    output: Output | None = None
    translations: Mapping[str, Translation] = field(default_factory=dict)
    critic: Critic | None = None
    compares: Callable[[], bool] = lambda: True
    encoding: Encoding | None = None
    walks: Callable[[], tuple[np.ndarray, int]] | None = None

    def __post_init__(self) -> None:
        """Checks that players, turns and moves go together."""
        for name, player in self.players.items():
            check_kind(f"players[{name!r}]", player, Player, "Player(module, optimizer)")
            check_module(f"module of player {name!r}", player.module)
            check_optimizer(f"optimizer of player {name!r}", player.optimizer)
            check_schedule(f"average of player {name!r}", player.average, "ema_schedule(0.999)")
        movers = [name for turn in self.turns for name in turn.movers]
        for turn in self.turns:
            if not turn.movers:
                raise InputError(f"turns: expected at least one mover in turn {turn.name!r}, got none")
            if turn.every < 1:
                raise InputError(
                    f"turns: expected turn {turn.name!r} every step or less, got every={turn.every}"
                )
            for name in turn.movers:
                lookup("player", name, self.players)
        if self.moves.updates != "alternating":
            for name in {name for name in movers if movers.count(name) > 1}:
                raise InputError(
                    f"turns: expected one turn a player with {self.moves.updates} updates, got "
                    f"{movers.count(name)} of {name!r}"
                )
        for own in (self.output, *self.translations.values()):
            if own is not None and self.players[own.player].average is None:
                raise InputError(f"output: expected a player that is averaged, got {own.player!r}")

    def check(self, batch: Batch) -> None:
        """Raises ValueError for a batch that the turns do not take.

        Its arrays, [n, ...] by name, must be float32, float64 or int32 and share one n, a multiple of what turns take.
        """
        sizes = {name: x.shape[0] for name, x in batch.items()}
        if len(set(sizes.values())) != 1:
            raise InputError(f"batch: expected arrays of as many examples each, got {sizes}")
        for name, x in batch.items():
            if x.dtype not in (jnp.float32, jnp.float64, jnp.int32):
                raise InputError(
                    f"batch: expected float32 examples (images in [-1, 1]) and int32 labels, got {name!r} of {x.dtype}"
                )
        n = next(iter(sizes.values()))
        for turn in self.turns:
            every = turn.examples.step or 1
            if n % every:
                raise InputError(
                    f"batch: expected a multiple of {every} examples, as turn {turn.name!r} takes one of every "
                    f"{every}, got {n}"
                )

    def averaged(self, state: GameState) -> PyTree:
        """The variables of what is sampled and scored: {"params": ..., and statistics}; of translations by player."""
        if self.output is None:
            return {own.player: state.players[own.player].average for own in self.translations.values()}
        return state.players[self.output.player].average

    def at_rest(self, state: GameState, name: str) -> PyTree:
        """The variables with which a player is asked after training: its average, or its own where it has none."""
        own = state.players[name]
        return own.average or {"params": own.params, **own.stats}


@struct.dataclass
class PlayerState:
    """Where a player stands; arrays only.

    Attributes:
      params: trained parameters.
      stats: every other Linen collection (batch statistics, spectral norms, ...).
      opt_state: of its optimiser.
      average: averaged variables, {"params": ..., **stats}; None where no average is kept.
    """

    params: PyTree
    stats: PyTree
    opt_state: PyTree
    average: PyTree = None


@struct.dataclass
class GameState:
    """Everything that a step changes; arrays only.

    Attributes:
      step: steps so far, int32.
      key: of the run; never changes, steps fold their number into it.
      players: where each stands, by name.
      memory: what belongs to no player: of terms and augmentations, pools, slow weights ("lookahead").
    """

    step: jax.Array
    key: jax.Array
    players: dict[str, PlayerState]
    memory: dict[str, PyTree]


def with_remat(game: Game) -> Game:
    """The game, whose networks keep less for the way back and compute it again: what their blocks compute inside.

    Raises:
      ValueError: if no network has such blocks, which it says by an attribute `remat`.
    """
    have = {name for name, player in game.players.items() if hasattr(player.module, "remat")}
    if not have:
        raise InputError(
            "remat: expected networks of blocks that can be computed again, got some without: "
            + ", ".join(sorted({type(player.module).__module__ for player in game.players.values()}))
        )
    again = lambda player: player._replace(module=player.module.clone(remat=True))
    players = {name: again(own) if name in have else own for name, own in game.players.items()}
    return replace(game, players=players)


def init(game: Game, key: jax.Array, batch: Mapping[str, Any], mesh: Mesh | None = None) -> GameState:
    """A state to start from, built under one jit and placed as it is built.

    Args:
      game: the static half.
      key: a typed PRNG key (`jax.random.key(seed)`).
      batch: like those of the step. Only shapes and types are used: arrays or `jax.ShapeDtypeStruct`s.
      mesh: devices to copy the state to; None leaves it on the default device.
    """
    zeros = {name: jnp.zeros(x.shape, x.dtype) for name, x in batch.items() if x is not None}

    def build(key: jax.Array) -> GameState:
        inputs = game.inputs(zeros)
        run_key, *player_keys = jax.random.split(key, 1 + len(game.players))
        players = {
            name: _start(player, player_key, inputs[name])
            for (name, player), player_key in zip(game.players.items(), player_keys, strict=True)
        }
        memory = {name: start() for name, start in game.memory.items()}
        if game.moves.lookahead is not None:
            memory["lookahead"] = {name: player.params for name, player in players.items()}
        return GameState(step=jnp.zeros((), jnp.int32), key=run_key, players=players, memory=memory)

    placement = None if mesh is None else NamedSharding(mesh, PartitionSpec())
    return jax.jit(build, out_shardings=placement)(key)


def _start(player: Player, key: jax.Array, inputs: tuple[Any, ...]) -> PlayerState:
    variables = dict(player.module.init(key, *inputs, train=True))
    params = variables.pop("params", {})  # none, of a network that is frozen
    average = None if player.average is None else {"params": params, **variables}
    return PlayerState(params, variables, player.optimizer.init(params), average)


def ema_schedule(decay: float = 0.999, *, ramp_up: bool = True, start: int = 0) -> Schedule:
    """Decay of a player's average as a function of the step.

    Args:
      decay: share of the old average that each step keeps; 0 makes the average the player itself.
      ramp_up: start from min(decay, (1 + step) / (10 + step)), so that the first random weights are
        forgotten at once and not after 1 / (1 - decay) steps.
      start: steps in which the average is the player itself, before anything else counts from there.

    Raises:
      ValueError: if `decay` is not in [0, 1), or `start` negative.
    """
    check_range("decay", decay, at_least=0, below=1)
    check_range("start", start, at_least=0)

    def schedule(step: ArrayLike) -> jax.Array:
        since = jnp.asarray(step, jnp.float32) - start
        rate = jnp.minimum(decay, (1 + since) / (10 + since)) if ramp_up else jnp.full((), decay)
        return jnp.where(since < 0, 0.0, rate) if start else rate

    return schedule


def half_life_schedule(
    half_life: Callable[[ArrayLike], ArrayLike], images: int, ramp_up: float = 0.0
) -> Schedule:
    """Decay of a player's average as a function of the step: 2^(-images / half_life), 0 at a half-life of 0.

    Args:
      half_life: real images seen before the step -> how many further ones make a weight count half.
      images: real images of a step.
      ramp_up: the half-life is at most this share of the images seen before; 0: no such limit.

    Raises:
      ValueError: if `images` is not positive, or `ramp_up` negative.

    References:
      Karras et al. (2020), Training generative adversarial networks with limited data, appendix C.
    """
    check_range("images", images, at_least=1)
    check_range("ramp_up", ramp_up, at_least=0)

    def schedule(step: ArrayLike) -> jax.Array:
        seen = jnp.asarray(step, jnp.float32) * images
        life = half_life(seen)
        life = jnp.minimum(life, ramp_up * seen) if ramp_up else life
        return jnp.exp2(-images / jnp.maximum(life, 1e-8))

    return schedule
