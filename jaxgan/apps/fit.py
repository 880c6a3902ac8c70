"""Training from Python: arrays in, a run out, by the same loop as the command."""

from __future__ import annotations

import contextlib
import dataclasses
import io
import math
import os
import pathlib
import re
import signal
from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxgan.apps.used import UsedRun, load
from jaxgan.common.arrays import as_labels, as_pixels
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError, unknown
from jaxgan.common.files import written_atomically
from jaxgan.common.numerics import is_number
from jaxgan.common.user_files import OWN, is_file
from jaxgan.config.config import Config
from jaxgan.config.data import images_in, steps_for
from jaxgan.config.effects import check_effects
from jaxgan.config.fields import check_types, with_fields
from jaxgan.config.groups import DataConfig
from jaxgan.config.presets import DEFAULT_PRESET, get_preset
from jaxgan.config.presets.fitting import FOLDER_PRESET, preset_for
from jaxgan.config.recipes import RECIPES, Recipe
from jaxgan.data import Images, Source, as_images, fingerprint, open_source, other_split
from jaxgan.data.labels import parsed_labels
from jaxgan.data.rows import encoded
from jaxgan.data.sources import named
from jaxgan.data.splits import parsed_name
from jaxgan.losses import LOSSES, Loss, find_loss, in_python
from jaxgan.models import MODELS, find_model, model_name
from jaxgan.runs import environment
from jaxgan.train.run import train
from jaxgan.train.stops import Stopped

_SHORT = {f"{player}_lr": f"{player}_optimizer__learning_rate" for player in "gd"}
_SHORT |= {"resolution": "data__resolution"}
_LARGE = 48  # pixels a side, from which on arrays are what folders of images are


@contextlib.contextmanager
def _in_python() -> Iterator[None]:
    """Within, messages of bad input have the keywords of `fit` in the place of fields and flags of the command."""
    try:
        yield
    except InputError as error:
        text = _with_keywords(str(error))
        if text == str(error):
            raise
        raise type(error)(text) from error.__cause__


def _with_keywords(message: str) -> str:
    fields = {field.name: getattr(Config(), field.name) for field in dataclasses.fields(Config)}
    names = {"epochs", "lr", *_SHORT, *fields}

    def keyword(found: re.Match[str]) -> str:
        name = found[1].replace("-", "_").replace(".", "__")
        return f"{name}=" if name.split("__")[0] in names else found[0]

    message = re.sub(r"--([a-z][\w-]*(?:\.[a-z][\w-]*)*)( (?=\d))?", keyword, message)
    groups = {name: group for name, group in fields.items() if dataclasses.is_dataclass(group)}
    kinds = [("model", kind) for kind in MODELS.values()] + list(groups.items())
    leaves = [f"{name}.{leaf.name}" for name, kind in kinds for leaf in dataclasses.fields(kind)]
    known = "|".join(map(re.escape, leaves))
    if message.startswith("unknown field"):  # which may be any
        known = "|".join(rf"{name}\.\w+" for name in groups)
    return re.sub(rf"(?<![\w./-])(?:{known})\b(?:\.\w+)*", lambda found: found[0].replace(".", "__"), message)


@_in_python()
def fit(
    images: Any,
    steps: int | None = None,
    *,
    loss: str | Loss | None = None,
    labels: Any = None,
    preset: str | None = None,
    model: Any = None,
    resolution: int | None = None,
    lr: float | None = None,
    epochs: float | None = None,
    seed: int = 0,
    out: str | os.PathLike[str] = "runs",
    verbose: bool = True,
    **fields: Any,
) -> UsedRun:
    """Trains a GAN on arrays, as `jaxgan train` does, and returns the run.

    The run is a folder in `out`, with checkpoints, samples, scores and a report, like every other; the pixels are kept
    in `out`/data, so that the commands `resume` and `evaluate` find them.

    Args:
      images: [n, height, width, 1 to 4 channels] or [n, height, width], of 8 or 16 bits, or real numbers in [0, 1],
        [-1, 1] or [0, 255]; or a source by name, such as "mnist" or "folder:PATH"; or a `jaxgan.data.Source` of images,
        which keeps its other split.
      steps: generator updates; None: the preset's.
      loss: its name, that of a recipe such as "wgan-gp", which brings what belongs to it, FILE.py:NAME, or a
        `jaxgan.Loss` of your own. The latter lives in this process: other processes open and sample the run, but do
        not resume it.
      labels: whole numbers [n] from 0 on, or names of classes; the networks are then conditional.
      preset: that settings are taken from, for arrays without size and channels; None: that which `jaxgan train` takes
        for a source by name; for arrays `dcgan-mnist` or, from 48 pixels a side on, `small-64`, which mirrors images
        at random (data__flip=False: not).
      model: other networks: "mlp", "dcgan", FILE.py:NAME, or a configuration such as `jaxgan.models.MLPConfig()`.
      resolution: scale and centre-crop to so many pixels a side; None: arrays as they are, others as the preset says.
      lr: learning rate of both players.
      epochs: passes over the data, instead of `steps`.
      seed: of weights, data order and noise.
      out: folder in which the run makes its own.
      verbose: whether progress is printed.
      fields: any other field of `jaxgan.config.Config`; two underscores lead into a group, as in
        g_optimizer__learning_rate=1e-4, which g_lr stands for as well (and d_lr).

    Returns:
      The run, at its last step: `.sample()`, `.plot()`, `.evaluate()`, `.save()`, `.history`.

    Raises:
      InputError: for arrays or settings that cannot be trained on, in one line.
      KeyboardInterrupt: after Ctrl-C; the run is saved, and the message says where.
      Diverged, SaveError: as `jaxgan.train.run.train`.
    """
    out = pathlib.Path(out).expanduser()
    epochs, steps = _plain(epochs), _plain(steps)
    if epochs is not None and (steps is not None or not (_is_finite(epochs) and epochs > 0)):
        got = f"{epochs!r} beside steps={steps!r}" if steps is not None else repr(epochs)
        raise InputError(f"epochs: expected a positive number, and no steps beside it, got {got}")
    fields = _spelled_out(fields, lr=lr, resolution=resolution)
    pixels = None if isinstance(images, str | pathlib.Path) else _pixels(images)
    preset = preset or _fitting(images, pixels, fields.get(_SHORT["resolution"]))
    config = _configured(fields, preset=preset, steps=steps, loss=loss, model=model, seed=seed)
    if verbose and (recipe := _recipe(loss)) is not None:
        print(f"loss {loss}: {recipe.said(config)}")
    if pixels is None:
        images = str(images)
        if labels is not None:
            raise InputError(
                f"labels: expected none with a source by name, which has its own, got some with {images!r}"
            )
        if "data__source" in fields:
            raise InputError(f"data__source: expected none beside images={images!r}, which is the source")
        config = with_fields(config, **{"data.source": images})
    else:
        config = _with_arrays(config, images, pixels, labels, out, fields)
        small = {
            name: min(getattr(config, name), max(1000, _count(images))) for name in ("quick_n", "final_n")
        }
        config = dataclasses.replace(config, **{name: n for name, n in small.items() if name not in fields})
    if epochs is not None:
        config = dataclasses.replace(config, steps=steps_for(config, images_in(config, epochs)))
    silence = contextlib.nullcontext() if verbose else contextlib.redirect_stdout(io.StringIO())
    try:
        with environment.settings_kept(), silence:
            environment.start()
            folder = train(dataclasses.replace(config, out=str(out)), ["jaxgan.fit"])
            return load(folder.path, trust=True)
    except Stopped as stopped:
        if stopped.signum != signal.SIGINT:
            raise
        path = str(stopped.folder.path)
        raise KeyboardInterrupt(f"{stopped}, and saved: jaxgan.load({path!r}) opens it") from None


def _is_finite(value: Any) -> bool:
    return is_number(value) and not isinstance(value, bool) and math.isfinite(value)


def _plain(value: Any) -> Any:
    """A number of Python's in the place of one of NumPy's."""
    return value.item() if isinstance(value, np.generic) else value


def _spelled_out(fields: dict[str, Any], **also: Any) -> dict[str, Any]:
    """The fields of the configuration under their own names, groups as a whole first.

    Args:
      fields: as they were given.
      also: what has a keyword of its own in `fit`; None where it was not given.
    """
    given = fields | {name: value for name, value in also.items() if value is not None}
    given = {name: _plain(value) for name, value in given.items()}
    for name in ("lr", "g_lr", "d_lr"):
        if name in given and not (_is_finite(given[name]) and given[name] > 0):
            raise InputError(f"{name}: expected a positive number, got {given[name]!r}")
    for short, name in _SHORT.items():
        if {short, name} <= given.keys():
            raise InputError(f"{short}: expected none beside {name}, which it stands for")
    rates = dict.fromkeys((_SHORT["g_lr"], _SHORT["d_lr"]), given.pop("lr")) if "lr" in given else {}
    given = rates | {_SHORT.get(name, name): value for name, value in given.items()}
    return dict(sorted(given.items(), key=lambda item: "__" in item[0]))


def _configured(
    fields: dict[str, Any],
    *,
    preset: str,
    steps: int | None,
    loss: str | Loss | None,
    model: Any,
    seed: int,
) -> Config:
    """The preset, changed."""
    config = get_preset(preset)
    if model is not None:
        config = dataclasses.replace(config, model=find_model(model)() if isinstance(model, str) else model)
        model_name(type(config.model))  # raises for what a run could not find again
    if loss is not None:
        if not isinstance(loss, str | Loss):
            hint = "; call it: loss=LOSSES[...]()" if callable(loss) else ""
            raise InputError(f"loss: expected a name or a jaxgan.Loss, got a {type(loss).__name__}{hint}")
        if (recipe := _recipe(loss)) is not None:
            networks = config.model
            config = recipe.applied(config)
            if model is not None and not isinstance(model, str):  # which was chosen with all of its fields
                config = dataclasses.replace(config, model=networks)
        else:
            name = in_python.keep(loss) if isinstance(loss, Loss) else loss
            if isinstance(loss, str) and loss not in LOSSES and not is_file(loss):
                raise unknown("loss", loss, [*LOSSES, *RECIPES, OWN])
            find_loss(name)  # raises for an unusable one before any work
            config = dataclasses.replace(config, loss=name, loss_options=())
    if steps is not None:
        if not _is_finite(steps) or int(steps) != steps:
            raise InputError(f"steps: expected a whole number, got {steps!r}")
        config = dataclasses.replace(config, steps=int(steps))
    config = _changed(config, {"seed": _plain(seed)} | fields)
    check_types(config)
    if not is_file(config.game):
        check_effects(config, [name.replace("__", ".") for name in fields])
    check_range("data.resolution", config.data.resolution, at_least=1)
    return config


def _recipe(loss: str | Loss | None) -> Recipe | None:
    """The recipe of that name; None for a loss by itself."""
    if not isinstance(loss, str) or loss in LOSSES:
        return None
    return RECIPES.get(loss.lower().replace("_", "-"))


def _changed(config: Config, fields: dict[str, Any]) -> Config:
    return with_fields(config, **{name.replace("__", "."): value for name, value in fields.items()})


def _count(images: Any) -> int:
    return (images.n or 0) if isinstance(images, Source) else len(images)


def _pixels(images: Any) -> np.ndarray:
    if not isinstance(images, Source):
        return as_pixels(images)
    pixels = as_images(images, "images").images
    if encoded(pixels):
        raise InputError(
            f"images: expected images that are decoded, got {images.name!r}, which is streamed; give its name instead"
        )
    return as_pixels(pixels)


def _fitting(images: Any, pixels: np.ndarray | None, resolution: Any) -> str:
    """The preset for a source by name, which has no `pixels` here, or for these, of that resolution if it is given."""
    if pixels is None:
        return preset_for(named(str(images)))
    side = resolution if _is_finite(resolution) else max(pixels.shape[1:3])
    return FOLDER_PRESET if side >= _LARGE else DEFAULT_PRESET


def _with_arrays(
    config: Config,
    images: Any,
    pixels: np.ndarray,
    labels: Any,
    out: pathlib.Path,
    fields: dict[str, Any],
) -> Config:
    """The configuration, which has these fields, for arrays, whose pixels are written where it says."""
    if taken := [name for name in ("data", "data__source", "data__split") if name in fields]:
        raise InputError(f"{taken[0]}: expected none with arrays, got {fields[taken[0]]!r}")
    given = {name.removeprefix("data__"): x for name, x in fields.items() if name.startswith("data__")}
    resolution = given.pop("resolution", None)
    asked, names, data, other = labels is not None, None, None, None
    if isinstance(images, Source):
        source = as_images(images, "images")
        if not asked:
            data, other = _by_name(source), other_split(source)
            if source.labels is not None:
                labels, names = source.labels, source.class_names
        elif (held := other_split(source)) is not None:  # whose labels would be of other classes
            other = dataclasses.replace(held, labels=None, class_names=())
    if asked and (texts := _texts(labels)) is not None and texts.size == len(pixels):
        labels, names = parsed_labels("labels", texts, len(pixels))
    numbers = None if labels is None else as_labels(labels, len(pixels))
    if numbers is not None:
        takes = "conditional" in {field.name for field in dataclasses.fields(config.model)}
        if takes:
            config = dataclasses.replace(config, model=dataclasses.replace(config.model, conditional=True))
        elif asked and not config.model.conditional:
            raise InputError(
                f"labels: expected none with {model_name(type(config.model))!r} networks, which take none; leave "
                "labels out, or take model='dcgan'"
            )
    if data is None:
        named = names is not None and any(name != str(i) for i, name in enumerate(names))
        if named:
            numbers = np.asarray(names)[numbers]  # the file keeps what the classes are called
        data = DataConfig(_kept(out, _arrays(pixels, numbers) | _held_out(other, numbers, named)))
    if resolution is not None:
        data = dataclasses.replace(data, resolution=resolution)
    own = {name: getattr(config.data, name) for name in ("flip", "degrade", "degrade_options", "crop")}
    data = dataclasses.replace(data, **own)
    return dataclasses.replace(config, data=dataclasses.replace(data, **given))


def _texts(labels: Any) -> np.ndarray | None:
    """Labels that are names, as NumPy's texts; None for others."""
    array = np.asarray(labels)
    if array.dtype.kind in "OT" and all(isinstance(label, str) for label in array.flat):
        return array.astype(np.str_)
    return array if array.dtype.kind in "US" else None


def _by_name(source: Images) -> DataConfig | None:
    """Where the package itself finds just these images with their splits and features; None where it does not."""
    kind, base, split = parsed_name(source.name)
    if kind not in ("mnist", "stacked_mnist", "tfds") or not split:
        return None
    name = f"{kind}:{base}" if base else kind
    for size in (source.opened_with, {}):
        with contextlib.suppress(InputError):
            if open_source(name, split, **size).fingerprint == source.fingerprint:
                return DataConfig(name, split, **size)
    return None


def _held_out(other: Images | None, labels: np.ndarray | None, named: bool) -> dict[str, Any]:
    """The arrays of a source's other split, beside `labels` of its own."""
    if other is None:
        return {}
    theirs = None if labels is None or other.labels is None else other.labels
    if theirs is not None and named:
        theirs = np.asarray(other.class_names)[theirs]
    return {f"held_out_{name}": array for name, array in _arrays(as_pixels(other.images), theirs).items()}


def _kept(out: pathlib.Path, arrays: dict[str, Any]) -> str:
    """The name of a source in `out` with these arrays, which are written there if they are not yet."""
    path = out / "data" / f"{fingerprint(*arrays.values())[:16]}.npz"
    if not path.exists():
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            written_atomically(path, lambda file: np.savez(file, **arrays))
        except OSError as error:
            raise InputError(f"out: cannot write in {str(out)!r}: {error}") from error
    return f"npz:{path.resolve()}"


def _arrays(images: np.ndarray, labels: np.ndarray | None) -> dict[str, Any]:
    return {"images": images} | ({} if labels is None else {"labels": labels})
