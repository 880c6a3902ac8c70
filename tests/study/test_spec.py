"""What a study stands for: variants, cells, and what determines them."""

import dataclasses
import json
import re

import numpy as np
import pytest
import tyro
from PIL import Image
from studies import SPEC

from jaxgan.common.errors import InputError
from jaxgan.config import DynamicsConfig, OptimizerConfig, PenaltyConfig, get_preset
from jaxgan.study import NO_PENALTY, PRESET, Cell, StudyArgs, Variant, penalty_variant, variant


def test_cells_are_the_product_and_know_what_determines_them(tmp_path):
    spec = dataclasses.replace(
        SPEC,
        penalties=(NO_PENALTY, penalty_variant({"r1": 0.1, "r2": 0.2}, every=4)),
        dynamics=(PRESET, variant(d_steps=2)),
        dynamics_for=("hinge",),
    )
    cells = spec.cells()
    assert len(cells) == 3 * 2 + 2
    assert len({cell.name for cell in cells}) == len(cells)
    assert all(re.fullmatch(r"[\w.=-]+", cell.name) for cell in cells)
    last = cells[3]
    config = last.config()
    assert config.penalty.weights == (("r1", 0.1), ("r2", 0.2))
    assert (config.penalty.every, config.d_steps, config.loss, config.steps) == (4, 2, "hinge", 40)
    assert Cell.from_json(json.loads(json.dumps(last.to_json()))) == last
    change = lambda **x: dataclasses.replace(SPEC, **x).cells()[0].key
    assert change() == SPEC.cells()[0].key
    changes = [{}, {"seeds": 4}, {"set": (("steps", "41"),)}, {"set": (("model.d_widths", "[8]"),)}]
    assert len({change(**x) for x in changes}) == 4
    assert change(set=(("compute.devices", "1"),)) == change(set=(("log_every", "7"),)) == change()


def test_fields_that_came_later_leave_the_keys_of_cells():
    kept = Cell("toy-ring", "hinge", "none", "default", (0,)).identity()["config"]
    assert kept["health"] == {"enabled": True, "n": 1000}
    assert {*kept["data"]} == {
        *("source", "split", "hold_out", "resolution", "channels", "flip", "skip_broken", "placement")
    }
    assert "augment" not in kept
    other = Cell("toy-ring", "hinge", "none", "default", (0,), {"health.roll_back": 2})
    assert other.identity()["config"]["health"]["roll_back"] == 2


def test_what_changes_results_makes_another_cell():
    def key(**fields):
        return Cell(
            "toy-ring", "hinge", "none", "default", (0,), {f"compute.{k}": x for k, x in fields.items()}
        ).key

    assert key() == key(devices=1, remat=True, microbatches=1)
    assert len({key(), key(microbatches=2), key(matmul_precision="highest")}) == 3


def test_the_content_of_a_path_alone_determines_a_cell(tmp_path):
    path = tmp_path / "images.npz"
    np.savez(path, images=np.arange(5 * 64, dtype=np.uint8).reshape(5, 8, 8))
    cells = [
        Cell("mlp-mnist", "hinge", "none", "default", (0,), {"data.source": s})
        for s in (f"{path}", f"npz:{path}")
    ]
    assert len({cell.identity()["data"] for cell in cells}) == 1
    assert "data" not in Cell("mlp-mnist", "hinge", "none", "default", (0,)).identity()


@pytest.mark.parametrize("source", ["deep:{a}", "pairs:{a},{b}", "domains:{a},{b}"])
def test_images_of_other_content_are_other_cells(source, tmp_path):
    found = []
    for shift in (0, 0, 1):
        folders = {name: tmp_path / f"{len(found)}" / name for name in "ab"}
        for k, folder in enumerate(folders.values()):
            folder.mkdir(parents=True)
            for i in range(6):
                pixels = np.random.default_rng(10 * k + i).integers(0, 200, (16, 16), np.uint8)
                Image.fromarray(pixels + np.uint8(shift)).save(folder / f"{i}.png")
        fields = {"data.source": source.format(**folders), "data.channels": 1}
        found.append(Cell("pix2pix", "hinge", "none", "default", (0,), fields).identity()["data"])
    assert found[0] == found[1] != found[2]


def test_variants_are_named_after_their_changes():
    assert variant(updates="simultaneous").name == "updates=simultaneous"
    assert variant(d_steps=5, **{"d_optimizer.kind": "sgd"}).name == "d_steps=5+d_optimizer.kind=sgd"
    assert penalty_variant({"r1": 0.003, "r2": 1.0}, every=4).name == "r1=0.003+r2=1+every=4"
    assert variant(**{"model.g_widths": (64, 64)}).name == "model.g_widths=[64,64]"
    assert variant(unroll=3, d_steps=5).changes == {"dynamics.unroll": 3, "d_steps": 5}


def configuration(*penalties, dynamics=(PRESET,), **fields):
    """The configuration of the last cell of toy-ring, which survives JSON."""
    spec = dataclasses.replace(SPEC, losses=("hinge",), penalties=penalties, dynamics=dynamics, fields=fields)
    cell = spec.cells()[-1]
    assert Cell.from_json(json.loads(json.dumps(cell.to_json()))) == cell
    return cell.config()


def test_penalties_take_the_place_of_the_presets():
    preset = get_preset("toy-ring").penalty
    assert (preset.schedule, len(preset.weights)) == ("exponential", 2)
    assert configuration(PRESET).penalty == preset
    assert configuration(NO_PENALTY).penalty == dataclasses.replace(preset, weights=())
    lazy = configuration(penalty_variant({"lecam": 1}, every=4)).penalty
    assert (lazy.weights, lazy.every, lazy.schedule) == ((("lecam", 1.0),), 4, "constant")


def test_a_variant_changes_whole_groups_too_and_the_last_change_wins():
    sgd = OptimizerConfig(0.01, kind="sgd")
    gradient = PenaltyConfig((("gradient_penalty", 2.0),), target=0.5)
    config = configuration(
        Variant("all", {"penalty": gradient, "d_optimizer": sgd, "dynamics": DynamicsConfig(unroll=2)}),
        dynamics=(Variant("last", {"dynamics.pack": 2, "d_optimizer.b1": 0.9}),),
        steps=7,
    )
    assert config.penalty == gradient
    assert config.d_optimizer == dataclasses.replace(sgd, b1=0.9)
    assert config.dynamics == DynamicsConfig(unroll=2, pack=2)
    assert config.steps == 7


def test_the_command_line_says_the_same_as_python():
    words = ["--penalties", "default", "none", "r1 0.1 r2 1 every 4", "--set", "steps", "5", "d_steps", "2"]
    words += ["--dynamics", "default", "updates simultaneous d_optimizer.b1 0.9", "--losses", "hinge"]
    spec = tyro.cli(StudyArgs, args=words).spec
    assert spec.penalties == (PRESET, NO_PENALTY, penalty_variant({"r1": 0.1, "r2": 1}, every=4))
    assert spec.dynamics == (PRESET, variant(updates="simultaneous", **{"d_optimizer.b1": 0.9}))
    assert {(cell.config().steps, cell.config().d_steps) for cell in spec.cells()} == {(5, 2)}
    assert tyro.cli(StudyArgs, args=[], default=StudyArgs(SPEC)).spec == SPEC


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--penalties", "r3 1"], "unknown penalty 'r3'; did you mean 'r"),
        (["--penalties", "none", "r1"], "penalties: expected NAME VALUE NAME VALUE ..., got 'r1'"),
        (["--penalties", "r1 x"], "penalties: expected a number as the weight of r1, got 'x'"),
        (["--dynamics", "updates"], "dynamics: expected NAME VALUE NAME VALUE ..., got 'updates'"),
    ],
)
def test_bad_variants_of_the_command_line_are_named(words, message, capsys):
    with pytest.raises(SystemExit):
        tyro.cli(StudyArgs, args=words)
    said = re.sub(r"[\s│|]+", " ", capsys.readouterr().err)
    assert message in said


def test_a_loss_of_ones_own_is_known_by_its_content(tmp_path):
    file, text = (
        tmp_path / "mine.py",
        "from jaxgan.losses import get_loss\ndef mine(): return get_loss('hinge')\n",
    )
    file.write_text(text)
    cell = dataclasses.replace(SPEC, losses=(f"{file}:mine",)).cells()[0]
    key = cell.key
    file.write_text(text + "# changed\n")
    assert cell.key != key
    moved = tmp_path / "elsewhere.py"
    moved.write_text(text)
    assert dataclasses.replace(cell, loss=f"{moved}:mine").key == key


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"losses": ("hing",)}, "did you mean 'hinge'"),
        ({"losses": ("nowhere.py:f",)}, "no file 'nowhere.py'"),
        ({"datasets": ("toy-rin",)}, "did you mean 'toy-ring'"),
        ({"penalties": (Variant("a", {"penalty.evry": 4}),)}, "did you mean 'penalty.every'"),
        ({"dynamics": (variant(updatez="x"),)}, "did you mean 'dynamics.updates'"),
        ({"dynamics": (variant(updates="x"),)}, "unknown dynamics.updates 'x'"),
        ({"set": (("stepps", "3"),)}, "unknown field 'stepps'"),
        ({"set": (("steps", "many"),)}, "steps: expected int, got 'many'"),
        ({"set": (("steps", "0"),)}, "at least 1"),
        ({"seeds": 0}, "seeds: expected at least 1"),
        ({"losses": ()}, "losses: expected at least one"),
        ({"dynamics_for": ("hing",)}, "did you mean 'hinge'"),
    ],
)
def test_a_bad_spec_is_one_line(change, message):
    with pytest.raises(InputError, match=re.escape(message)) as error:
        dataclasses.replace(SPEC, **change).cells()
    assert "\n" not in str(error.value)
