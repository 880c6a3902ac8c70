"""Every verb of the command line in a temporary folder, and every kind of bad input in one line."""

import dataclasses
import itertools
import json
import re
import subprocess

import numpy as np
import pytest
from helpers import command, small
from PIL import Image

import jaxgan
from jaxgan.__main__ import USAGE, main
from jaxgan.cli.sample import parse_integers
from jaxgan.cli.train import Train
from jaxgan.cli.words.training import planned
from jaxgan.config.presets import PRESETS, get_preset
from jaxgan.runs.folder import RunFolder
from jaxgan.train.run import train

pytestmark = pytest.mark.usefixtures("shared_programs")

_TINY = """
    --steps 20 --batch-size 8 --log-every 10 --sample-every 10 --checkpoint-every 10 --evaluate-every 10
    --quick-n 150 --final-n 150 --health.no-enabled --data.split test --compute.devices 1
"""
TINY = _TINY.split()


def picture(path):
    """A Pillow image that holds no file open."""
    with Image.open(path) as image:
        image.load()
        return image.copy()


def frames(path):
    with Image.open(path) as image:
        return image.n_frames


def run(capsys, *args):
    """(exit status, stdout, stderr) of one command."""
    status = main([str(a) for a in args])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def fails(capsys, *args):
    """The one line that a command fails with."""
    status, _, err = run(capsys, *args)
    assert status == 2, err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    return err


@pytest.fixture(scope="module")
def conditional(shared_programs, tmp_path_factory):
    """A finished class-conditional run."""
    folder = tmp_path_factory.mktemp("conditional")
    plain = ["--model.width", "2", "--penalty.weights"]
    status = main(["train", "cdcgan-mnist", *TINY, *plain, "--out", str(folder)])
    assert status == 0
    return folder / "00000-cdcgan-mnist"


@pytest.fixture(scope="module")
def unconditional(shared_programs, tmp_path_factory):
    """A finished run of the fully connected GAN."""
    return train(small(tmp_path_factory.mktemp("unconditional"))).path


# --- verbs ---------------------------------------------------------------------------------------


def test_help_and_version(capsys):
    assert run(capsys) == (0, USAGE, "")
    assert run(capsys, "--help")[1] == USAGE
    assert run(capsys, "--version")[1] == f"jaxgan {jaxgan.__version__}\n"
    for verb in ("train", "resume", "sample", "evaluate", "presets", "doctor", "data show", "data prepare"):
        with pytest.raises(SystemExit) as stop:
            main([*verb.split(), "--help"])
        assert stop.value.code == 0
        assert f"jaxgan {verb}" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main(["train", "toy-ring", "--help-all"])
    text = capsys.readouterr().out
    for flag in (
        "--out",
        "--steps",
        "--batch-size",
        "--seed",
        "--checkpoint-every",
        "--sample-every",
        "--data.source",
    ):
        assert flag in text
    assert "data options" in text


def test_help_needs_nothing_heavy():
    """TFDS, grain, matplotlib, TensorBoard and Orbax are imported where they are used."""
    code = (
        "import sys; from jaxgan.__main__ import main\n"
        "try: main(['train', '--help'])\n"
        "except SystemExit: pass\n"
        "heavy = {'tensorflow_datasets', 'grain', 'matplotlib', 'tensorboardX', 'orbax.checkpoint', 'tensorflow'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    import sys

    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


def test_presets_are_listed(capsys):
    _, out, _ = run(capsys, "presets")
    table, _, about = out.partition("\n\n")
    assert [line.split()[0] for line in table.splitlines()[1:]] == list(PRESETS)
    assert table.count("(default)") == 1
    assert re.search(r"^mlp-mnist +1.49M/534k +2.98M/1.07M  The classic", table, re.M)
    assert "jaxgan presets NAME" in about


def test_a_preset_tells_where_it_comes_from(capsys):
    _, out, _ = run(capsys, "presets", "wgan-gp-mnist")
    assert re.search(r"^paper +Gulrajani et al\. \(2017\)", out, re.M)
    assert re.search(r"^generator +295,873 parameters, ", out, re.M)
    _, out, _ = run(capsys, "presets", "wgan-gp-mnist", "--json")
    assert json.loads(out)[0]["shape"] == [28, 28, 1]
    status, _, err = run(capsys, "presets", "wgan-gp-mnis")
    assert (status, err.count("\n")) == (2, 1)
    assert "wgan-gp-mnist" in err


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_builds(name):
    preset = PRESETS[name]
    config = get_preset(name)
    game = config.build(preset.shape, preset.n_classes)
    lazy = (
        {"d_r1", "g_path_length"}
        if name.startswith("stylegan2")
        else {"d_r1"}
        if "stylegan3" in name
        else set()
    )
    own = {
        "vae": {"vae"},
        "autoencoder": {"ae"},
        "aae": {"ae", "d", "e"},
    }  # games that name their turns otherwise
    own |= {game: {"d", "g", "e"} for game in ("vae_gan", "fanogan")}
    turns = {"g"} if name == "denoise-32" else own.get(config.game, {"d", "g"})  # the first has no critic
    assert {turn.name for turn in game.turns} - lazy == turns


def test_train_leaves_a_run_and_says_where(conditional, capsys):
    assert {"config.json", "run.json", "metrics.jsonl", "scores.json", "report.html"} <= {
        p.name for p in conditional.iterdir()
    }
    command = json.loads((conditional / "run.json").read_text())["command"]
    assert command.startswith("jaxgan train cdcgan-mnist --steps 20 ")


def test_dry_run_trains_nothing(tmp_path, capsys):
    status, out, _ = run(capsys, "train", "mlp-mnist", *TINY, "--dry-run", "--out", tmp_path / "none")
    assert status == 0
    assert out.index("generator ") < out.index("{")
    assert "FLOPs" not in out  # nothing was compiled
    config = json.loads(out[out.index("{") : out.index("\n}\n") + 3])
    assert config["steps"] == 20
    assert config["model"]["name"] == "mlp"
    # 64-256-512-1024-784 with biases at latent size 100
    widths = [100, 256, 512, 1024, 784]
    parameters = sum(a * b + b for a, b in itertools.pairwise(widths))
    assert f"generator      {parameters:,} parameters" in out
    assert not (tmp_path / "none").exists()
    _, out, _ = run(capsys, "train", "mlp-mnist", *TINY, "--dry-run", "--compile")
    flops = float(out.split("FLOPs")[1].split()[0])
    forward_g = 2 * 8 * sum(a * b for a, b in itertools.pairwise(widths)) / 1e9
    assert 3 * forward_g < flops < 12 * forward_g
    assert "memory " in out


def test_a_dry_run_of_several_seeds(capsys):
    small = ["--model.g-widths", 8, "--model.d-widths", 8]
    one = run(capsys, "train", "toy-ring", "--dry-run")[1]
    three = run(capsys, "train", "toy-ring", "--dry-run", "--seeds", 3)[1]
    mapped = run(capsys, "train", "toy-ring", "--dry-run", "--seeds", 3, "--compile", *small)[1]
    assert "3, 0 to 2, in one program" in mapped
    assert float(re.search(r"([\d.e-]+) GFLOP a step of one seed", mapped)[1]) > 0
    size = lambda out: float(re.search(r"^state +([\d.]+) MiB", out, re.M)[1])
    assert size(three) == pytest.approx(3 * size(one), abs=0.2)
    assert re.search(r"^seeds +3, 0 to 2, ", three, re.M)
    assert "seeds " not in one
    assert "expected at least 1, got 0" in fails(capsys, "train", "toy-ring", "--dry-run", "--seeds", 0)
    assert "expected --dry-run beside --compile" in fails(capsys, "train", "toy-ring", "--compile")


def test_resume_of_a_finished_run_scores_it_again(unconditional, capsys):
    before = json.loads((unconditional / "scores.json").read_text())
    status, out, _ = run(capsys, "resume", unconditional)
    assert status == 0
    assert "resumed at step 40" in out
    assert json.loads((unconditional / "scores.json").read_text()) == before


def test_sample_writes_grids_files_arrays_and_animations(conditional, unconditional, tmp_path, capsys):
    assert (
        run(capsys, "sample", unconditional, "--seeds", "0-5", "--out", tmp_path / "g.png", "--columns", 3)[0]
        == 0
    )
    grid = picture(tmp_path / "g.png")
    assert grid.width > grid.height
    assert run(capsys, "sample", unconditional, "--seeds", "3,5-6", "--out", tmp_path / "each")[0] == 0
    assert sorted(p.name for p in (tmp_path / "each").iterdir()) == [f"seed0000{s}.png" for s in (3, 5, 6)]
    assert picture(tmp_path / "each" / "seed00003.png").size == (28, 28)
    assert run(capsys, "sample", unconditional, "--seeds", "3,5-6", "--out", tmp_path / "a.npz")[0] == 0
    arrays = np.load(tmp_path / "a.npz")
    assert arrays["images"].shape == (3, 28, 28, 1)
    assert arrays["images"].dtype == np.uint8
    np.testing.assert_array_equal(arrays["seeds"], [3, 5, 6])
    np.testing.assert_array_equal(arrays["images"][0, :, :, 0], picture(tmp_path / "each" / "seed00003.png"))
    for name in ("walk.webp", "walk.gif"):
        assert (
            run(capsys, "sample", unconditional, "--seeds", "0-2", "--frames", 4, "--out", tmp_path / name)[0]
            == 0
        )
        assert frames(tmp_path / name) == 12


def test_sample_by_class_has_one_row_a_class(conditional, tmp_path, capsys):
    assert run(capsys, "sample", conditional, "--classes", "0-9", "--out", tmp_path / "c.npz")[0] == 0
    arrays = np.load(tmp_path / "c.npz")
    np.testing.assert_array_equal(arrays["labels"], np.repeat(np.arange(10), 8))
    np.testing.assert_array_equal(arrays["seeds"], np.tile(np.arange(8), 10))
    run(capsys, "sample", conditional, "--classes", "3,7", "--seeds", "0-4", "--out", tmp_path / "c.png")
    grid = picture(tmp_path / "c.png")
    assert grid.width / grid.height > (5 * 29 + 1) / (2 * 29 + 1)  # the names of the classes stand beside it


@pytest.mark.parametrize("name", ["", "config.json"])
def test_the_settings_of_a_run_are_those_of_another(conditional, name):
    plan = planned(["--config", str(conditional / name), "--seed", "7"], Train)
    assert plan.config == dataclasses.replace(RunFolder(conditional).config(), seed=7)
    assert plan.command == ["jaxgan", "train", "--config", str(conditional / name), "--seed", "7"]


def test_load_and_sample_in_python(conditional, unconditional):
    run = jaxgan.load(unconditional)
    images = run.sample(seed=2, n=5)
    assert images.shape == (5, 28, 28, 1)
    assert images.dtype == np.uint8
    np.testing.assert_array_equal(run.sample(seeds=[4, 2]), images[[2, 0]])
    classes = jaxgan.load(str(conditional)).sample(seeds=[0, 0], classes=[1, 2])
    assert (classes[0] != classes[1]).any()


def test_evaluate_prints_and_writes_scores(unconditional, tmp_path, capsys):
    status, out, _ = run(capsys, "evaluate", unconditional, "--n", 150, "--json", tmp_path / "s.json")
    assert status == 0
    assert "fd_mnist_cnn" in out
    final = json.loads((unconditional / "scores.json").read_text())["final"]["scores"]
    again = json.loads((tmp_path / "s.json").read_text())["final"]["scores"]
    assert again.keys() == final.keys()
    for (
        name,
        score,
    ) in final.items():  # evaluated on all devices, trained on one: sums differ in their last digits
        for key in ("value", "error"):
            mine, theirs = again[name].pop(key), score.pop(key)
            assert mine == (None if theirs is None else pytest.approx(theirs, rel=1e-6)), name
        assert again[name] == score
    assert run(capsys, "evaluate", unconditional, "--n", 150, "--checkpoint", "best")[0] == 0


def test_data_show(tmp_path, capsys):
    _, out, _ = run(capsys, "data", "show", "mnist", "--split", "test", "--out", tmp_path / "m.png")
    assert "10,000" in out
    assert "28x28, 1 channel, uint8" in out
    assert "0 to 255" in out
    assert "10: 0 980, 1 1,135" in out
    assert picture(tmp_path / "m.png").size[0] > 400
    _, out, _ = run(capsys, "data", "show", "grid", "--out", tmp_path / "g.png")
    assert "25, standard deviation 0.05" in out
    assert (tmp_path / "g.png").exists()


def test_doctor(capsys):
    _, out, _ = run(capsys, "doctor")
    for word in (
        "jaxgan",
        "jax ",
        "devices",
        "memory",
        "CPU fast convolutions",
        "cache",
        "TFDS data",
        "compilation cache",
    ):
        assert word in out
    rows = dict(line.split("  ", 1) for line in out.splitlines())
    assert rows["CPU fast convolutions"].strip() == "on"


def test_a_run_on_points(tmp_path, capsys):
    flags = [
        *TINY[:-4],
        "--compute.devices",
        "1",
        "--model.g-widths",
        "8",
        "--model.d-widths",
        "8",
        "--out",
        tmp_path,
    ]
    assert run(capsys, "train", "toy-grid", *flags)[0] == 0
    folder = tmp_path / "00000-toy-grid"
    assert jaxgan.load(folder).sample(n=7).shape == (7, 2)
    assert run(capsys, "sample", folder, "--out", tmp_path / "p.png")[0] == 0
    assert "points have no image files" in fails(capsys, "sample", folder, "--out", tmp_path / "p")
    assert "an animation needs a run of images" in fails(
        capsys, "sample", folder, "--out", tmp_path / "p.gif"
    )


# --- bad input: one line, status 2, no traceback ---------------------------------------------------


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ("trian", "unknown command 'trian'; did you mean 'train'?"),
        ("train dcgan-mnits", "unknown preset or data 'dcgan-mnits'; did you mean 'dcgan-mnist'?"),
        ("train --stpes 3", "unknown flag '--stpes'; did you mean --steps? (see jaxgan train --help)"),
        ("train --data.sorce mnist", "did you mean --data.source?"),
        ("train --steps many", "steps: expected a whole number, got 'many'"),
        ("train --steps", "steps: expected a whole number, got nothing"),
        ("train --data.pipeline moon", "data.pipeline: expected auto or resident or stream, got 'moon'"),
        ("train --lr many", "lr: expected a number, got 'many'"),
        ("train --penalty.weights r1", "penalty.weights: expected pairs of a name and a number, got 'r1'"),
        (
            "train --penalty.weights r1 x",
            "penalty.weights: expected pairs of a name and a number, got 'r1 x'",
        ),
        (
            "train mlp-mnist --model.g-widths 8 wide",
            "model.g-widths: expected a whole number each, got '8 wide'",
        ),
        ("train --data.flip yes", "--data.flip: takes no value, got 'yes'; --data.no-flip turns it off"),
        ("train --dry-run=1", "--dry-run: takes no value, got '1'; --no-dry-run turns it off"),
        (
            "train --optimizer.lr 3",
            "did you mean --g-optimizer.learning-rate or --d-optimizer.learning-rate?",
        ),
        ("train --g-optimizer.lr 3", "did you mean --g-optimizer.learning-rate? (see"),
        ("train --no-health.enabled", "did you mean --health.no-enabled? (see"),
        ("train --no-flip", "did you mean --data.no-flip? (see"),
        ("train --hepl", "unknown flag '--hepl'; did you mean --help? (see jaxgan train --help)"),
        ("sample RUN --n 5", "said by their seeds: --seeds 0-4"),
        ("sample RUN --qqq 3", "unknown flag '--qqq' (see jaxgan sample --help)"),
        (
            "evaluate RUN --gpus 3",
            "in jaxgan train, the devices are --compute.devices; all local ones by default (see",
        ),
        ("train --loss hing", "unknown loss 'hing'; did you mean 'hinge' or 'hinge-sn'?"),
        ("train --penalty.weights r3 1", "unknown penalty 'r3'"),
        ("train --latent.kind norml", "unknown latent 'norml'; did you mean 'normal'?"),
        ("train --data.resolution 0", "data.resolution: expected at least 1 pixel, got 0"),
        ("train --batch-size 70000", "batch_size: expected at most the 60000 examples"),
        ("train --data.source folder:/nowhere", "'/nowhere', which does not exist"),
        ("train --data.source minst", "unknown data source 'minst'; did you mean 'mnist'?"),
        ("train dcgan-64", "data.source: preset 'dcgan-64' needs one"),
        ("train toy-ring --data.source mnist --data.split tset", "unknown split of mnist 'tset'"),
        ("train dcgan-mnist --data.source ring", "a dcgan needs images"),
        ("train dcgan-mnist --compute.devices 99", "expected at most 4 local devices, got 99"),
        ("resume /nowhere", "expected the folder of a run, got '/nowhere'"),
        ("resume", "run"),
        ("sample /nowhere", "expected the folder of a run"),
        ("sample /nowhere --seeds 0-9999999999", "seeds: expected at most a million"),
        ("train --seed 4294967296", "seed: expected an integer from 0 to 4294967295"),
        ("data show mnist --seed -1", "seed: expected at least 0, got -1"),
        ("sample /nowhere --columns -3", "columns: expected at least 1, got -3"),
        ("sample /nowhere --seeds 3-1", "seeds: expected integers such as 0-63"),
        ("evaluate /nowhere --checkpoint middling", "checkpoint: expected 'last', 'best', 'all' or a step"),
        ("evaluate /nowhere --n 1", "n: expected at least 2"),
        ("data", "data: expected 'show' or 'prepare', got 'nothing'"),
        ("data shwo mnist", "data: expected 'show' or 'prepare', got 'shwo'"),
        ("data show npz:/nowhere.npz", "does not exist"),
        ("data prepare cifar11", "unknown dataset of the TFDS catalogue|needs TensorFlow"),
        ("presets all", "unknown preset 'all'"),
    ],
)
def test_bad_input(args, message, capsys):
    assert re.search(message if "|" in message else re.escape(message), fails(capsys, *args.split()))


def test_bad_requests_of_a_good_run(conditional, unconditional, tmp_path, capsys):
    assert "classes: expected none" in fails(capsys, "sample", unconditional, "--classes", "0-3")
    assert "classes: expected integers from 0 to 9" in fails(capsys, "sample", conditional, "--classes", "10")
    gif = tmp_path / "a.gif"
    assert "classes: expected none" in fails(
        capsys, "sample", unconditional, "--classes", "0-3", "--out", gif
    )
    assert "seeds: expected integers from 0" in fails(
        capsys, "sample", unconditional, "--seeds", "5000000000"
    )
    assert "expected a .npz, .png, .jpg" in fails(
        capsys, "sample", unconditional, "--out", tmp_path / "x.bmp"
    )
    assert "checkpoint: expected one of [" in fails(capsys, "sample", unconditional, "--checkpoint", "7")


def test_a_file_where_a_folder_should_be(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert str(tmp_path / "file") in fails(capsys, "train", *TINY, "--out", tmp_path / "file")
    assert str(tmp_path / "file") in fails(capsys, "train", *TINY, "--out", tmp_path / "file" / "runs")


def test_a_damaged_configuration(unconditional, tmp_path, capsys):
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(unconditional, copy)
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps({**config, "stpes": 3}))
    assert "unknown field of config.json 'stpes'; did you mean 'steps'?" in fails(capsys, "resume", copy)
    (copy / "config.json").write_text(json.dumps({**config, "steps": "100"}))
    assert "steps: expected int, got '100'" in fails(capsys, "resume", copy)
    (copy / "config.json").write_text("{")
    assert "cannot read" in fails(capsys, "resume", copy)


def test_divergence_is_status_one(tmp_path, capsys):
    flags = [
        *TINY,
        "--g-optimizer.learning-rate",
        "1e30",
        "--d-optimizer.learning-rate",
        "1e30",
        "--out",
        tmp_path,
    ]
    status, _, err = run(capsys, "train", "mlp-mnist", *flags)
    assert status == 1
    assert "not finite" in err
    assert err.count("\n") == 1


def test_output_that_nobody_reads(tmp_path):
    process = command("presets")
    process.stdout.close()
    process.stderr.close()
    assert process.wait(timeout=60) in (0, 141)


def test_integers_are_parsed():
    assert parse_integers("0-3,7, 9-9", "seeds") == [0, 1, 2, 3, 7, 9]
