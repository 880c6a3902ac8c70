"""Settings of `compute` that change the program and not the result: parts of a batch, precision, donation."""

import dataclasses

import jax
import numpy as np
import pytest
from helpers import small, small_dcgan

from jaxgan import InputError
from jaxgan.config.groups import ComputeConfig, DataConfig
from jaxgan.config.moves import OptimizerConfig, PenaltyConfig
from jaxgan.models import MLPConfig
from jaxgan.train import run
from jaxgan.train.batch_parts import check_parts, notes_of_parts
from jaxgan.train.members import Members, set_up

pytestmark = pytest.mark.usefixtures("quick_keys")


def points(tmp_path, **compute):
    """A fully connected GAN on the ring."""
    smooth = OptimizerConfig(1e-3, b1=0.5, eps=1e-2)  # Adam's own would amplify what is only rounding
    changes = {"data": DataConfig("ring"), "model": MLPConfig(g_widths=(8,), d_widths=(8,))}
    changes |= {
        "penalty": PenaltyConfig((("r1", 0.1),), every=2),
        "g_optimizer": smooth,
        "d_optimizer": smooth,
    }
    return small(tmp_path, "toy-ring", **changes, compute=ComputeConfig(1, steps_per_dispatch=2, **compute))


def one_in_two(tmp_path, devices=1, **compute):
    """A penalty that looks at one of two neighbours, in a batch of 8."""
    penalty = PenaltyConfig((("path_length", 1.0),), options=(("shrink", 2.0),))
    own = ComputeConfig(devices, **compute)
    return dataclasses.replace(points(tmp_path), penalty=penalty, compute=own)


@pytest.mark.parametrize(("batch", "mapped"), [(4, False), (8, True)])
def test_examples_of_which_one_is_looked_at_are_not_parted(tmp_path, batch, mapped):
    """Of 4 devices each would have a single one of 4."""
    group = set_up(dataclasses.replace(one_in_two(tmp_path, 4), batch_size=batch))
    assert ("all_reduce" in group.lowered().as_text()) == mapped


def test_seeds_are_trained_in_parts(tmp_path):
    ends = []
    for parts, how in ((1, "loop"), (4, "vmap")):
        group = Members(points(tmp_path, microbatches=parts), [0, 1], how=how)
        states, metrics = group.advance(group.init(), group.inputs(0), 0)
        ends.append(jax.device_get(([group.member(states, k).players for k in (0, 1)], metrics)))
    for a, b in zip(*map(jax.tree.leaves, ends), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6)


def test_a_state_is_consumed(tmp_path):
    group = set_up(points(tmp_path))
    before = group.init()
    states, _ = group.advance(before, group.inputs(0), 0)
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(before))
    assert not any(leaf.is_deleted() for leaf in jax.tree.leaves(states))


@pytest.mark.parametrize(
    ("asked", "found"), [("default", None), ("tensorfloat32", "HIGH"), ("highest", "HIGHEST")]
)
def test_products_have_the_precision_that_is_asked_for(tmp_path, asked, found, monkeypatch):
    monkeypatch.setenv("JAXGAN_FAST_CONV", "0")
    group = set_up(points(tmp_path, matmul_precision=asked))
    text = group.lowered().as_text()
    of_products = [line for line in text.splitlines() if "stablehlo.dot_general" in line]
    said = f"precision = [{found}, {found}]"
    assert len(of_products) > 8
    assert all((said in line) if found else ("HIGH" not in line) for line in of_products)


def test_the_precision_is_recorded(tmp_path, monkeypatch):
    monkeypatch.setattr(run, "train_in", lambda folder, own, members: folder)
    assert run.train(points(tmp_path)).read("run.json")["environment"]["matmul_precision"] == "default"
    folder = run.train(points(tmp_path, matmul_precision="highest"))
    assert folder.read("run.json")["environment"]["matmul_precision"] == "highest"
    assert folder.read("config.json")["compute"]["matmul_precision"] == "highest"


def test_what_cannot_be_is_named(tmp_path):
    with pytest.raises(InputError, match="^unknown compute.matmul_precision 'bfloat8'"):
        points(tmp_path, matmul_precision="bfloat8").check()
    with pytest.raises(InputError, match="^compute.microbatches: expected at least 1, got 0"):
        points(tmp_path, microbatches=0).check()
    with pytest.raises(
        InputError, match="^compute.microbatches: expected a divisor of batch_size = 8, got 3"
    ):
        check_parts(set_up(points(tmp_path, microbatches=3)))
    four = small(tmp_path, compute=ComputeConfig(4, microbatches=4))
    with pytest.raises(
        InputError, match="a divisor of 2, what each of 4 devices has of batch_size = 8, got 4"
    ):
        check_parts(set_up(four))
    with pytest.raises(
        InputError, match="^compute.microbatches: expected parts of which penalty.options.shrink = 2"
    ):
        check_parts(set_up(one_in_two(tmp_path, microbatches=8)))
    with pytest.raises(InputError, match="^compute.remat: expected networks of blocks"):
        set_up(points(tmp_path, remat=True))


def test_what_is_not_the_same_in_parts_is_told(tmp_path):
    group = set_up(small_dcgan(tmp_path, compute=ComputeConfig(1, microbatches=2)))
    assert len(notes_of_parts(group)) == 2
    assert all(note.endswith("(compute.microbatches)") for note in notes_of_parts(group))
    assert not notes_of_parts(set_up(points(tmp_path, microbatches=2)))
