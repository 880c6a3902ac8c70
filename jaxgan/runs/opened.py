"""A run that is opened: its averaged generator, sampled and scored."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Self

import jax
import numpy as np

from jaxgan.common.checking.laws import first_line
from jaxgan.common.errors import InputError
from jaxgan.common.files import expanded
from jaxgan.common.user_files import is_file
from jaxgan.config.config import Config
from jaxgan.data import Spec
from jaxgan.data.labels import class_index
from jaxgan.data.modality import IMAGE, MODALITIES, POINT
from jaxgan.data.sources import load_source
from jaxgan.games.game import Game, GameState, init
from jaxgan.losses import in_python
from jaxgan.metrics.choice import better_of
from jaxgan.runs.checkpoint import Checkpoints, abstract
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.images.applying import Applied
from jaxgan.runs.images.making import maker_of
from jaxgan.runs.sampling import sampler_of


class Run:
    """A run opened for sampling: its configuration and averaged generator.

    Attributes:
      folder: its folder.
      config: its configuration.
      data: what run.json says of its data.
      spec: of its data.
      step: of the checkpoint that was read.
      variables: of the averaged generator.
      players: variables of every player by name: of its average, or its own where it has none.
      game: its static half.
      sampler: generates from `variables`.
    """

    def __init__(self, folder: RunFolder, checkpoint: str | int = "last") -> None:
        """Reads a checkpoint: "last" (the newest good one), "best", or a step.

        Raises:
          InputError: if there is no such run or checkpoint, or it brings code that this user has not trained with and
            the folder is not trusted.
        """
        self.folder = folder
        facts = folder.facts()
        self.data = facts["data"]
        self.config = folder.config()
        self.spec = spec_of(facts, self.config)
        with buildable(folder):
            self.game = _sampled_as(self.config).build(self.spec)
            self.sampler: Any = maker_of(self.game, self.config, self.spec) or sampler_of(
                self.game, self.config, self.spec
            )
            like = _like(self.game, self.spec)
        state, self.step = _restore(folder, like, checkpoint)
        self.variables = self.game.averaged(state)
        self.players = {name: self.game.at_rest(state, name) for name in self.game.players}

    @classmethod
    def at(cls, path: str | os.PathLike[str], checkpoint: str | int = "last", *, trust: bool = False) -> Self:
        """Opens the run in the folder `path`, as `jaxgan.load` does."""
        typed = expanded(path)
        RunFolder(typed).facts()  # which names a folder of no run as it was typed
        return cls(RunFolder(typed.absolute(), trust), checkpoint)

    def sample(
        self,
        seed: int = 0,
        n: int = 64,
        *,
        seeds: Sequence[int] | None = None,
        classes: Sequence[int | str] | int | str | None = None,
    ) -> np.ndarray:
        """Examples [n, ...] of consecutive seeds, or of `seeds`, in the form in which the data are stored.

        Images are uint8 or uint16 [n, height, width, channels], as those of the data; points are float32 [n, d].

        Args:
          seed: of the first example; the next ones take the next seeds.
          n: how many.
          seeds: the seed of every example, instead.
          classes: label of every example, or the name of its class, for a conditional generator; one alone is that of
            all, None runs through them all.

        Raises:
          InputError: for classes that do not fit.
        """
        if seeds is None:
            for name, value in (("seed", seed), ("n", n)):
                if not isinstance(value, int | np.integer) or value < (name == "n"):
                    least = "whole number of at least 1" if name == "n" else "whole number from 0 on"
                    raise InputError(f"{name}: expected a {least}, got {value!r}")
            seeds = range(int(seed), int(seed) + int(n))
        seeds = list(seeds)
        if not seeds:
            raise InputError("seeds: expected at least one, got none")
        labels = None
        if classes is not None:
            if isinstance(classes, str | int | np.integer):  # one for all
                classes = [classes] * len(seeds)
            names = self.data["class_names"]
            numbers = [class_index(c, names) if isinstance(c, str) else c for c in classes]
            if any(int(number) != number for number in numbers):
                raise InputError(f"classes: expected whole numbers or names, got {list(classes)}")
            labels = np.asarray(numbers, np.int32)
        if labels is not None and len(labels) != len(seeds):
            raise InputError(f"classes: expected one for each of {len(seeds)} examples, got {len(labels)}")
        return self.sampler.by_seed(self.variables, seeds, labels)

    def apply(
        self,
        images: Any,
        direction: str | None = None,
        *,
        masks: Any = None,
        classes: Sequence[int | str] | int | str | None = None,
        tile: int | None = None,
        overlap: int | None = None,
    ) -> Any:
        """Images of any size restored or translated, for a run of such a game.

        Args:
          images: one uint8 or uint16 array [h, w] or [h, w, c], several [n, h, w, c], or a list of arrays.
          direction: such as "a-to-b"; None: the first that the run has.
          masks: for a run that fills: as many [h, w], not 0 where an image is lost; None: where it is transparent.
          classes: for a conditional run: class of every image, by number or name; one alone is that of all.
          tile: side of the tiles in which images go through the networks; None: as `Applied` says.
          overlap: of the tiles, in pixels.

        Returns:
          What was made, in the types of the images: an array for an array, a list for a list.

        Raises:
          InputError: for a run that does not translate, images that are none, or classes that do not fit.
        """
        applied = Applied(self, direction, tile=tile, overlap=overlap)
        single = not isinstance(images, list | tuple) and np.ndim(images) != 4
        several = [images] if single else list(images)
        if not several and not isinstance(images, list | tuple):
            raise InputError(f"images: expected at least one, got an array of shape {np.shape(images)}")
        own = [masks] if single or masks is None else list(masks)
        own = own * len(several) if masks is None else own
        if len(own) != len(several):
            raise InputError(f"masks: expected one for each of {len(several)} images, got {len(own)}")
        told: Any = classes.tolist() if isinstance(classes, np.ndarray | np.generic | jax.Array) else classes
        one = isinstance(told, str | bytes) or not isinstance(told, Iterable)
        of: list[Any] = [told] * len(several) if one else list(told)
        if len(of) != len(several):
            raise InputError(f"classes: expected one for each of {len(several)} images, got {len(of)}")
        made = [
            applied(np.asarray(x), None if m is None else np.asarray(m), c)
            for x, m, c in zip(several, own, of, strict=True)
        ]
        return made[0] if single else made if isinstance(images, list | tuple) else np.stack(made)


def _sampled_as(config: Config) -> Config:
    """The configuration, with another loss in the place of an object that is gone: samples need none."""
    if not in_python.is_given(config.loss) or in_python.is_kept(config.loss):
        return config
    return dataclasses.replace(config, loss="non_saturating", loss_options=(), label_smoothing=0.0)


def spec_of(facts: Mapping[str, Any], config: Config) -> Spec:
    """The spec of a run's data, with the modality that their file gives them where it is one of the user's own.

    Args:
      facts: run.json.
      config: whose source is the run's copy of the file.

    Raises:
      InputError: if the file does not give the data any more.
    """
    spec = Spec.from_json(facts["data"])
    if not facts.get("own_modality", spec.modality.name not in MODALITIES) or not is_file(config.data.source):
        _check_modality(spec)
        return spec
    modality = load_source(config.data.source)().modality
    if modality.name != spec.modality.name:
        raise InputError(
            f"run: expected the modality {spec.modality.name!r} of {config.data.source!r}, got {modality.name!r}"
        )
    return dataclasses.replace(spec, modality=modality.within(spec.modality.bounded))


def saved_state(folder: RunFolder, step: int, placement: jax.sharding.Sharding | None = None) -> GameState:
    """The whole state of a checkpoint of a run, placed by one sharding; by default on the first device.

    Raises:
      InputError: if there is no such run or checkpoint, or it is damaged.
    """
    config = folder.config()
    spec = spec_of(folder.facts(), config)
    checkpoints = Checkpoints(folder.path, read_only=True)
    try:
        with buildable(folder):
            like = _like(config.build(spec), spec, placement)
        return checkpoints.restore(step, like)
    finally:
        checkpoints.close()


def saved_steps(folder: RunFolder) -> list[int]:
    """Steps of the checkpoints of a run, oldest first."""
    checkpoints = Checkpoints(folder.path, read_only=True)
    try:
        return checkpoints.steps()
    finally:
        checkpoints.close()


def _like(game: Game, spec: Spec, placement: jax.sharding.Sharding | None = None) -> GameState:
    return abstract(jax.eval_shape(lambda: init(game, jax.random.key(0), spec.batch())), placement)


def _check_modality(spec: Spec) -> None:
    """Raises InputError where examples cannot be of the modality that run.json names."""
    wrong = spec.modality is IMAGE and (
        len(spec.shape) != 3 or spec.shape[2] > 4 or spec.stored not in ("uint8", "uint16")
    )
    if wrong or (spec.modality is POINT and len(spec.shape) != 1):
        raise InputError(
            f"run: run.json is damaged: expected data.spec to be of {spec.modality.name}s, got {spec.shape}, "
            f"{spec.stored}"
        )


@contextlib.contextmanager
def buildable(folder: RunFolder) -> Iterator[None]:
    """Inside, what is raised while a game is made of a run's files is an InputError: their numbers may be anything."""
    try:
        yield
    except (InputError, OSError, MemoryError):
        raise
    except Exception as error:
        raise InputError(
            f"run: no game can be built of config.json and run.json of {str(folder.path)!r} "
            f"({type(error).__name__}: {first_line(error)})"
        ) from error


@contextlib.contextmanager
def found_again() -> Iterator[None]:
    """Inside, the error for data of a run that do not exist any more says how to name where they are now."""
    try:
        yield
    except InputError as error:
        if str(error).startswith("data.source: ") and str(error).endswith("which does not exist"):
            raise InputError(f"{error}; --data.source says where the data are now") from error
        raise


def _restore(folder: RunFolder, like: Any, which: str | int) -> tuple[Any, int]:
    checkpoints = Checkpoints(folder.path, read_only=True)
    try:
        steps = checkpoints.steps()
        if which == "last":
            damaged = []
            for step in reversed(steps):
                try:
                    state = checkpoints.restore(step, like)
                except InputError as error:
                    damaged.append(str(error))
                    continue
                for text in damaged:
                    warnings.warn(f"{text}; that of step {step} takes its place", stacklevel=4)
                return state, step
            reasons = "".join(f"; {text}" for text in damaged[:1])
            raise InputError(
                f"run: {str(folder.path)!r} has no checkpoint that can be read (found: {steps}){reasons}"
            )
        step = best_step(folder) if which == "best" else int(which)
        if step not in steps:
            raise InputError(f"checkpoint: expected one of {steps} in {str(folder.path)!r}, got {which!r}")
        return checkpoints.restore(step, like), step
    finally:
        checkpoints.close()


def changed_data(recorded: Mapping[str, Any], found: Mapping[str, Any], *, other: str = "") -> InputError:
    """The error for data that are not those which a run began with.

    Args:
      recorded: what run.json says of them.
      found: the same of what is there now, as of `jaxgan.data.describe`.
      other: what else differs.
    """
    n, now = recorded.get("n", 0), found["n"]
    then = f"{n:,} examples" if n else "endless"  # as of `describe`
    count = f"{then} then and now" if n == now else f"{then} then, {f'{now:,}' if now else 'endless'} now"
    prints = f"fingerprint {str(recorded['fingerprint'])[:12]}, now {found['fingerprint'][:12]}"
    return InputError(
        f"data.source: {found['name']!r} has changed since the run began: {count} ({prints}){other}; start a new "
        "run, or say where the old data are with --data.source"
    )


def best_step(folder: RunFolder) -> int | None:
    """Step of the best main score so far, as of `better_of`; None if nothing was scored."""
    best = None
    for record in folder.records():
        if record.get("score") is not None:
            error, name = record.get("score_error") or 0.0, record.get("score_name")
            best = better_of(best, record["step"], record["score"], error, name)
    return None if best is None else best["step"]
