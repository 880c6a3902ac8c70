"""Trackers get what the run's own files get, offline here: modules that only remember stand for the packages."""

import io
import struct
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from tensorboardX.proto import event_pb2

from jaxgan import InputError
from jaxgan.config import Config
from jaxgan.config.config import LOGGERS as NAMES
from jaxgan.config.fields import to_json
from jaxgan.data import IMAGE
from jaxgan.report.pictures import picture, pixels_of, png
from jaxgan.runs.folder import RunFolder
from jaxgan.train.run import train
from jaxgan.train.sinks import loggers
from jaxgan.train.sinks.tensorboard import TensorBoard

PNG = picture(np.zeros((1, 8, 8, 1), np.uint8), IMAGE)
RECORD = {
    "step": 20,
    "images": 160,
    "d/loss": 1.5,
    "score": 3.0,
    "score_name": "fd_x",
    "verdicts": ["diverging"],
}
SCORES = {"main": "fd_x", "final": {"step": 40, "scores": {"fd_x": {"value": 2.5}, "is": {"value": None}}}}


@pytest.fixture
def folder(tmp_path):
    folder = RunFolder(tmp_path / "00007-mine")
    folder.path.mkdir()
    folder.write("config.json", to_json(Config()))
    folder.write(
        "run.json",
        {
            "status": "running",
            "command": "jaxgan train",
            "data": {"name": "ring", "n": 0},
            "environment": {"date": "today"},
        },
    )
    return folder


class Remembers:
    """Every call of every name, in order; what is asked of a result is remembered too."""

    def __init__(self):
        self.calls = []

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)

        def call(*args, **kwargs):
            self.calls.append((name, args, kwargs))
            return self

        return call

    def of(self, name):
        return [(args, kwargs) for called, args, kwargs in self.calls if called == name]


def told(name, folder, monkeypatch, module, status="finished"):
    monkeypatch.setitem(sys.modules, name, module)
    notes = []
    loggers.need_loggers([name])
    (sink,) = loggers.loggers_of([name], folder, notes.append)
    sink.start(0)
    sink.record(RECORD)
    sink.picture(20, PNG)
    sink.finding(20, "diverging: d/loss is 1e9")
    sink.scores(SCORES)
    sink.close(status, None)
    return notes


def test_wandb(folder, monkeypatch):
    run, module = Remembers(), Remembers()
    run.summary = {}
    module.init = lambda **kwargs: (module.calls.append(("init", (), kwargs)), run)[1]
    assert told("wandb", folder, monkeypatch, module) == []
    ((_, options),) = module.of("init")
    assert (options["project"], options["name"], options["resume"]) == ("jaxgan", "00007-mine", "allow")
    assert options["config"]["g_optimizer.learning_rate"] == Config().g_optimizer.learning_rate
    (numbers, at), (image, _) = run.of("log")
    assert (numbers, at) == (({"d/loss": 1.5, "score/fd_x": 3.0},), {"step": 20})
    assert list(image[0]) == ["samples"]
    assert run.of("alert")[0][1]["text"].startswith("step 20: diverging")
    assert run.summary == {"final/fd_x": 2.5, "status": "finished"}
    assert run.of("finish") == [((), {"exit_code": 0})]
    told("wandb", folder, monkeypatch, module, "failed")
    assert run.of("finish")[1] == ((), {"exit_code": 1})
    assert module.of("init")[1][1]["id"] == options["id"]  # a resumed run goes on


def test_mlflow(folder, monkeypatch):
    client = Remembers()
    client.get_experiment_by_name = lambda name: None
    client.create_run = lambda experiment, run_name: SimpleNamespace(info=SimpleNamespace(run_id="42"))
    assert told("mlflow", folder, monkeypatch, SimpleNamespace(MlflowClient=lambda: client)) == []
    assert client.of("create_experiment") == [(("jaxgan",), {})]
    assert (("42", "batch_size", 64), {}) in client.of("log_param")
    assert client.of("log_metric") == [
        (("42", "d/loss", 1.5), {"step": 20}),
        (("42", "score/fd_x", 3.0), {"step": 20}),
        (("42", "final/fd_x", 2.5), {"step": 40}),
    ]
    assert client.of("log_image")[0][1] == {"artifact_file": "samples/step-0000020.png"}
    assert client.of("set_terminated") == [(("42",), {"status": "FINISHED"})]
    params = len(client.of("log_param"))
    told("mlflow", folder, monkeypatch, SimpleNamespace(MlflowClient=lambda: client), "stopped")
    assert len(client.of("log_param")) == params  # the same run goes on
    assert client.of("set_terminated")[1] == (("42",), {"status": "KILLED"})


def test_trackio(folder, monkeypatch):
    module = Remembers()
    assert told("trackio", folder, monkeypatch, module) == []
    ((_, options),) = module.of("init")
    assert (options["project"], options["name"][:-6]) == ("jaxgan", "00007-mine-")
    told("trackio", folder, monkeypatch, module)
    folder.update(environment={"date": "tomorrow"})
    told("trackio", folder, monkeypatch, module)
    names = [kwargs["name"] for _, kwargs in module.of("init")]
    assert (
        names[0] == names[1] != names[2]
    )  # a resumed run goes on, and another of the same folder's name does not
    assert module.of("log")[0] == (({"d/loss": 1.5, "score/fd_x": 3.0},), {"step": 20})
    assert module.of("log")[2] == (({"final/fd_x": 2.5},), {"step": 40})
    assert len(module.of("finish")) == 3


def test_members_of_seeds_are_told_apart_from_those_of_others(folder, monkeypatch):
    member = RunFolder(folder.path / "seed-00003")
    member.path.mkdir()
    for name in ("config.json", "run.json"):
        member.write(name, folder.read(name))
    folder.write("seeds.json", {})
    module = Remembers()
    assert told("trackio", member, monkeypatch, module) == []
    assert module.of("init")[0][1]["name"].startswith("00007-mine/seed-00003-")


def test_a_tracker_that_fails_is_told_of_once_and_left_alone(folder, monkeypatch):
    def init(**kwargs):
        raise OSError("no network\nat all")

    module = SimpleNamespace(init=init)
    (note,) = told("trackio", folder, monkeypatch, module)
    assert note == "warning: logger trackio failed, and is left alone from here on: OSError: no network"


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_package_is_said_before_any_work(name, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, name, None)
    config = Config(out=str(tmp_path / "runs"), logger=(name,))
    with pytest.raises(
        InputError, match=rf"logger: '{name}' needs the package {name}: pip install 'jaxgan\[{name}\]'"
    ):
        train(config)
    assert not (tmp_path / "runs").exists()


def test_names_of_loggers_are_one_list():
    assert set(NAMES) == set(loggers.LOGGERS)
    with pytest.raises(InputError, match="unknown logger 'wandv'; did you mean 'wandb'"):
        Config(logger=("wandv",)).check()


def test_tensorboard_has_the_pictures_on_white(tmp_path):
    half = np.arange(96, dtype=np.uint8).reshape(4, 6, 4)
    files = PNG, png(half), png(half[..., :3])
    board = TensorBoard(tmp_path)
    board.start(0)
    board.picture(20, files[0])
    for kind, file in zip(("walk", "morph"), files[1:], strict=True):
        board.also(20, kind, file)
    board.close("finished", None)
    (path,) = tmp_path.iterdir()
    data, found = path.read_bytes(), {}
    while data:
        (n,) = struct.unpack("<Q", data[:8])
        for value in event_pb2.Event.FromString(data[12 : 12 + n]).summary.value:
            found[value.tag] = value.image
        data = data[16 + n :]
    assert list(found) == ["samples", "walk", "morph"]
    for image, file in zip(found.values(), files, strict=True):
        shown = Image.open(io.BytesIO(image.encoded_image_string))
        assert (image.width, image.height, image.colorspace) == (*shown.size, len(shown.getbands()))
        np.testing.assert_array_equal(shown.convert("RGB"), pixels_of(file))
    assert found["samples"].encoded_image_string == PNG


def test_tensorboard_has_the_configuration_and_the_final_scores(tmp_path):
    board = TensorBoard(tmp_path, to_json(Config()))
    board.start(0)
    board.record(RECORD)
    board.scores(SCORES)
    board.close("finished", None)
    (file,) = tmp_path.iterdir()
    events = file.read_bytes()
    for words in (b"config/text_summary", b"learning_rate", b"_hparams_/session_start_info", b"final/fd_x"):
        assert words in events
    assert events.count(b"_hparams_/session_start_info") == 1
    board = TensorBoard(tmp_path / "stopped", to_json(Config()))
    board.start(0)
    board.close("stopped", None)  # hyper-parameters also of a run that was not scored
    (file,) = (tmp_path / "stopped").iterdir()
    assert file.read_bytes().count(b"_hparams_/session_start_info") == 1
