"""Files of the user's own, tried before a run begins: what is wrong with them is one line that names them."""

from __future__ import annotations

import pathlib
import traceback
from collections.abc import Collection

import jax

from jaxgan.common.checking.laws import first_line
from jaxgan.common.errors import InputError
from jaxgan.common.user_files import split
from jaxgan.config.looked_at import first_step
from jaxgan.config.own_files import own_files
from jaxgan.data.spec import LABEL
from jaxgan.metrics.restoration import compared_with
from jaxgan.train.batch_parts import check_parts
from jaxgan.train.members import Members


def tried(members: Members, *, weights: bool = True) -> None:
    """Traces a step where files of the user's own take part, without computing it, and gets weights trained before.

    Networks that hold weights trained before have a method `prepare()`, which gets them.

    Args:
      members: of the run.
      weights: whether such weights are got.

    Raises:
      InputError: in one line that names the file, for whatever is raised while it is traced; for such weights that
        cannot be had; for parts of a batch that cannot be; for held-out images without the labels that are needed.
    """
    check_parts(members)
    _check_labels(members)
    for player in members.game.players.values() if weights else ():
        getattr(player.module, "prepare", lambda: None)()
    names = own_files(members.config)
    if not names:
        return
    try:
        jax.eval_shape(lambda: first_step(members.config, members.game, members.source.spec))
    except Exception as error:  # whatever code of the user's raises
        raise _told(names, error) from error


def _check_labels(members: Members) -> None:
    """Raises InputError for held-out examples without the classes that the game's translations are told."""
    told = any(own.conditional for own in members.game.translations.values())
    if not told:
        return
    held_out = compared_with(members.source)
    if LABEL not in held_out.spec.arrays:
        raise InputError(
            f"model.conditional: expected class labels of the held-out images, too, got {held_out.name} without any; "
            "sort them into folders of the classes, take them away, or leave out --model.conditional"
        )


def _told(names: Collection[str], error: Exception) -> InputError:
    """The error with the place in the user's file that raised it; or else with all of the user's files."""
    paths = {split(name)[0].resolve(): name for name in names}
    frames = traceback.extract_tb(error.__traceback__)
    places = [
        (paths[path], frame) for frame in frames if (path := pathlib.Path(frame.filename).resolve()) in paths
    ]
    says = (
        first_line(error) if isinstance(error, InputError) else f"{type(error).__name__}: {first_line(error)}"
    )
    if places and not isinstance(error, InputError):
        name, frame = places[-1]
        return InputError(f"{split(name)[0]}, line {frame.lineno}, in {frame.name}: raised {says}")
    return InputError(f"{', '.join(dict.fromkeys(names))}: {says}")
