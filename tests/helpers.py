"""Small runs and what the tests ask of them."""

import contextlib
import copy
import dataclasses
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import time
import zlib
from unittest import mock

import jax
import jax.numpy as jnp
import numpy as np

from jaxgan import init
from jaxgan.common.keys import as_quick
from jaxgan.config import ComputeConfig, Config, DataConfig, HealthConfig, OptimizerConfig, get_preset
from jaxgan.config.data import open_data
from jaxgan.config.fields import to_json
from jaxgan.data import describe
from jaxgan.data.mnist import load_mnist
from jaxgan.models import DCGANConfig, MLPConfig
from jaxgan.models.pretrained import efficientnet
from jaxgan.runs import checksums
from jaxgan.runs.checkpoint import Checkpoints
from jaxgan.runs.folder import RunFolder, create
from jaxgan.runs.opened import saved_state
from jaxgan.train import resume, run, seeds
from jaxgan.train.sinks.progress import Progress

GOLDEN = pathlib.Path(__file__).parent / "golden"
ALL = "JAXGAN_TESTS_ALL" in os.environ


def some(names, *chosen):
    """The chosen ones of `names`, which stand for the others; all of them with JAXGAN_TESTS_ALL=1."""
    names = list(names)
    assert set(chosen) < set(names), "the others are more of the same kind"
    return names if ALL else list(chosen)


def small(tmp_path, preset="mlp-mnist", **changes) -> Config:
    """A run of seconds on one device."""
    base = {
        "out": str(tmp_path / "runs"),
        "steps": 40,
        "batch_size": 8,
        "log_every": 10,
        "sample_every": 20,
        "checkpoint_every": 10,
        "evaluate_every": 20,
        "quick_n": 150,
        "final_n": 150,
        "data": DataConfig("mnist", "test"),
        "model": MLPConfig(g_widths=(16,), d_widths=(16,)),
        "compute": ComputeConfig(devices=1),
        "health": HealthConfig(enabled=False),  # tests of their own
    }
    return dataclasses.replace(get_preset(preset), **(base | changes))


def digits(tmp_path, n=300) -> DataConfig:
    """A few of MNIST's test digits at 8x8 pixels."""
    path = tmp_path / "digits.npz"
    np.savez(path, images=load_mnist("test").images[:n, 2:26:3, 2:26:3])
    return DataConfig(f"npz:{path}")


@contextlib.contextmanager
def shallow_eyes():
    """Projected GAN with a feature network of one plain block a stage: it compiles in seconds."""
    stages = tuple((1, channels, 3, stride, 1) for _, channels, _, stride, _ in efficientnet.STAGES)
    with mock.patch.object(efficientnet, "STAGES", stages):
        yield


_OF_THE_LOOP = (
    *("out", "checkpoint_every", "sample_every", "evaluate_every", "log_every"),
    *("quick_n", "final_n", "logger", "health"),
)


@contextlib.contextmanager
def shared_programs():
    """Trainings of one game from the same seeds share what is compiled, which takes most of their time."""
    kept = {}

    def sharing(make):
        def made(*args, **options):
            new = make(*args, **options)
            plain = {name: value for name, value in to_json(new.config).items() if name not in _OF_THE_LOOP}
            if not resume.scheduled(new.config):
                del plain["steps"]
            key = json.dumps([plain, new.seeds, new.how, new.repeat, new.data], default=str)
            if key not in kept:
                kept[key] = new
                return new
            same = copy.copy(kept[key])
            same.config = new.config
            return same

        return made

    with (
        mock.patch.object(run, "set_up", sharing(run.set_up)),
        mock.patch.object(resume, "set_up", sharing(resume.set_up)),
        mock.patch.object(seeds, "Members", sharing(seeds.Members)),
    ):
        yield


@contextlib.contextmanager
def quick_keys():
    """Keys whose random numbers compile quickly in the place of JAX's: for runs whose numbers do not matter."""
    usual, wrapped = jax.random.key, jax.random.wrap_key_data

    def key(seed, *, impl=None):
        return as_quick(usual(seed)) if impl is None else usual(seed, impl=impl)

    def wrap(data, *, impl=None):  # checkpoints keep the name of the kind, which JAX does not know
        return as_quick(wrapped(data)) if impl == "quick" else wrapped(data, impl=impl)

    with mock.patch.object(jax.random, "key", key), mock.patch.object(jax.random, "wrap_key_data", wrap):
        yield


def copied(folder: RunFolder, where: pathlib.Path) -> RunFolder:
    """A copy of a run, to be changed."""
    return RunFolder(pathlib.Path(shutil.copytree(folder.path, where / folder.path.name)))


def small_dcgan(tmp_path, **changes) -> Config:
    adam = OptimizerConfig(1e-3, schedule="linear")
    return small(
        tmp_path, "dcgan-mnist", model=DCGANConfig(width=2), g_optimizer=adam, d_optimizer=adam, **changes
    )


def stream_keys(state, draw: int, stream: str, n: int):
    """The keys of a step's random numbers, written anew: functions of seed, step, draw, stream and example."""
    key = jax.random.fold_in(jax.random.fold_in(state.key, state.step), draw)
    key = jax.random.fold_in(key, zlib.crc32(stream.encode()))
    return jax.vmap(lambda i: jax.random.fold_in(key, i))(jnp.arange(n))


def untrained(config, path=None, *, records=(), status="finished", scale=1.0) -> RunFolder:
    """The folder of a run as training leaves it, with its first state, times `scale`, in the place of the last."""
    source = open_data(config)
    spec, environment = source.spec, {"devices": ["cpu"], "packages": {}}
    folder = create(config, describe(source), environment, "jaxgan train", path)
    folder.update(status=status, train_seconds=65.0)
    folder.metrics.write_text("".join(json.dumps(record) + "\n" for record in records))
    game = config.build(spec)
    state = jax.jit(lambda key: init(game, key, spec.batch()))(jax.random.key(config.seed))
    if scale != 1:
        state = jax.tree.map(lambda x: x * scale if jnp.issubdtype(x.dtype, jnp.floating) else x, state)
    checkpoints = Checkpoints(folder.path)
    checkpoints.save(
        config.steps, state, {"config": folder.read("config.json"), "best": None, "train_seconds": 65.0}
    )
    checkpoints.close()
    return folder


def arrays(folder: RunFolder, step: int) -> dict[str, np.ndarray]:
    """Every array of a checkpoint, by its path in the state."""
    return dict(checksums.arrays(saved_state(folder, step)))


def same_arrays(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert a[name].tobytes() == b[name].tobytes(), name


def goes_on_to_the_bit(folder, step):
    """A run goes on from the checkpoint before its last one, of `step`, and ends with the same bits."""
    whole = arrays(folder, step)
    shutil.rmtree(folder.path / "checkpoints" / str(step))
    assert [int(path.name) for path in (folder.path / "checkpoints").iterdir() if 0 < int(path.name) < step]
    resume.resume(folder)
    same_arrays(arrays(folder, step), whole)


def near_on_four_devices(config, folder, names):
    """A run of the configuration on four devices has the losses of this one."""
    four = run.train(dataclasses.replace(config, compute=ComputeConfig(4)))
    for name in names:
        of = [[record[name] for record in own.records()] for own in (four, folder)]
        assert of[0]
        np.testing.assert_allclose(*of, rtol=1e-4, equal_nan=False)


def interrupt_at(monkeypatch, step, signum=signal.SIGINT):
    """A signal, SIGINT as from a keyboard, while the loop is at `step`."""
    show = Progress.record

    def interrupting(self, record):
        show(self, record)
        if record["step"] == step:
            os.kill(os.getpid(), signum)
            time.sleep(0.01)

    monkeypatch.setattr(Progress, "record", interrupting)


def command(*args: object, **environment: str) -> subprocess.Popen:
    """`jaxgan ARGS` as a process of its own, with one device."""
    env = {**os.environ, "JAX_NUM_CPU_DEVICES": "1", "PYTHONUNBUFFERED": "1", **environment}
    return subprocess.Popen(
        [sys.executable, "-m", "jaxgan", *map(str, args)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=env,
        cwd=pathlib.Path(__file__).parent.parent,
    )


def take_over(folder: pathlib.Path) -> None:
    """Puts the lock of a process on another machine in the place of the one that is held."""
    lock = folder / "run.lock"
    other = {"token": "another", "host": "h", "machine": "elsewhere"}
    lock.write_text(json.dumps(json.loads(lock.read_text()) | other))


def contents(folder: pathlib.Path) -> dict[str, bytes | None]:
    """Everything in a folder, to the byte."""
    return {str(path): path.read_bytes() if path.is_file() else None for path in folder.rglob("*")}
