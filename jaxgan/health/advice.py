"""What usually helps against what verdicts say, of which a run is told what it does not have yet."""

from __future__ import annotations

import itertools
import re
import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any, NamedTuple

from jaxgan.augment import AUGMENTATIONS
from jaxgan.losses import LOSSES
from jaxgan.penalties import PENALTIES

Settings = Mapping[str, Any]
"""A configuration as config.json keeps it; what is not in it is not known, and nothing is then in force."""


_OF_ANY_GAME = {"steps", "d_steps", "data"}
"""Fields that matter whatever the game is."""


class Hint(NamedTuple):
    """Something that may help.

    Attributes:
      text: for people; what stands in backquotes can be pasted after what the run was started with. "{steps}" is a
        longer run; penalties are those that come to what the run has.
      helps: settings -> whether it would change them for the better.
      reads: fields of the configuration that a game must look at, besides those of the flags in the text.
      when: the case in which it helps, for people; hints beside each other that share it are said together.
    """

    text: str
    helps: Callable[[Settings], bool] = lambda settings: True
    reads: tuple[str, ...] = ()
    when: str = ""

    def fits(self, unread: Collection[str] | None) -> bool:
        """Whether a game looks at what is changed.

        Args:
          unread: fields that it does not look at; None: not known, and only what matters to any game fits.
        """
        flags = re.findall(r"`--([a-z-]+)", self.text)
        fields = {*self.reads, *(flag.replace("-", "_") for flag in flags)}
        return fields <= _OF_ANY_GAME if unread is None else fields.isdisjoint(unread)


# --- what is in force ----------------------------------------------------------------------------------


def _group(settings: Settings, name: str) -> Settings:
    return settings.get(name) or {}


def _above(player: str, field: str, value: float) -> Callable[[Settings], bool]:
    """Whether a number of a player's optimiser is above `value`, and so may be lowered to it."""
    return lambda settings: _group(settings, f"{player}_optimizer").get(field, float("inf")) > value


def _weights(settings: Settings) -> dict[str, float]:
    """Of the penalties in force."""
    return dict(_group(settings, "penalty").get("weights", ()))


def _weaker(penalty: str, weight: float) -> Callable[[Settings], bool]:
    """Whether a penalty has a smaller weight, or none."""
    return lambda own: _weights(own).get(penalty, 0.0) < weight


def _free(settings: Settings) -> bool:
    """Whether nothing bounds the discriminator, and a penalty could: there are none, and no clipped weights or norm."""
    bounds = (
        _group(settings, "d_optimizer").get("clip_weights"),
        _group(settings, "model").get("d_spectral_norm"),
    )
    return not _weights(settings) and not any(bounds)


def _with_loss(name: str) -> Callable[[Settings], bool]:
    """Whether the loss is this one, as far as it is known."""
    return lambda settings: settings.get("loss", name) == name


def _packs(settings: Settings) -> bool:
    """Whether the discriminator sees images one by one, and could see several: of no classes and no more terms."""
    model = _group(settings, "model")
    terms = [term for name in _weights(settings) if name in PENALTIES for term in PENALTIES[name]()]
    alone = any(term and (term.needs_latents or term.needs_classes) for term in terms)
    several = _group(settings, "dynamics").get("pack", 1) > 1
    can = not model.get("conditional") and "reconstruction" not in model and not alone
    return settings.get("game", "gan") == "gan" and can and not several


def _adapts(settings: Settings) -> bool:
    """Whether nothing is augmented, and logits have a sign that augmentation may learn from."""
    loss = LOSSES.get(settings.get("loss", ""))
    signed = loss is None or loss().threshold is not None
    return signed and not settings.get("augment")


def _plain(settings: Settings) -> bool:
    """Whether the loss compares no logits of reals with logits of fakes, and no augmentation needs it to be so."""
    learns = [AUGMENTATIONS[name]().learn for name in settings.get("augment") or () if name in AUGMENTATIONS]
    return not (any(learns) or str(settings.get("loss", "")).startswith("relativistic"))


def _slow_generator(settings: Settings) -> bool:
    g, d = (_group(settings, f"{player}_optimizer").get("learning_rate") for player in "gd")
    return g is not None and d is not None and g < d


# --- hints ---------------------------------------------------------------------------------------------

_AT_REST = "if the scores no longer improve"
_LONGER = Hint("train longer if the scores still improve (`--steps {steps}`)")
_G_SLOWER = Hint(
    "lower the generator's learning rate (`--g-optimizer.learning-rate 1e-4`)",
    _above("g", "learning_rate", 1e-4),
)
_D_SLOWER = Hint(
    "lower the discriminator's learning rate (`--d-optimizer.learning-rate 1e-4`)",
    _above("d", "learning_rate", 1e-4),
)
_SLOWER = Hint(
    "lower the learning rate (`--g-optimizer.learning-rate 1e-4`)", _above("g", "learning_rate", 1e-4)
)
_G_CALMER = Hint("less momentum of the generator (`--g-optimizer.b1 0`)", _above("g", "b1", 0.0))
_D_CALMER = Hint("less momentum of the discriminator (`--d-optimizer.b1 0`)", _above("d", "b1", 0.0))
_PACK = Hint("let the discriminator see several images at once (`--dynamics.pack 2`)", _packs)
_KEPT = Hint("the best checkpoint is kept")
_R1 = Hint("smooth the discriminator with a penalty (`--penalty.weights r1 1`)", _weaker("r1", 1.0))

HINTS: Mapping[str, Sequence[Hint]] = {
    "mode collapse": (
        _G_SLOWER,
        Hint("raise the discriminator's learning rate", reads=("d_optimizer",)),
        _R1,
        Hint("try a relativistic loss (`--loss relativistic_paired`)", _plain),
        _PACK,
    ),
    "modes are missing": (
        _LONGER,
        _PACK,
        Hint("try a relativistic loss (`--loss relativistic_paired`)", _plain),
        Hint(
            "smooth the discriminator with two penalties (`--penalty.weights r1 0.1 r2 0.1`)",
            lambda own: _weaker("r1", 0.1)(own) or _weaker("r2", 0.1)(own),
        ),
    ),
    "not trained yet": (
        _LONGER,
        _G_SLOWER._replace(when=_AT_REST),
        _D_SLOWER._replace(when=_AT_REST),
    ),
    "discriminator overfits": (
        Hint("more data"),
        Hint("mirrored images (`--data.flip`)", lambda own: not _group(own, "data").get("flip")),
        Hint("augmentation (`--augment adaptive`)", _adapts),
        Hint("a stronger penalty (`--penalty.weights r1 10`)", _weaker("r1", 10.0)),
        Hint("the penalty `--penalty.weights lecam 0.3`", _weaker("lecam", 0.3)),
        Hint("a smaller discriminator", reads=("model",)),
        Hint("the best checkpoint instead of the last"),
    ),
    "generator starves": (
        _D_SLOWER,
        Hint(
            "fewer updates of the discriminator (`--d-steps 1`)",
            lambda settings: settings.get("d_steps", 2) > 1,
        ),
        Hint("a smaller discriminator", reads=("model",)),
        _R1,
        Hint("instead of minimax, `--loss non_saturating`", _with_loss("minimax")),
        Hint(
            "raise the generator's learning rate, which is below the discriminator's",
            _slow_generator,
            reads=("g_optimizer",),
        ),
    ),
    "diverging": (
        _G_SLOWER,
        _D_SLOWER,
        Hint(
            "bound the discriminator (`--penalty.weights gradient_penalty 10`), which a Wasserstein loss cannot do "
            "without",
            lambda settings: _free(settings) and _with_loss("wasserstein")(settings),
        ),
        Hint(
            "bound the discriminator (`--penalty.weights gradient_penalty 10`)",
            lambda settings: bool(settings) and _free(settings) and not _with_loss("wasserstein")(settings),
        ),
        _G_CALMER,
        _D_CALMER,
        _KEPT,
    ),
}
"""By the verdict."""

_WIDER = Hint(
    "try more coordinates of the latent (`--latent.dim 32`)",
    lambda own: _group(own, "latent").get("dim", 0) < 32,
)
HINTS_ALONE: Mapping[str, Sequence[Hint]] = {
    "mode collapse": (_SLOWER, _LONGER, _WIDER),
    "modes are missing": (_LONGER, _WIDER),
    "not trained yet": (
        _LONGER,
        _SLOWER._replace(when=_AT_REST),
    ),
    "diverging": (_SLOWER, Hint("less momentum (`--g-optimizer.b1 0`)", _above("g", "b1", 0.0)), _KEPT),
}
"""The same for games in which nobody tells reals from fakes, such as autoencoders."""


def _beside(weights: dict[str, float]) -> Callable[[re.Match[str]], str]:
    """Penalties of a hint with those in force, which the flag would take away; each has the larger of its weights."""

    def joined(found: re.Match[str]) -> str:
        words = found[1].split()
        new = dict(zip(words[::2], map(float, words[1::2]), strict=True))
        both = {name: max(new.get(name, 0.0), weights.get(name, 0.0)) for name in (weights | new)}
        told = " ".join(f"{shlex.quote(name)} {weight:g}" for name, weight in both.items())
        return f"`--penalty.weights {told}`"

    return joined


def advice_for(
    name: str, *, judged: bool = True, unread: Collection[str] | None = (), settings: Settings | None = None
) -> str:
    """What usually helps against what a verdict says, without what a run has already.

    Args:
      name: of the verdict.
      judged: whether the game has a discriminator.
      unread: fields of the configuration that the game does not look at; None: not known.
      settings: of the run; None: not known.
    """
    settings = {key: value for key, value in (settings or {}).items() if key not in (unread or ())}
    hints = HINTS[name] if judged else HINTS_ALONE.get(name, HINTS[name])
    fitting = [hint for hint in hints if hint.helps(settings) and hint.fits(unread)]
    told = []
    for when, together in itertools.groupby(fitting, lambda hint: hint.when):
        texts = [hint.text for hint in together]
        told += [f"{when}, {' or '.join(texts)}"] if when else texts
    if told in ([], [_KEPT.text]):
        told = ["the run has all that usually helps: other networks, or other data, are left", *told]
    steps = max(20_000, 2 * settings.get("steps", 0))
    text = "; ".join(told).replace("{steps}", str(steps))
    text = re.sub(r"`--penalty\.weights ([^`]*)`", _beside(_weights(settings)), text)
    return f"{text[0].upper()}{text[1:]}."


ADVICE = {name: advice_for(name) for name in HINTS}
"""What is said of a run of which nothing is known, by the verdict."""
ADVICE_ALONE = {name: advice_for(name, judged=False) for name in HINTS_ALONE}
"""The same for games without a discriminator."""
