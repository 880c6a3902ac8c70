"""The words of `jaxgan train`: presets, data, lengths, rates, recipes and files of settings, in any order."""

import collections.abc
import dataclasses
import json
import typing
import zipfile

import numpy as np
import pytest

from jaxgan import InputError
from jaxgan.cli.arguments import parse
from jaxgan.cli.train import Train
from jaxgan.cli.words.training import planned
from jaxgan.config import get_preset, to_json
from jaxgan.config.recipes import RECIPES


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of images, a zip archive and two npz files, where the command is run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "photos").mkdir()
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.writestr("a.txt", "")
    np.savez("small.npz", images=np.zeros((30, 28, 28, 1), np.uint8))
    np.savez_compressed("large.npz", images=np.zeros((3, 48, 40, 3), np.uint8))
    return tmp_path


def plan(text):
    return planned(text.split(), Train)


def config(text):
    return plan(text).config


def refused(text):
    with pytest.raises(InputError) as caught:
        plan(text)
    return str(caught.value)


# --- presets and data ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "toy-grid --steps 7 --dry-run",
        "--steps 7 toy-grid --dry-run",
        "--dry-run --steps=7 toy-grid",
        "--penalty.weights r1 2.5 r2 0.05 toy-grid --steps 7 --dry-run",
        "--model.g-widths 8 8 toy-grid --steps 7 --dry-run",
        "--augment flip_and_shift toy-grid --steps 7 --dry-run",
    ],
)
def test_the_preset_stands_anywhere(text):
    found = plan(text)
    assert (found.config.preset, found.config.steps, found.dry_run) == ("toy-grid", 7, True)
    assert found.config.data.source == "grid"


def test_folders_do_not_take_the_words_of_flags(here):
    for name in ("wandb", "r1"):
        (here / name).mkdir()
    found = config("mlp-mnist --logger wandb --penalty.weights r1 0.1")
    assert (found.data.source, found.logger, found.penalty.weights) == ("mnist", ("wandb",), (("r1", 0.1),))
    found = config("mlp-mnist --augment flip_and_shift photos/")
    assert (found.data.source, found.augment) == ("folder:photos/", ("flip_and_shift",))


@pytest.mark.parametrize(
    ("text", "preset", "source"),
    [
        ("", "dcgan-mnist", "mnist"),
        ("mnist", "dcgan-mnist", "mnist"),
        ("--steps 5 mnist mlp-mnist", "mlp-mnist", "mnist"),
        ("ring", "toy-ring", "ring"),
        ("swissroll", "toy-ring", "swissroll"),
        ("stacked_mnist", "dcgan-mnist", "stacked_mnist"),
        ("tfds:cifar10", "dcgan-cifar10", "tfds:cifar10"),
        ("tfds:oxford_flowers102", "small-64", "tfds:oxford_flowers102"),
        ("photos/", "small-64", "folder:photos/"),
        ("photos", "small-64", "folder:photos"),
        ("photos.zip dcgan-cifar10", "dcgan-cifar10", "folder:photos.zip"),
        ("small.npz", "dcgan-mnist", "npz:small.npz"),
        ("large.npz", "small-64", "npz:large.npz"),
        ("--data.source photos dcgan-64", "dcgan-64", "folder:photos"),
    ],
)
def test_data_are_named_by_a_word(here, text, preset, source):
    found = config(text)
    assert (found.preset, found.data.source) == (preset, source)


def test_the_preset_that_data_bring_is_said(here):
    assert plan("photos").notes == [
        "preset: small-64, which fits folder:photos; name another one to change it"
    ]
    assert not plan("photos dcgan-64").notes
    assert plan("--steps 3").command == ["jaxgan", "train", "dcgan-mnist", "--steps", "3"]
    assert plan("photos --steps 3").command == ["jaxgan", "train", "photos", "--steps", "3"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("toy-ring toy-grid", "preset: expected one, got 'toy-ring' and 'toy-grid'"),
        ("ring mnist", "data: expected one source, got 'ring' and 'mnist'"),
        ("ring --data.source mnist", "data: given twice, as 'ring' and as --data.source"),
        (
            "nowhere/",
            "data: expected a folder, a zip archive or an npz file, got 'nowhere/', which does not exist",
        ),
        ("minst", "unknown preset or data 'minst'; did you mean 'mnist'?"),
        ("toy", "did you mean 'toy-grid' or 'toy-ring'?"),
        ("dcgn-mnist", "did you mean 'dcgan-mnist'? `jaxgan presets` lists the presets; data: mnist,"),
        ("biggan", "BigGAN is the presets biggan-32 to biggan-256 and biggan-deep-32 to biggan-deep-256"),
        ("cifar10", "CIFAR-10 is the data tfds:cifar10, and the preset dcgan-cifar10"),
        ("--steps 3 4", "unexpected '4': no flag before it takes it (see jaxgan train --help)"),
        ("-n", "unknown flag '-n'; flags begin with --"),
        (
            "--learning_rat 3",
            "unknown flag '--learning_rat'; did you mean --g-optimizer.learning-rate or "
            "--d-optimizer.learning-rate?",
        ),
        ("--b1 0", "unknown flag '--b1'; did you mean --g-optimizer.b1 or --d-optimizer.b1?"),
        ("--resolution 64", "unknown flag '--resolution'; did you mean --data.resolution?"),
        ("--bs 8", "unknown flag '--bs'; the batch size is --batch-size"),
        ("--data.placement host", "unknown flag '--data.placement'; whether data lie on the device"),
        ("--wandb", "unknown flag '--wandb'; every run writes metrics.jsonl and tensorboard/"),
        ("--gpus 2", "unknown flag '--gpus'; the devices are --compute.devices"),
        ("--loss wgam", "unknown loss 'wgam'; did you mean 'wgan'?"),
        ("--loss wgangpp", "unknown loss 'wgangpp'; did you mean 'wgan-gp'?"),
        ("--loss bce", "unknown loss 'bce'; the logistic loss is non_saturating; known: "),
    ],
)
def test_what_is_meant_is_said(here, text, says):
    line = refused(text)
    assert says in line
    assert "\n" not in line
    assert ", ," not in line


def test_lists_name_all_that_is_accepted():
    line = refused("--loss nothing_like_it")
    assert all(name in line for name in (*RECIPES, "hinge", "FILE.py:NAME"))
    line = refused("nothing_like_it")
    assert all(
        name in line for name in ("jaxgan presets", "mnist", "tfds:NAME", "folder:PATH", "FILE.py:NAME")
    )


# --- numbers, rates, lengths -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("--steps 1e5", 100_000),
        ("--steps 1_000", 1000),
        ("--steps 500.0", 500),
        ("--kimg 6.4", 100),
        ("--kimg 6.4 --batch-size 128", 50),
        ("--kimg 6.4 --d-steps 2", 50),
        ("small.npz --epochs 3 --batch-size 10", 9),
        ("mnist --epochs 1", 940),  # 60,000 of 64, 937.5, rounded up to tens
    ],
)
def test_lengths(here, text, steps):
    assert config(text).steps == steps


@pytest.mark.parametrize(
    ("text", "rates"),
    [
        ("--lr 3e-4", (3e-4, 3e-4)),
        ("--g-lr 1e-4", (1e-4, 1e-3)),
        ("--lr 1e-4 --d-lr 4e-4", (1e-4, 4e-4)),
        ("--lr 1e-4 --g-optimizer.learning-rate 5e-4", (5e-4, 1e-4)),
        ("--loss wgan-gp --lr 3e-4", (3e-4, 3e-4)),
    ],
)
def test_rates(text, rates):
    found = config(text)
    assert (found.g_optimizer.learning_rate, found.d_optimizer.learning_rate) == rates


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("--steps 1.5", "steps: expected a whole number, got '1.5'"),
        (
            "--steps 5 --epochs 1",
            "steps: expected one of --steps, --epochs, --kimg, got --steps and --epochs",
        ),
        ("--kimg 0", "kimg: expected a positive number, got 0.0"),
        ("--epochs nan", "epochs: expected a positive number, got nan"),
        (
            "ring --epochs 1",
            "epochs: expected data of a known size, got 'ring', which is sampled without end; say --steps",
        ),
        (
            "--g-lr 1 --g-optimizer.learning-rate 1",
            "g-lr: given twice, as --g-lr and as --g-optimizer.learning-rate",
        ),
    ],
)
def test_numbers_that_cannot_be(text, says):
    assert says in refused(text)


# --- recipes ---------------------------------------------------------------------------------------


def test_a_recipe_sets_what_belongs_together():
    found = plan("--loss wgan-gp")
    wgan = found.config
    assert (wgan.loss, wgan.d_steps, wgan.model.d_batch_norm) == ("wasserstein", 5, False)
    assert (wgan.penalty.weights, wgan.penalty.every) == ((("gradient_penalty", 10.0),), 1)
    for adam in (wgan.g_optimizer, wgan.d_optimizer):
        assert (adam.kind, adam.learning_rate, adam.b1, adam.b2) == ("adam", 1e-4, 0.0, 0.9)
    assert found.notes == [
        "loss wgan-gp: wasserstein; penalties gradient_penalty 10, every 1; adam 0.0001 with b1 0 and b2 0.9; "
        "d_steps 5; model.d_batch_norm False; model.d_spectral_norm False"
    ]


def test_penalties_have_intervals_of_their_own():
    found = config(
        "--penalty.weights r1 1 path_length 2 --penalty.every-of r1 16 path_length 4 --penalty.own-updates"
    )
    assert found.penalty.every_of == (("r1", 16), ("path_length", 4))
    assert found.penalty.own_turns() == {"r1": 16, "path_length": 4}


def test_flags_go_before_a_recipe():
    found = config("--d-steps 2 --loss=wgan_gp --g-optimizer.b1 0.5 --penalty.every 2")
    assert (found.loss, found.d_steps, found.g_optimizer.b1, found.d_optimizer.b1) == (
        "wasserstein",
        2,
        0.5,
        0.0,
    )
    assert found.penalty.every == 2


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("--penalty.weights gradient_penalty 10", "(every 4); --penalty.every 1 undoes this"),
        (
            "toy-ring --penalty.weights lecam 1",
            "(schedule exponential, end 0.04); --penalty.schedule constant --penalty.end 0.0 undoes this",
        ),
        ("--penalty.weights gradient_penalty 10 --penalty.every 1", None),
        ("--penalty.weights r1 3", None),
        ("wgan-gp-mnist --penalty.weights r1 3", None),
        ("--loss wgan-gp --penalty.weights r1 3", None),
    ],
)
def test_settings_that_other_penalties_inherit_are_said(text, kept):
    notes = [note for note in plan(text).notes if note.startswith("warning")]
    assert len(notes) == (kept is not None)
    assert kept is None or notes[0].endswith(kept)


# --- files of settings -----------------------------------------------------------------------------

FILES = {
    "own.json": '{"preset": "mlp-mnist", "steps": 70, "penalty": {"weights": {"r1": 0.5}}, "data.flip": true}',
    "own.toml": 'preset = "mlp-mnist"\nsteps = 70\n[penalty]\nweights = {r1 = 0.5}\n[data]\nflip = true\n',
    "own.yaml": "preset: mlp-mnist\nsteps: 7e1\npenalty:\n  weights: {r1: 0.5}\ndata: {flip: true}\n",
}


@pytest.mark.parametrize("name", FILES)
def test_settings_of_a_file(here, name):
    if name.endswith(".yaml"):
        pytest.importorskip("yaml")
    (here / name).write_text(FILES[name])
    found = config(f"--config {name}")
    assert (found.preset, found.steps, found.data.flip) == ("mlp-mnist", 70, True)
    assert found.penalty.weights == (("r1", 0.5),)
    assert config(f"--config {name} --steps 5").steps == 5
    assert config(f"--config {name} --loss lsgan").penalty.weights == ()


def test_the_configuration_of_a_run_comes_back(here):
    kept = config(
        "toy-ring --loss hinge --seed 3 --augment flip_and_shift --model.d-fourier 7 --penalty.weights"
    )
    (here / "config.json").write_text(json.dumps(to_json(kept)))
    assert config("--config config.json") == kept
    assert config("--config config.json --seed 4").seed == 4


def test_families_take_other_words_under_one_name(here):
    assert config("csngan-cifar10 --model.head concat").model.head == "concat"
    kept = config("csngan-cifar10 --model.head concat --steps 3")
    (here / "config.json").write_text(json.dumps(to_json(kept)))
    assert config("--config config.json") == kept
    with pytest.raises(InputError, match=r"model.head: expected projection or ac( or concat)?, got 'cat'"):
        config("biggan-32 --model.head cat")


def test_a_file_may_use_short_names(here):
    (here / "own.json").write_text(
        '{"loss": "wgan-gp", "lr": 0.5, "d_steps": 3, "model": {"name": "mlp", "g_widths": [4]}}'
    )
    found = config("--config own.json")
    assert (found.loss, found.d_steps, found.d_optimizer.learning_rate) == ("wasserstein", 3, 0.5)
    assert found.model.g_widths == (4,)


@pytest.mark.parametrize(
    ("text", "flags", "steps"),
    [
        ('{"kimg": 6.4}', "", 100),
        ('{"kimg": 6.4}', "--batch-size 128", 50),
        ('{"epochs": 3, "data": {"source": "ring"}}', "small.npz --batch-size 10", 9),
        ('{"epochs": 3}', "--steps 7", 7),
        ('{"steps": 3}', "--kimg 6.4", 100),
    ],
)
def test_a_length_in_a_file_is_of_the_batches_and_data_that_there_are(here, text, flags, steps):
    (here / "own.json").write_text(text)
    assert config(f"--config own.json {flags}").steps == steps


def test_data_of_a_word_go_before_those_of_a_file(here):
    (here / "own.json").write_text('{"data": {"source": "ring"}}')
    assert config("small.npz --config own.json").data.source == "npz:small.npz"
    assert config("--config own.json").data.source == "ring"


@pytest.mark.parametrize(
    ("text", "flags", "says"),
    [
        (
            '{"steps": 3, "kimg": 1}',
            "",
            "config: 'own.json': expected one of steps, epochs, kimg, got steps and kimg",
        ),
        ('{"stepps": 3}', "", "unknown field of 'own.json' 'stepps'; did you mean 'steps'?"),
        (
            '{"data": {"sorce": "ring"}}',
            "",
            "unknown field of 'own.json' 'data.sorce'; did you mean 'data.source'?",
        ),
        ('{"steps": "many"}', "", "config: 'own.json': steps: expected a whole number, got 'many'"),
        ('{"data": {"flip": 3}}', "", "data.flip: expected true or false, got 3"),
        (
            '{"preset": "toy-ring"}',
            "toy-grid",
            "config: 'own.json' is of the preset 'toy-ring', and 'toy-grid' is named",
        ),
        ("{", "", "config: 'own.json' cannot be read: "),
        ("[]", "", "config: expected names and values in 'own.json', got list"),
        ('{"steps": 3, "steps": 4}', "", "config: 'own.json' cannot be read: 'steps' stands there twice"),
        (
            '{"preset": "toy-ring", "model": {"g_widths": [8], "g-widths": [9]}}',
            "",
            "model.g-widths: expected it once in 'own.json', got it 2 times",
        ),
        (
            '{"data.flip": true, "data": {"flip": false}}',
            "",
            "data.flip: expected it once in 'own.json', got it",
        ),
        ('{"seeds": 3}', "", "seeds: expected it on the command line (--seeds 3), got it in 'own.json'"),
        ("{}", "--config b.json", "config: expected one file, got own.json and b.json"),
    ],
)
def test_files_that_cannot_be(here, text, flags, says):
    (here / "own.json").write_text(text)
    line = refused(f"--config own.json {flags}")
    assert says in line
    assert "\n" not in line


def test_names_that_stand_twice_in_yaml(here):
    pytest.importorskip("yaml")
    (here / "own.yaml").write_text("a: &x {seed: 1}\ndata: {flip: true, flip: false}\n")
    assert refused("--config own.yaml") == "config: 'own.yaml' cannot be read: 'flip' stands there twice"


def test_other_files(here):
    assert "cannot read 'none.json': No such file" in refused("--config none.json")
    (here / "own.ini").write_text("")
    assert "expected a .json, .yaml or .toml file or the folder of a run, got 'own.ini'" in refused(
        "--config own.ini"
    )


def test_yaml_needs_its_package(here, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "yaml", None)
    (here / "own.yaml").write_text("steps: 3")
    assert "needs PyYAML (pip install pyyaml); JSON and TOML need nothing" in refused("--config own.yaml")


def test_presets_are_as_they_were():
    for name in ("dcgan-mnist", "toy-grid"):
        assert config(name) == get_preset(name)


# --- kinds of flags --------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Kinds:
    """Flags of all kinds."""

    sizes: collections.abc.Sequence[int] = ()
    """Sizes."""
    pairs: tuple[tuple[str, float], ...] = ()
    """Pairs."""
    two: tuple[int, int] = (1, 2)
    """Two of them."""
    scales: dict[str, float] = dataclasses.field(default_factory=dict)
    """By name."""
    mode: typing.Literal["a", "b"] | None = None
    """Which."""
    on: bool = False
    """Whether."""


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("--sizes 1 2e1", {"sizes": [1, 20]}),
        ("--pairs a 1 b 2 --on", {"pairs": (("a", 1.0), ("b", 2.0)), "on": True}),
        ("--two 3 4", {"two": (3, 4)}),
        ("--scales a 1 b 2", {"scales": {"a": 1.0, "b": 2.0}}),
        ("--mode b --no-on", {"mode": "b"}),
        ("--mode None", {"mode": None}),
        ("--mode=a", {"mode": "a"}),
    ],
)
def test_flags_of_all_kinds(text, found):
    parsed = parse(Kinds, text.split(), "kinds")
    assert {name: getattr(parsed, name) for name in found} == found


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("--two 3", "two: expected a whole number and a whole number, got '3'"),
        ("--pairs a", "pairs: expected pairs of a name and a number, got 'a'"),
        ("--mode c", "mode: expected a or b, got 'c'"),
        ("--sizes 1 x", "sizes: expected a whole number each, got '1 x'"),
        ("--on 1", "--on: takes no value, got '1'; --no-on turns it off"),
    ],
)
def test_words_that_a_flag_does_not_take(text, says):
    with pytest.raises(InputError) as caught:
        parse(Kinds, text.split(), "kinds")
    assert str(caught.value) == says
