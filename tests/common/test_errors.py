"""Unknown names: what is near, and what other tools' names are called here."""

import re

import pytest

from jaxgan import games, metrics
from jaxgan.cli.check import Check
from jaxgan.cli.compare import Compare
from jaxgan.cli.data import Show
from jaxgan.cli.evaluate import Evaluate
from jaxgan.cli.export import Export
from jaxgan.cli.losses import Plot
from jaxgan.cli.metrics import TrainFeatures
from jaxgan.cli.resume import Resume
from jaxgan.cli.runs import Runs
from jaxgan.cli.sample import Sample
from jaxgan.cli.train import Train
from jaxgan.cli.words.flags import flags_of, unknown_flag
from jaxgan.cli.words.training import planned
from jaxgan.common.errors import InputError, nearest, unknown
from jaxgan.common.glossary import GLOSSARY, IN_COMMANDS, about
from jaxgan.config import PRESETS, get_preset
from jaxgan.config.recipes import RECIPES
from jaxgan.losses import LOSSES
from jaxgan.metrics.image_scores import METRICS, parse_metrics
from jaxgan.models import MODELS
from jaxgan.penalties import PENALTIES


def flags_of_train():
    flags = flags_of(Train, Train(get_preset("dcgan-mnist")))
    for family in MODELS.values():
        flags |= flags_of(family, prefix="model.")
    return flags


COMMANDS = {
    "check": Check, "compare": Compare, "data show": Show, "evaluate": Evaluate, "export": Export,
    "losses plot": Plot, "metrics train-features": TrainFeatures, "resume": Resume, "runs": Runs, "sample": Sample,
}  # fmt: skip


@pytest.mark.parametrize("command", ["train", *COMMANDS])
def test_advice_names_flags_of_the_command_or_says_whose_they_are(command):
    flags = flags_of_train() if command == "train" else flags_of(COMMANDS[command])
    assert set(IN_COMMANDS) <= {"train", *COMMANDS}
    assert all(
        re.findall("--[a-z.-]+", clause) or "jaxgan" in clause
        for clause in IN_COMMANDS.get(command, {}).values()
    )
    for name in {**GLOSSARY, **IN_COMMANDS.get(command, {})}:
        said = str(unknown_flag(f"--{name}", flags, f"jaxgan {command}"))
        advice = said.partition("; ")[2].partition(" (see ")[0]
        own = re.findall(r"--[a-z][\w.-]*", advice.partition("jaxgan ")[0])
        assert set(own) <= set(flags), said
        assert f"jaxgan {command}, " not in advice, said


@pytest.mark.parametrize(
    ("command", "name", "says"),
    [
        (
            "train",
            "num-images",
            "the length in thousands of images is --kimg, the number of fakes in the final",
        ),
        ("evaluate", "num_images", "the number of fakes is --n, of reals --n-real"),
        ("sample", "n", "how many samples there are is said by their seeds: --seeds 0-4"),
        ("export", "n", "how many samples there are is said by their seeds: jaxgan sample RUN --seeds 0-4"),
        ("sample", "n-seeds", "the seeds of the samples are --seeds"),
        ("sample", "ckpt", "the checkpoint is --checkpoint"),
        ("sample", "dataset", "in jaxgan train, the data are --data.source"),
        ("check", "dataset", "the data are --data"),
        ("metrics train-features", "size", "the side of images is --resolution"),
    ],
)
def test_a_name_means_what_the_command_makes_of_it(command, name, says):
    flags = flags_of_train() if command == "train" else flags_of(COMMANDS[command])
    assert f"; {says}" in str(unknown_flag(f"--{name}", flags, f"jaxgan {command}"))


@pytest.mark.parametrize("clause", sorted(set(GLOSSARY.values())))
def test_what_the_glossary_names_exists(clause):
    flags = flags_of_train() | flags_of(Evaluate)
    for flag in re.findall(r"--[a-z][\w.-]*\w", clause):
        assert flag in flags, flag
    for value in re.findall(r"--loss ([\w-]+)", clause):
        assert value in {**LOSSES, **RECIPES}
    for values in re.findall(r"--metrics ([a-z_]+)", clause):
        assert parse_metrics(values)
    for value in re.findall(r"--penalty.weights ([\w-]+)", clause):
        assert value in PENALTIES
    for preset in re.findall(r"(?:preset|preset is) ([a-z]+-[\w-]+)", clause):
        assert preset in PRESETS
    for name in re.findall(r"loss(?:es)? (?:is |are )?([a-z]+_[a-z_]+|hinge|wasserstein|minimax)\b", clause):
        assert name in LOSSES
    for name in re.findall(r"jaxgan.games.(\w+)", clause):
        assert hasattr(games, name)
    for name in re.findall(r"jaxgan.metrics.(\w+)", clause):
        assert hasattr(metrics, name)
    for name in re.findall(r"\b(ms_ssim|memorisation|cas)\b", clause):
        assert name in METRICS
    assert "\n" not in clause
    assert clause[-1] not in ".,;"


def test_no_name_of_ours_is_in_the_glossary_of_flags():
    """A name that exists is never looked up; one that does would only mislead."""
    assert not set(PRESETS) & set(GLOSSARY)
    assert not set(LOSSES) & set(GLOSSARY)


@pytest.mark.parametrize(
    "name", ["biggan", "srgan", "fid", "wgan", "lr", "bs", "gpus", "wandb", "BigGAN", "--n_critic"]
)
def test_the_glossary_knows(name):
    assert about(name)
    assert about("nothing-like-it") is None


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("hing", ["hinge", "minimax"], "did you mean 'hinge'? "),
        ("lpips", ["is", "fd", "kd"], ""),
        ("x", ["is", "fd"], ""),
        ("r3", ["r1", "lecam", "r2"], "did you mean 'r1' or 'r2'? "),
        (
            "optimizer.b1",
            ["d_optimizer.b1", "g_optimizer.b1", "steps"],
            "did you mean 'd_optimizer.b1' or 'g_optimizer.b1'? ",
        ),
        (
            "optimizer.b11",
            ["g_optimizer.b1", "a", "d_optimizer.b1"],
            "did you mean 'g_optimizer.b1' or 'd_optimizer.b1'? ",
        ),
        ("g_optimizer.b11", ["g_optimizer.b1", "d_optimizer.b1"], "did you mean 'g_optimizer.b1'? "),
        (
            "relativistic",
            ["relativistic_a", "relativistic_b", "hinge"],
            "did you mean 'relativistic_a' or 'relativistic_b'? ",
        ),
        ("Batch-Size", ["batch_size"], "did you mean 'batch_size'? "),
    ],
)
def test_what_is_near(name, known, hint):
    assert nearest(name, known) == hint


def test_what_is_almost_there_goes_before_the_glossary():
    assert "did you mean 'stylegan2'?" in str(unknown("preset", "stylegan", ["stylegan2", "dcgan-64"]))
    assert "StyleGAN2 is the presets stylegan2-auto-64" in str(unknown("preset", "stylegan", ["dcgan-64"]))


def test_unknown_names_all_and_what_is_meant():
    says = str(unknown("score", "lpips", ["is", "fd", "FILE.py:NAME"]))
    assert says == (
        "unknown score 'lpips'; LPIPS is jaxgan.metrics.perceptual_distance in Python; nearest among the scores is "
        "ms_ssim; known: fd, is, FILE.py:NAME"
    )
    with pytest.raises(
        InputError, match=r"unknown metric 'fdd'; did you mean 'fd'\? known: all, cas, cmmd, "
    ):
        parse_metrics("fdd")


def test_flags_of_another_command_are_said_to_be_of_it():
    line = str(unknown_flag("--bs", flags_of(Evaluate), "jaxgan evaluate"))
    assert line == (
        "unknown flag '--bs'; in jaxgan train, the batch size is --batch-size, over all devices (see jaxgan evaluate "
        "--help)"
    )
    with pytest.raises(InputError, match="unknown flag '--bs'; the batch size is --batch-size"):
        planned(["--bs", "3"], Train)
