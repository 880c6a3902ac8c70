"""The data that a configuration names."""

from __future__ import annotations

import math
import os
from dataclasses import replace

import numpy as np

from jaxgan.common.errors import InputError
from jaxgan.common.user_files import is_file
from jaxgan.config.config import Config
from jaxgan.config.games import spec_for
from jaxgan.config.presets import find_preset
from jaxgan.data import Arrays, Images, Source, make_pipeline, open_source, other_split
from jaxgan.data.catalogue import prepared
from jaxgan.data.degrade.chain import chain_of
from jaxgan.data.degrade.source import degraded
from jaxgan.data.files import black, outline
from jaxgan.data.sources import named


def located(source: str) -> str:
    """The name of a source that is found from every working directory: paths absolute.

    A path alone is that of what lies there, as of `jaxgan.data.sources.named`.
    """
    kind, colon, path = named(source).partition(":")
    if kind in ("pairs", "domains"):
        return f"{kind}:{','.join(_located_part(part.strip(), kind) for part in path.split(','))}"
    if kind not in ("folder", "npz", "tar", "deep") or not path:
        return source
    return f"{kind}{colon}{os.path.abspath(os.path.expanduser(path))}"


def _located_part(part: str, kind: str) -> str:
    """One of two sources: a path is absolute; of pairs all are paths."""
    if kind == "pairs":
        return os.path.abspath(os.path.expanduser(part.removeprefix("folder:")))
    return located(part)


def without_path(source: str) -> str:
    """The name of a source as others may read it: of each path the last part alone."""
    kind, _, path = source.partition(":")
    if kind in ("pairs", "domains"):
        names = (without_path(part if ":" in part else f"folder:{part}") for part in path.split(","))
        return f"{kind}:{','.join(names)}"
    return (
        f"{kind}:{os.path.basename(path.rstrip('/'))}"
        if kind in ("folder", "npz", "tar", "deep") and path
        else source
    )


def steps_for(config: Config, images: float) -> int:
    """Steps in which the discriminator sees so many images; rounded up to tens, which one program can make."""
    steps = max(1, math.ceil(images / (config.batch_size * config.d_steps) - 1e-9))
    return steps if steps < 100 else -(-steps // 10) * 10


def images_in(config: Config, epochs: float) -> float:
    """Images that are seen in so many passes over the data. Raises InputError for data without end."""
    source = open_data(config)
    if source.n is None:
        raise InputError(
            f"epochs: expected data of a known size, got {source.name!r}, which is sampled without end; say --steps"
        )
    return epochs * source.n


def as_trained_on(config: Config, source: Source) -> Source:
    """The data as the configuration's game has them: with what images are restored from, where that is named.

    Raises:
      InputError: for a degradation that does not exist, or does not go with the data.
    """
    chain = chain_of(config.data.degrade, config.data.degrade_options)
    if chain is None:
        if config.data.crop is not None:
            raise InputError(f"data.crop: expected data.degrade beside it, got {config.data.crop} alone")
        return source
    if source.held_out is None and isinstance(source, Images) and (other := other_split(source)) is not None:
        source = replace(source, held_out=other)
    return degraded(source, chain, config.data.crop)


def outlined(config: Config) -> Source | None:
    """A stand-in for the data of a configuration, of their number, size and classes, where opening them takes time.

    None where it takes none, or where they must be opened to tell.
    """
    data = config.data
    if data.keep_classes:  # how many examples that leaves is known when they are opened
        return None
    found = outline(
        named(data.source),
        data.split,
        resolution=data.resolution,
        channels=data.channels,
        follow_links=data.follow_links,
        hold_out=data.hold_out,
        share=data.share,
    )
    return None if found is None else as_trained_on(config, found)


def lacking(config: Config) -> str:
    """In words, why there are no data yet: none are named, or the preset's own are not prepared; "" if there are."""
    source, own = config.data.source, find_preset(config.preset).build().data.source
    if not source:
        return "none named yet (--data.source)"
    kind, _, name = source.partition(":")
    if kind != "tfds" or source != own or prepared(name) is not None:
        return ""
    return f"{source}, not prepared yet (jaxgan data prepare {name})"


def as_meant(config: Config) -> Source | None:
    """A stand-in for the data: as many images as a step takes, such as the preset is meant for; None for points."""
    preset, data = find_preset(config.preset), config.data
    if len(preset.shape) != 3:
        return None
    height, width, channels = preset.shape
    shape = data.resolution or height, data.resolution or width, data.channels or channels
    images = black("", config.batch_size, shape, [str(i) for i in range(preset.n_classes)])
    spec = spec_for(config, shape)
    if config.data.degrade or spec.modality.name == images.modality.name:
        return as_trained_on(config, images)
    arrays = {name: np.zeros((config.batch_size, *x.shape), np.uint8) for name, x in spec.arrays.items()}
    return Arrays("", arrays, spec.modality, example=spec.example)


def open_data(config: Config) -> Source:
    """Opens the data of a configuration. Raises InputError if it names none, or if nothing can be trained on it."""
    if not config.data.source:
        raise InputError(
            f"data.source: preset {config.preset!r} needs one: --data.source folder:PATH or tfds:NAME"
        )
    source = open_source(
        config.data.source,
        config.data.split,
        resolution=config.data.resolution,
        channels=config.data.channels,
        skip_broken=config.data.skip_broken,
        follow_links=config.data.follow_links,
        hold_out=config.data.hold_out,
        keep_classes=config.data.keep_classes,
        share=config.data.share,
        pipeline=config.data.pipeline,
    )
    if source.n is not None and source.n < 2:
        raise InputError(
            f"data.source: expected at least 2 {source.modality.name}s in {source.name!r}, got {source.n}"
        )
    return as_trained_on(config, source)


def open_fitting(config: Config) -> Source:
    """Opens the data of a configuration; where that takes time, refuses before what is known not to go with them.

    Raises:
      InputError: as `open_data` and `Config.build`, and for batches larger than the data.
    """
    told = None if is_file(config.game) else outlined(config)
    if told is not None:
        config.build(told.spec)
        most = sum(part.n or 0 for part in (told.complete or told, told.held_out) if part is not None)
        if config.batch_size > most:
            make_pipeline(told, batch_size=config.batch_size)  # raises
    return open_data(config)
