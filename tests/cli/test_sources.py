"""Bare folders, zip archives and npz files wherever a source is expected, and messages that name flags that exist."""

import re
import zipfile

import numpy as np
import pytest
from helpers import small, untrained
from PIL import Image

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.cli.arguments import flags_named_for
from jaxgan.cli.data import Prepare, Show
from jaxgan.cli.evaluate import Evaluate
from jaxgan.cli.metrics import TrainFeatures
from jaxgan.cli.resume import Resume
from jaxgan.cli.words.flags import flags_of
from jaxgan.config.groups import DataConfig
from jaxgan.data import open_source
from jaxgan.models import MLPConfig
from jaxgan.runs import evaluation


@pytest.fixture
def here(tmp_path, monkeypatch):
    """A folder of colour images, the same images in a zip archive, and grey ones of another size in an npz file."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    (tmp_path / "photos").mkdir()
    for i in range(12):
        Image.fromarray(rng.integers(0, 256, (20, 24, 3), np.uint8)).save(f"photos/{i}.png")
    with zipfile.ZipFile("photos.zip", "w") as archive:
        for path in sorted((tmp_path / "photos").iterdir()):
            archive.write(path, path.name)
    np.savez("grey.npz", images=rng.integers(0, 256, (12, 18, 18, 1), np.uint8))
    return tmp_path


def run(capsys, text):
    status = main(text.split())
    captured = capsys.readouterr()
    return status, captured.out, captured.err


@pytest.mark.parametrize("name", ["photos", "photos/", "./photos", "photos.zip"])
def test_a_path_is_a_source(here, name):
    assert len(open_source(name)) == 12
    assert open_source(name).fingerprint == open_source(f"folder:{name}").fingerprint


def test_data_show_takes_paths(here, capsys):
    status, out, _ = run(capsys, "data show grey.npz")
    assert status == 0
    assert "18x18" in out
    status, _, err = run(capsys, "data show u1.npz")
    assert status == 2
    assert "expected a folder, a zip or tar archive, an npz file or one of mnist, " in err
    assert "FILE.py:NAME, got 'u1.npz', which does not exist" in err
    for verb in ("data show", "metrics train-features"):
        with pytest.raises(SystemExit):
            main([*verb.split(), "--help"])
        assert "npz" in " ".join(capsys.readouterr().out.replace("│", "").split())
    with pytest.raises(SystemExit):
        main(["data", "show", "--help"])
    assert "FILE.py:NAME" in capsys.readouterr().out


@pytest.fixture
def scored(monkeypatch):
    """What is scored: shapes and numbers of fakes and reals. Nothing is computed."""
    seen = []

    def stop(protocol, reals):
        seen.append((reals.shape, len(reals)))
        raise InputError("seen")

    monkeypatch.setattr(evaluation.Protocol, "evaluator", stop)
    return seen


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        ("--fake photos.zip --real grey.npz --resolution 16 --channels 1", (16, 16, 1)),
        ("--fake grey.npz --real photos/ --resolution 16 --channels 3", (16, 16, 3)),
        ("--fake photos --real photos.zip", (20, 24, 3)),
        ("photos grey.npz --compare --real photos.zip --resolution 16 --channels 1", (16, 16, 1)),
        ("--real photos --save-reference r.npz --resolution 8", (8, 8, 3)),
    ],
)
def test_evaluate_opens_both_sides_alike(here, capsys, scored, text, shape):
    assert run(capsys, f"evaluate {text}")[2] == "error: seen\n"
    assert scored == [(shape, 12)]


def test_sides_that_differ(here, capsys):
    _, _, err = run(capsys, "evaluate --fake photos --real grey.npz")
    assert "fake: expected images of the reals' shape (18, 18, 1)" in err


@pytest.mark.parametrize("flag", ["--resolution 8", "--channels 1", "--skip-broken"])
def test_a_run_is_scored_on_its_own_data(flag, capsys):
    status, _, err = run(capsys, f"evaluate RUN {flag}")
    assert status == 2
    assert (
        f"expected --real beside {flag.split()[0]}; a run is scored on the data that it was trained on" in err
    )


def test_broken_files_are_left_out_on_request(here, capsys, scored):
    (here / "photos" / "0.png").write_bytes(b"no picture")
    status, _, err = run(capsys, "evaluate --fake photos --real photos.zip")
    assert status == 2
    assert "broken image" in err
    assert "--skip-broken" in err
    assert "--data.skip-broken" not in err
    assert run(capsys, "evaluate --fake photos.zip --real photos --skip-broken")[2] == "error: seen\n"
    assert scored == [((20, 24, 3), 11)]


@pytest.mark.parametrize("kind", [Evaluate, Show, TrainFeatures, Resume, Prepare])
def test_flags_in_messages_are_those_of_the_command(kind):
    own = flags_of(kind)
    with pytest.raises(InputError) as caught, flags_named_for(kind):
        raise InputError(
            "broken; --data.skip-broken leaves it out, and --data.resolution scales (--penalty.every)."
        )
    for flag, after in re.findall(r"(--[a-z.-]+[a-z])( of `jaxgan train`)?", str(caught.value)):
        assert bool(after) != (flag in own)
    assert str(caught.value).endswith("(--penalty.every of `jaxgan train`).")


def test_other_messages_stay():
    error = InputError("n: expected at least 2")
    with pytest.raises(InputError) as caught, flags_named_for(Evaluate):
        raise error
    assert caught.value is error


def test_messages_name_the_argument_that_the_command_has_and_a_value(here, capsys):
    Image.new("RGB", (9, 9)).save("photos/10.png")
    names = ("'photos/0.png'", "'photos/10.png'")
    says = f": expected a size, as images differ: {names[0]} has 20x24 pixels, {names[1]} 9x9; say one, such as --"
    assert run(capsys, "data show photos")[2] == f"error: resolution{says}resolution 64\n"
    assert f"error: resolution{says}resolution 64" in run(capsys, "evaluate --fake photos --real photos")[2]
    assert (
        f"error: data.resolution{says}data.resolution 64"
        in run(capsys, "train dcgan-mnist photos --dry-run")[2]
    )
    assert run(capsys, "data show grey.npz --channels 7")[2].startswith("error: channels: expected 1 (grey)")
    assert run(capsys, "data show no/such")[2].startswith("error: source: expected a folder")


def test_what_is_wrong_with_the_data_of_a_run_is_said_of_its_fields(here, capsys):
    """The resolution of `evaluate` is that of given images: with a run it is refused."""
    model = MLPConfig(g_widths=(4,), d_widths=(4,))
    run_folder = untrained(small(here, data=DataConfig("folder:photos", resolution=None), model=model))
    Image.fromarray(np.zeros((9, 9, 3), np.uint8)).save("photos/10.png")
    for verb in ("evaluate", "resume"):
        status, _, err = run(capsys, f"{verb} {run_folder.path}")
        assert status == 2
        assert err.startswith("error: data.resolution: expected a size, as images differ")
        assert "such as --data.resolution of `jaxgan train` 64" in err


def test_where_nothing_can_be_written_is_told_at_the_start(here, capsys, monkeypatch):
    def refused(dir):
        raise FileNotFoundError(2, "No such file or directory", f"{dir}/.y.png-xyz")

    monkeypatch.setattr("tempfile.TemporaryFile", refused)  # as in /proc, whatever the rights
    status, _, err = run(capsys, "data show grey.npz --out y.png")
    assert status == 2
    assert "error: out: cannot write 'y.png', as nothing may be written in" in err
    assert err.endswith("(No such file or directory)\n")


def test_reals_of_a_run_are_its_data(capsys):
    _, _, err = run(capsys, "evaluate RUN --real photos")
    assert "real: expected none for a run" in err
    assert "got 'photos'; if they lie there now: --data.source photos" in err
