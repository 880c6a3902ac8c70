"""Machines by name, what is missing for them, and a step's account on one that is made up of CPU devices."""

import json
import sys

import jax
import pytest
from helpers import small

from jaxgan import InputError
from jaxgan.__main__ import main
from jaxgan.config import get_preset, with_fields
from jaxgan.data.files import black
from jaxgan.models import MLPConfig
from jaxgan.train.ahead import account as ahead
from jaxgan.train.ahead.account import Account, fit
from jaxgan.train.ahead.machines import CHIPS, Machine, machine


@pytest.mark.parametrize(
    ("name", "chips", "platform"),
    [("v5e:16x16", 256, "tpu"), ("V5P:2x2x1", 4, "tpu"), ("h100:16", 16, "cuda")],
)
def test_names(name, chips, platform):
    there = machine(name)
    assert (there.chips, there.chip.platform) == (chips, platform)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("v5x:2x2", "unknown topology 'v5x'; known: h100:..."),
        ("v5e:16", "expected v5e:AxB"),
        ("v5e", "expected v5e:AxB"),
        ("v4:2x2", "expected v4:AxBxC"),
        ("h100:0", "expected h100:a number"),
        ("h100:12", "at most 8 or a multiple of 8 GPUs"),
    ],
)
def test_names_of_no_machine(name, said):
    with pytest.raises(InputError, match=said):
        machine(name)


@pytest.mark.parametrize(
    ("name", "package", "command"),
    [
        ("v5e:2x2", "libtpu", "pip install libtpu"),
        ("h100:8", "jax_cuda13_plugin", f"pip install 'jax[cuda13-local]=={jax.__version__}'"),
    ],
)
def test_a_compiler_that_is_not_there_is_named(name, package, command, monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    assert main(["compile", "mlp-mnist", "--topology", name]) == 2
    err = capsys.readouterr().err
    assert package in err
    assert command in err
    assert err.count("\n") == 1


@pytest.mark.parametrize(
    ("args", "said"),
    [
        ([], "topology: expected a machine"),
        (["--topolgy", "v5e:2x2"], "'--topolgy'"),
        (
            ["--topology", "v5e:2x2", "--batch", "8", "--batch-per-chip", "2"],
            "expected --batch or --batch-per-chip",
        ),
        (["--topology", "v5e:2x2", "--batch", "7"], "expected a multiple of 4 devices"),
        (["--topology", "v5e:2x2", "--compute.how", "pmap"], "compute.how: expected a program of jit"),
        (["--topology", "v5e:2x2", "--nothing"], "unknown flag '--nothing'"),
        (["--topology", "v5e:2x2", "--seeds", "3"], "seeds: expected none"),
        (["--topology", "v5e:2x2", "--name", "mine"], "name: expected none"),
    ],
)
def test_arguments_that_cannot_be(args, said, monkeypatch, capsys):
    monkeypatch.setattr(Machine, "devices", jax.devices())
    assert main(["compile", "mlp-mnist", *args]) == 2
    assert said in capsys.readouterr().err


def test_a_step_on_a_machine(monkeypatch, capsys, tmp_path):
    """Four devices of this machine stand for the chips: what is said of a step is true of it."""
    monkeypatch.setattr(Machine, "devices", jax.devices())
    out = tmp_path / "out.json"
    flags = ["--model.g-widths", "16", "--model.d-widths", "16", "--data.split", "test"]
    flags += ["--penalty.weights", "r1", "0.1", "--penalty.every", "4"]
    where = ["--topology", "v5e:2x2", "--batch-per-chip", "8", "--json", str(out)]
    assert main(["compile", "mlp-mnist", *flags, *where]) == 0
    found, said = json.loads(out.read_text()), capsys.readouterr().out
    assert (found["devices"], found["batch"], found["images"]) == (4, 32, 32)
    numbers = 2 * 784 * 16 + 16 * 64 + 17 + 784 + 16 + 16  # of both networks: each has a gradient
    reduced = found["collectives"]["all-reduce"]
    assert 4 * numbers <= reduced["bytes"] < 4 * numbers + 4096
    assert reduced["sent"] == 1.5 * reduced["bytes"]
    assert found["memory"]["data"] == 10_000 * 784 + 4 * 10_000  # images and labels are on every device
    assert found["memory"]["has"] == CHIPS["v5e"].memory
    assert found["flops"] > 6 * 8 * numbers
    assert found["step"] == max(found["seconds"].values()) == found["seconds"][found["bound"]]
    assert found["seconds"]["arithmetic"] == found["flops"] / 197e12
    assert found["largest_batch"]["batch"] % 4 == 0
    assert "bound by" in said
    assert "the dearest step, with all penalties that are applied now and then" in said
    assert "the largest batch is about" in said


class Silent:
    """A program whose compiler does not count, as that of CUDA."""

    def __init__(self, program):
        self.as_text, self.memory_analysis = program.as_text, program.memory_analysis

    def cost_analysis(self):
        return None


@pytest.mark.parametrize(
    ("batch", "changes"),
    [
        (16, {"compute.fsdp": 2}),
        (4, {"penalty.weights": (("path_length", 1.0),), "penalty.options": (("shrink", 2.0),)}),
    ],
    ids=["parameters in parts", "shares that cannot stand alone"],
)
def test_operations_that_the_compiler_does_not_count(batch, changes, tmp_path, monkeypatch):
    monkeypatch.setattr(Machine, "devices", jax.devices()[:4])
    monkeypatch.setattr(ahead, "compiled", lambda members, inner=ahead.compiled: Silent(inner(members)))
    config = with_fields(
        small(tmp_path, batch_size=batch, model=MLPConfig(g_widths=(4,), d_widths=(4,))), **changes
    )
    found = ahead.account(config, machine("h100:4"), black("", 64, (4, 4, 1), ()))
    assert found.counted.startswith("operations: the same step compiled for a CPU")
    assert found.flops > 0


def test_a_step_in_parts_has_the_operations_of_the_whole(tmp_path, monkeypatch):
    """Which the compiler counts in one part alone; fakes that two turns share are made twice."""
    monkeypatch.setattr(Machine, "devices", jax.devices()[:1])
    config = small(tmp_path, batch_size=256, model=MLPConfig(g_widths=(128,), d_widths=(128,)))
    whole, parts = (
        ahead.account(
            with_fields(config, **{"compute.microbatches": n}),
            machine("v5e:1x1"),
            black("", 256, (8, 8, 1), ()),
        ).flops
        for n in (1, 4)
    )
    assert 0.95 * whole < parts < 1.3 * whole, (whole, parts)


def test_products_of_less_precision_are_faster():
    for name, chip in CHIPS.items():
        rates = [chip.flops[kind] for kind in ("float32", "tensorfloat32", "highest")]
        assert rates == sorted(rates, reverse=True)
        assert (rates[1] < rates[0]) == (chip.platform == "tpu"), name
    config = with_fields(get_preset("mlp-mnist"), **{"compute.matmul_precision": "tensorfloat32"})
    assert ahead.dtype_of(config) == "tensorfloat32"


def test_the_batch_that_fits_is_on_a_line():
    """1 GiB and 1 MiB an example: of 3 GiB 2,048 examples remain, and of those a multiple of 12."""

    def of(batch):
        memory = {"peak": 2**30 + batch * 2**20, "has": 3 * 2**30}
        return Account(
            machine="v5e:2x2",
            devices=4,
            batch=batch,
            images=batch,
            dtype="float32",
            memory=memory,
            flops=1.0,
            nbytes=1.0,
            collectives={},
            unknown_loops=0,
            seconds={"arithmetic": 1.0},
            counted="",
        )

    assert fit(of(32), of(64)).batch == 2048
    assert fit(of(64), of(32), multiple=3).batch == 2040
    assert not of(4096).fits
