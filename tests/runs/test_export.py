"""An export samples as the run does, without the package, and says what it is."""

import dataclasses
import importlib.util
import io
import json
import pathlib
import re
import subprocess
import sys

import jax.export
import numpy as np
import pytest
import yaml
from helpers import small, untrained
from safetensors.numpy import load_file

import jaxgan
from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.config.groups import DataConfig
from jaxgan.config.presets import get_preset
from jaxgan.models import DCGANConfig, ProjectedConfig
from jaxgan.runs import export as module
from jaxgan.runs.export import export_run

SCORE = {
    "value": 0.5, "error": 0.01, "floor": None, "n_real": 10, "n_fake": 10, "features": "random_cnn@1",
    "split": "npz:/home/me/a|b.npz; floor: held-out part of npz:/home/me/a|b.npz, 1,000 images",
    "protocol": "k = 5", "better": "lower", "meaning": "distance",
}  # fmt: skip


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """A run with classes on images of one's own."""
    tmp_path = tmp_path_factory.mktemp("private")
    rng = np.random.default_rng(0)
    pixels, labels = rng.integers(0, 256, (12, 16, 16, 3), np.uint8), np.arange(12) % 3
    np.savez(tmp_path / "pets.npz", images=pixels, labels=labels)
    model = dataclasses.replace(get_preset("cdcgan-mnist").model, width=2)
    data = DataConfig(f"npz:{tmp_path / 'pets.npz'}")
    folder = untrained(small(tmp_path, "cdcgan-mnist", model=model, data=data), scale=20.0)
    (folder.samples / "step-0000020.png").write_bytes(b"early")
    (folder.samples / "step-0000040.png").write_bytes(b"last")
    folder.write(
        "scores.json", {"main": "fd", "class_names": [], "final": {"step": 40, "scores": {"fd": SCORE}}}
    )
    return folder


@pytest.fixture(scope="module")
def exported(images, tmp_path_factory):
    out = tmp_path_factory.mktemp("out") / "pets-gan"
    assert main(["export", str(images.path), "--out", str(out), "--license", "cc0-1.0"]) == 0
    return out


def close(ours, theirs):
    """To rounding, which another size of the batch changes."""
    assert (ours.shape, ours.dtype) == (theirs.shape, theirs.dtype)
    np.testing.assert_allclose(
        ours.astype(float), theirs.astype(float), atol=1 if ours.dtype == np.uint8 else 1e-5
    )


def test_the_artefact_samples_as_the_run_does(images, exported):
    program = jax.export.deserialize(bytearray((exported / "sample.jaxexport").read_bytes()))
    assert program.platforms == ("cpu", "cuda", "tpu")
    seeds, labels = np.array([3, 1, 4, 1], np.uint32), np.array([0, 1, 2, 0], np.int32)
    expected = jaxgan.load(images.path).sample(seeds=seeds, classes=labels)
    close(np.asarray(program.call(seeds, labels)), expected)
    assert len(np.unique(expected)) > 10
    run = jaxgan.load(images.path)
    np.testing.assert_array_equal(run.sample(n=3, classes=1), run.sample(n=3, classes=[1, 1, 1]))
    with pytest.raises(jaxgan.InputError, match="classes: expected whole numbers or names"):
        run.sample(n=2, classes=[1.5, 0])  # pyright: ignore[reportArgumentType]
    assert np.asarray(program.call(seeds[:1], labels[:1])).shape == (1, 16, 16, 3)


def test_the_script_needs_no_package(images, exported):
    code = "import sys; sys.modules['jaxgan'] = None; sys.path.insert(0, sys.argv[1]); import sample, io; "
    code += "import numpy as np; np.save(sys.stdout.buffer, sample.sample([5, 6]))"
    done = subprocess.run([sys.executable, "-c", code, str(exported)], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    close(np.load(io.BytesIO(done.stdout)), jaxgan.load(images.path).sample(seeds=[5, 6], classes=[2, 0]))


def script(folder):
    """The script of an export, imported."""
    spec = importlib.util.spec_from_file_location("sample", folder / "sample.py")
    assert spec is not None
    assert spec.loader is not None
    spec.loader.exec_module(made := importlib.util.module_from_spec(spec))
    return made


def test_what_the_script_cannot_sample_is_said(exported, tmp_path, monkeypatch, capsys):
    sampling = script(exported)
    out = ["--out", str(tmp_path / "s.npy")]
    for arguments, says in (
        (["--labels", "3"], "labels: expected 8 numbers from 0 to 2, one a seed, got"),
        (["--seeds", "0-2", "--labels", "0", "1"], "labels: expected 3 numbers"),
        (["--seeds", "2-0"], "seeds: expected whole numbers from 0 to 4294967295, got []"),
        (["--seeds", "4294967296"], "seeds: expected"),
        (["--out", "s.jpg"], "out: expected a .npy or .png file, got 's.jpg'"),
    ):
        monkeypatch.setattr("sys.argv", ["sample.py", *out, *arguments])
        with pytest.raises(SystemExit):
            sampling.main()
        assert says in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["sample.py", *out, "--seeds", "0-2", "7", "--labels", "1"])
    sampling.main()
    close(np.load(tmp_path / "s.npy"), sampling.sample([0, 1, 2, 7], [1] * 4))


def test_the_card_is_one_of_the_hub(images, exported):
    text = (exported / "README.md").read_text()
    meta = yaml.safe_load(text.split("---")[1])
    assert (meta["license"], meta["library_name"]) == ("cc0-1.0", "jaxgan")
    assert meta["pipeline_tag"] == "unconditional-image-generation"
    (entry,) = meta["model-index"]
    assert entry["name"] == "pets-gan"
    assert entry["results"][0]["metrics"] == [{"type": "fd", "name": "fd", "value": 0.5}]
    for words in (
        "trained on `npz:pets.npz`",
        "--labels 3 3 3",
        "sample.jaxexport",
        "![samples](samples.png)",
    ):
        assert words in text
    (row,) = re.findall(r"^\| `fd`.*$", text, re.M)
    assert row.count("|") == 6
    assert (exported / "samples.png").read_bytes() == b"last"
    config = json.loads((exported / "config.json").read_text())
    assert (config["n_classes"], config["step"], config["training"]["batch_size"]) == (3, 40, 8)
    weights = load_file(exported / "model.safetensors")
    variables = jaxgan.load(images.path).variables
    assert set(weights) == {".".join(k) for k in module.flax.traverse_util.flatten_dict(dict(variables))}


def test_nothing_tells_where_it_was_trained(images, exported):
    private = str(images.path.parent.parent)
    for path in filter(pathlib.Path.is_file, exported.iterdir()):
        assert private.encode() not in path.read_bytes(), path.name
        assert b"/home/me" not in path.read_bytes(), path.name


def test_files_of_weights_are_named_without_their_folders(images, tmp_path):
    run = jaxgan.load(images.path)
    run.config = dataclasses.replace(run.config, model=ProjectedConfig(weights="/home/me/w.pth"))
    export_run(run, tmp_path / "out")
    config = json.loads((tmp_path / "out" / "config.json").read_text())
    assert config["training"]["model"]["weights"] == "w.pth"


def test_points_and_networks_that_need_a_size(tmp_path, monkeypatch):
    """Where only one size and platform can be exported, the script cuts what it is asked for into pieces."""
    folder = untrained(small(tmp_path, "toy-ring", data=DataConfig("ring")))
    monkeypatch.setattr(module, "forms", lambda: iter([((16,), ("cpu",))]))
    export_run(run := jaxgan.load(folder.path), tmp_path / "e")
    assert run.sampler.n_classes == 0
    text = (tmp_path / "e" / "README.md").read_text()
    assert "pipeline_tag" not in text
    sampling = script(tmp_path / "e")
    close(sampling.sample(range(20)), run.sample(n=20))
    with pytest.raises(ValueError, match="has no classes"):
        sampling.sample([1], [1])
    with pytest.raises(InputError, match="out: expected a folder that is new or empty"):
        export_run(run, tmp_path / "e")


def test_without_flatbuffers_it_says_what_to_do(tmp_path, monkeypatch, capsys):
    run, find = untrained(small(tmp_path)).path, module.importlib.util.find_spec
    without = lambda name, *rest: None if name == "flatbuffers" else find(name, *rest)
    monkeypatch.setattr(module.importlib.util, "find_spec", without)
    assert main(["export", str(run), "--out", str(tmp_path / "e")]) == 2
    assert "export: needs the package flatbuffers: pip install 'jaxgan[export]'" in capsys.readouterr().err


def test_a_dcgan_can_be_exported_for_all_sizes(tmp_path):
    folder = untrained(small(tmp_path, "dcgan-mnist", model=DCGANConfig(width=2)), scale=20.0)
    program = module.exported(run := jaxgan.load(folder.path))
    assert not isinstance(program.in_avals[0].shape[0], int)
    close(np.asarray(program.call(np.arange(3, dtype=np.uint32))), run.sample(n=3))
