"""What a command line of `jaxgan train` asks for."""

from __future__ import annotations

import dataclasses
import inspect
import itertools
import math
import pathlib
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from typing import Any

from jaxgan.cli.arguments import parse
from jaxgan.cli.words.choice import chosen, is_choice
from jaxgan.cli.words.flags import Flag, Said, flags_of, joined, scan
from jaxgan.cli.words.help import first_page
from jaxgan.cli.words.processes import Processes
from jaxgan.cli.words.settings import as_arguments, read_settings
from jaxgan.common.errors import InputError, unknown
from jaxgan.common.user_files import OWN, is_file
from jaxgan.config.config import Config
from jaxgan.config.data import images_in, steps_for
from jaxgan.config.effects import check_effects
from jaxgan.config.fields import with_fields
from jaxgan.config.moves import PenaltyConfig
from jaxgan.config.presets import CLASSIC, DEFAULT_PRESET, PRESETS, get_preset
from jaxgan.config.presets.fitting import preset_for
from jaxgan.config.recipes import RECIPES, inherited
from jaxgan.data.degrade.chain import options_for
from jaxgan.data.sources import named
from jaxgan.losses import LOSSES
from jaxgan.models import MODELS, find_model

_COMMAND = "jaxgan train"
_HELP = ("-h", "--help", "--help-all")
# which are no settings of a run
_OUTSIDE = ("--config", "--dry-run", "--compile", "--seeds", "--trust", *flags_of(Processes))
_RATES = {"--g-optimizer.learning-rate": "--g-lr", "--d-optimizer.learning-rate": "--d-lr"}
_LENGTHS = ("--steps", "--epochs", "--kimg")


@dataclass(frozen=True)
class Plan:
    """What is to be done.

    Attributes:
      config: of the run.
      command: as it was typed, with the preset.
      seeds: how many side by side; None: one run.
      dry_run: whether nothing is to be trained.
      compile: whether the dry run compiles.
      name: of the run; None: the preset's.
      together: the processes that do it.
      given: names of the flags that were typed.
      notes: what is to be said first.
    """

    config: Config
    command: list[str]
    seeds: int | None = None
    _: KW_ONLY
    dry_run: bool = False
    compile: bool = False
    name: str | None = None
    together: Processes = field(default_factory=Processes)
    given: frozenset[str] = frozenset()
    notes: list[str] = field(default_factory=list)


def planned(args: Sequence[str], kind: type[Any]) -> Plan:
    """What the arguments ask for.

    Settings come from the preset, the file of --config, the data that are named by a word, the family of --model, the
    recipe of --loss and the flags; the later go before the earlier.

    Args:
      args: what follows `jaxgan train`.
      kind: the dataclass of the flags: the configuration, called "settings", and what stands beside it.

    Raises:
      InputError: in one line, for arguments that cannot be.
      SystemExit: with status 0, after help.
    """
    flags = _all_flags(kind, args)
    said = scan(args, flags, _COMMAND, alone=is_choice, near=_flags_near(kind, args))
    words = [word for part in said if part.flag is None for word in part.words]
    wants = [word for word in words if word in _HELP]
    preset, source = chosen([word for word in words if word not in _HELP])
    if wants:
        _print_help(kind, preset or (source and preset_for(source)) or DEFAULT_PRESET, args, wants)
        raise SystemExit(0)
    files = [part.words[0] for part in said if part.name == "--config" and part.words]
    if len(files) > 1:
        raise InputError(f"config: expected one file, got {' and '.join(files)}")
    file = files[0] if files else None
    trust = any(part.name == "--trust" and not part.words for part in said)
    if trust and file is None:
        raise InputError("trust: expected --config beside --trust, got none")
    plain = {} if file is None else read_settings(pathlib.Path(file), trust=trust)
    degrade = [word for part in said if part.name == "--data.degrade" for word in part.words]
    restores = (
        _restoring(source, said, degrade) if degrade and preset is None and not plain.get("preset") else None
    )
    preset, notes = _preset_of(preset or restores, source, plain, file)
    notes += [f"preset: {restores}, which restores images; name another one to change it"] if restores else []
    config = get_preset(preset)
    rest = [part for part in said if part.flag is not None]
    if file is not None:
        plain, length = _without_length(plain, file)
        config = _with_file(kind, config, plain, flags, file, notes)
        if not set(_LENGTHS) & _names(
            rest
        ):  # of the batch and data that there will be, which flags may change
            rest += scan(as_arguments(length, flags, f"'{file}'"), flags, _COMMAND)
    if source is not None:
        config = with_fields(config, **{"data.source": source})
    parsed = _staged(kind, config, rest, notes)
    bare = not words and file is None
    command = ["jaxgan", "train", *([preset] if bare else []), *args]
    if source is not None and "--data.source" in _names(rest):
        raise InputError(f"data: given twice, as {source!r} and as --data.source")
    if not is_file(parsed.settings.game):
        check_effects(parsed.settings, sorted(_dotted(flag) for flag in _names(rest)))
    flags = {flag: getattr(parsed, flag) for flag in ("seeds", "dry_run", "compile", "name", "together")}
    return Plan(parsed.settings, command, **flags, given=_names(rest), notes=notes)


def _restoring(source: str | None, said: Sequence[Said], degrade: Sequence[str]) -> str:
    """The preset for data that are to be restored, where none is named."""
    typed = [part.words[0] for part in said if part.name == "--data.source" and part.words]
    return preset_for(named(typed[-1]) if typed else source or "", degrade)


def with_model(config: Config, args: Sequence[str]) -> Config:
    """The configuration with networks of the family that the arguments ask for: `--model NAME`.

    This is settled before the arguments are parsed, as each family has its own flags `--model.*`. The networks
    stay as they are if they are of this family already; otherwise the family's defaults take their place.

    Raises:
      InputError: for a family that does not exist.
    """
    names = _values(args, "--model")
    if not names:
        return config
    family = find_model(names[-1])
    return config if type(config.model) is family else dataclasses.replace(config, model=family())


def _values(args: Sequence[str], flag: str) -> list[str]:
    """All values of a flag, in order."""
    found: list[str] = []
    for word, after in itertools.pairwise([*args, ""]):
        if word == flag and after and not after.startswith("--"):
            found.append(after)
        elif word.startswith(f"{flag}="):
            found.append(word.removeprefix(f"{flag}="))
    return found


def _all_flags(kind: type[Any], args: Sequence[str]) -> dict[str, Flag]:
    """The flags of all families of networks, as it is not known yet which one it is; one takes the words of all."""
    flags = flags_of(kind, kind(get_preset(DEFAULT_PRESET)))
    own = [find_model(name) for name in _values(args, "--model") if is_file(name)]
    for family in [*MODELS.values(), *own]:
        for name, flag in flags_of(family, prefix="model.").items():
            others = flags.get(name, flag).choices
            choices = dict.fromkeys((*others, *flag.choices)) if others and flag.choices else ()
            flags[name] = dataclasses.replace(flag, choices=tuple(choices))
    return flags


def _flags_near(kind: type[Any], args: Sequence[str]) -> dict[str, Flag] | None:
    """The flags of the preset and family that the arguments name; None where a file may name others."""
    if _values(args, "--config"):
        return None
    preset = next((word for word in args if word in PRESETS), DEFAULT_PRESET)
    return flags_of(kind, kind(with_model(get_preset(preset), args)))


def _names(said: Sequence[Said]) -> frozenset[str]:
    return frozenset(part.flag.name for part in said if part.flag is not None)


def _dotted(flag: str) -> str:
    """The setting of a flag: "--penalty.every-of" is penalty.every_of."""
    return flag.removeprefix("--").replace("-", "_")


def _print_help(kind: type[Any], preset: str, args: Sequence[str], wants: Collection[str]) -> None:
    config = with_model(get_preset(preset), args)
    if "--help-all" in wants:
        parse(kind, ["--help"], "train", kind(config))
    summaries = {name: preset.summary for name, preset in CLASSIC.items()}
    others = sorted({name.partition("-")[0] for name in PRESETS if name not in CLASSIC})
    width = min(max(shutil.get_terminal_size().columns, 60), 110)
    about, flags = inspect.cleandoc(kind.__doc__ or ""), flags_of(kind, kind(config))
    print(first_page(about, summaries, others, preset, flags, list(RECIPES), width))


def _preset_of(
    preset: str | None, source: str | None, plain: Mapping[str, Any], file: str | None
) -> tuple[str, list[str]]:
    """The preset to start from, and what is to be said of it."""
    own = plain.get("preset")
    if own is not None and preset is not None and own != preset:
        raise InputError(
            f"config: '{file}' is of the preset {own!r}, and {preset!r} is named: name one of them"
        )
    if preset is None and own is None and source is not None:
        preset = preset_for(source)
        return preset, [f"preset: {preset}, which fits {source}; name another one to change it"]
    return str(preset or own or DEFAULT_PRESET), []


def _without_length(plain: Mapping[str, Any], file: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Settings of a file without a length in epochs or images, and that length."""
    given = [name for name in ("steps", "epochs", "kimg") if plain.get(name) is not None]
    if len(given) > 1:
        raise InputError(f"config: '{file}': expected one of steps, epochs, kimg, got {' and '.join(given)}")
    length = {name: plain[name] for name in given if name != "steps"}
    return {name: value for name, value in plain.items() if name not in ("epochs", "kimg")}, length


def _with_file(
    kind: type[Any],
    config: Config,
    plain: Mapping[str, Any],
    flags: Mapping[str, Flag],
    file: str,
    notes: list[str],
) -> Config:
    known = {name: flag for name, flag in flags.items() if name not in _OUTSIDE}
    settings = {name: value for name, value in plain.items() if name != "preset"}
    model = settings.get("model")
    name = model.get("name") if isinstance(model, Mapping) else model
    if isinstance(name, str) and is_file(name):
        known |= flags_of(find_model(name), prefix="model.")
    args = as_arguments(settings, known, f"'{file}'")
    try:
        return _staged(kind, config, scan(args, known, _COMMAND), notes, whole=True).settings
    except InputError as error:
        raise InputError(f"config: '{file}': {error}") from error


def _staged(
    kind: type[Any], config: Config, said: Sequence[Said], notes: list[str], *, whole: bool = False
) -> Any:
    """The flags parsed over a configuration, and what they imply put into it.

    Options of a game or a degradation that are typed take the place of those of their names; the others stay, unless
    `whole` says that all are told, as in the file of a run.
    """
    args = joined(said)
    config = with_model(config, args)
    name = next((part.words[0] for part in reversed(said) if part.name == "--loss" and part.words), None)
    if name is not None and (recipe := RECIPES.get(name.lower().replace("_", "-"))) and name not in LOSSES:
        config = recipe.applied(config)
        notes.append(f"loss {name}: {recipe.said(config)}")
        args = joined(
            [part._replace(words=[recipe.loss]) if part.name == "--loss" else part for part in said]
        )
    elif name is not None and name not in LOSSES and not is_file(name):
        raise unknown("loss", name, [*LOSSES, *RECIPES, OWN])
    parsed, given = parse(kind, args, "train", kind(config)), _names(said)
    after = _with_length(_with_rates(parsed, given), parsed, given)
    after = with_fields(after, **{"data.source": named(after.data.source)})
    after = _with_options(config, after, given, whole)
    if "--penalty.weights" in given:
        notes += _penalties_inherited(config.penalty, after.penalty, given)
    return dataclasses.replace(parsed, settings=after)


def _with_options(before: Config, after: Config, given: Collection[str], whole: bool) -> Config:
    """The configuration `after`, whose options of game and degradations stand over those of `before` that still fit."""
    degrade, data, same_game = after.data.degrade, before.data, after.game == before.game
    fitting = data.degrade_options if degrade == data.degrade else options_for(degrade, data.degrade_options)
    for name, flag, old, now in (
        ("game_options", "--game-options", before.game_options if same_game else (), after.game_options),
        ("data.degrade_options", "--data.degrade-options", fitting, after.data.degrade_options),
    ):
        typed = now if flag in given else ()
        kept = () if whole and flag in given else tuple(pair for pair in old if pair[0] not in dict(typed))
        after = with_fields(after, **{name: (*kept, *typed)})
    return after


def _with_rates(parsed: Any, given: Collection[str]) -> Config:
    rates = {"--g-lr": parsed.g_lr, "--d-lr": parsed.d_lr}
    config: Config = parsed.settings
    for flag, short in _RATES.items():
        rate = parsed.lr if rates[short] is None else rates[short]
        if rates[short] is not None and flag in given:
            raise InputError(f"{short.removeprefix('--')}: given twice, as {short} and as {flag}")
        if rate is not None and flag not in given:
            config = with_fields(config, **{flag.removeprefix("--").replace("-", "_"): rate})
    return config


def _with_length(config: Config, parsed: Any, given: Collection[str]) -> Config:
    """The steps of a length in epochs or in thousands of images."""
    lengths = [flag for flag in _LENGTHS if flag in given]
    if len(lengths) > 1:
        raise InputError(f"steps: expected one of {', '.join(_LENGTHS)}, got {' and '.join(lengths)}")
    if parsed.kimg is not None:
        images = parsed.kimg * 1000
    elif parsed.epochs is not None:
        images = images_in(config, parsed.epochs)
    else:
        return config
    name = lengths[0].removeprefix("--")
    if not (math.isfinite(images) and images > 0):
        raise InputError(f"{name}: expected a positive number, got {getattr(parsed, name)}")
    return dataclasses.replace(config, steps=steps_for(config, images))


def _penalties_inherited(before: PenaltyConfig, after: PenaltyConfig, given: Collection[str]) -> list[str]:
    kept = {
        name: value
        for name, value in inherited(before, after).items()
        if f"--penalty.{name.replace('_', '-')}" not in given
    }
    if not kept:
        return []
    plain, names = PenaltyConfig(), ", ".join(dict(after.weights))
    said = ", ".join(f"{name} {value}" for name, value in kept.items())
    off = " ".join(f"--penalty.{name.replace('_', '-')} {getattr(plain, name)}" for name in kept)
    return [f"warning: {names}: the preset's penalty settings are kept ({said}); {off} undoes this"]
