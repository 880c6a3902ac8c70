"""What is read from the text of a program: counted by hand on a small one, with all that such a text may have."""

import jax
import jax.numpy as jnp
import pytest

from jaxgan.train.ahead.hlo import Collective, arrays_of, nbytes, read

TEXT = """\
HloModule jit_step, is_scheduled=true, num_partitions=4

%add (a: f32[], b: f32[]) -> f32[] {
  %a = f32[]{:T(128)} parameter(0)
  %b = f32[]{:T(128)} parameter(1)
  ROOT %sum = f32[]{:T(128)} add(%a, %b)
}

%body (p: (s32[], f32[8])) -> (s32[], f32[8]) {
  %p = (s32[]{:T(128)}, f32[8]{0:T(256)}) parameter(0)
  %i = s32[]{:T(128)} get-tuple-element(%p), index=0
  %x = f32[8]{0:T(256)} get-tuple-element(%p), index=1
  %in-loop = f32[8]{0:T(256)} all-reduce(%x), channel_id=1, replica_groups=[1,4]<=[4], to_apply=%add
  ROOT %out = (s32[]{:T(128)}, f32[8]{0:T(256)}) tuple(%i, %in-loop)
}

%condition (p.1: (s32[], f32[8])) -> pred[] {
  %p.1 = (s32[]{:T(128)}, f32[8]{0:T(256)}) parameter(0)
  ROOT %less = pred[]{:T(512)} constant(false)
}

%due (p.2: f32[8]) -> f32[8] {
  %p.2 = f32[8]{0:T(256)} parameter(0)
  ROOT %in-branch = f32[8]{0:T(256)} all-reduce(%p.2), channel_id=2, replica_groups={{0,1},{2,3}}, to_apply=%add
}

%skipped (p.3: f32[8]) -> f32[8] {
  ROOT %p.3 = f32[8]{0:T(256)} parameter(0)
}

%wrapped (p.4: bf16[4]) -> bf16[16] {
  %p.4 = bf16[4]{0:T(256)(2,1)} parameter(0)
  ROOT %all = bf16[16]{0:T(256)(2,1)} all-gather(%p.4), channel_id=4, replica_groups=[1,4]<=[4], dimensions={0}
}

ENTRY %main (x: f32[8], y: bf16[4]) -> f32[8] {
  %x = f32[8]{0:T(256)} parameter(0), sharding={replicated}
  %y = bf16[4]{0:T(256)(2,1)} parameter(1)
  %zero = s32[]{:T(128)} constant(0)
  %start = (f32[8]{0:T(256)}, /*index=1*/s32[]{:T(128)}) tuple(%x, %zero)
  %loop = (s32[]{:T(128)}, f32[8]{0:T(256)}) while(%start), condition=%condition, body=%body, \
backend_config={"known_trip_count":{"n":"5"}}
  %after = f32[8]{0:T(256)} get-tuple-element(%loop), index=1
  %both = (f32[8]{0:T(256)}, f32[2,2]{1,0}) all-reduce(%after, %square), channel_id=3, replica_groups={}, to_apply=%add
  %square = f32[2,2]{1,0} bitcast(%x)
  %chosen = f32[8]{0:T(256)} conditional(%zero, %after, %after), branch_computations={%due, %skipped}
  %begun = ((bf16[4]{0}), bf16[16]{0}, u32[]) async-start(%y), calls=%wrapped
  %ended = bf16[16]{0:T(256)(2,1)} async-done(%begun)
  %reduced = f32[8]{0:T(256)} all-reduce-start(%chosen), channel_id=5, replica_groups=[1,4]<=[4], to_apply=%add
  %waited = f32[8]{0:T(256)} all-reduce-done(%reduced)
  ROOT %last = f32[8]{0:T(256)} add(%waited, %waited)
}
"""


def test_collectives_are_counted_as_often_as_they_are_run():
    program = read(TEXT, 4)
    assert program.totals() == {
        "all-reduce": {
            "count": 5 + 1 + 1 + 1,
            "bytes": 5 * 32 + (32 + 16) + 32 + 32,
            "sent": 1.5 * (5 * 32 + 48 + 32) + 1.0 * 32,
        },
        "all-gather": {"count": 1, "bytes": 8, "sent": 24},
    }
    assert program.unknown_loops == 0
    groups = {one.times: one.within for one in program.collectives if one.within}
    assert groups[5] == ("while loop",)
    branch = next(one for one in program.collectives if one.group == 2)
    assert branch.within == ("conditional chosen",)
    gathered = next(one for one in program.collectives if one.kind == "all-gather")
    assert (gathered.types, gathered.shapes) == (("bf16",), ((4,),))


def test_a_collective_in_several_fusions_is_one():
    """As the compiler of TPUs writes it: one channel, begun, gone on with and ended."""
    named = "replica_groups=mesh['x'=2,'y'=4] {'y'}"
    fused = (
        "%part (p.4: bf16[4]) -> bf16[16] {"
        + TEXT.split("%wrapped (p.4: bf16[4]) -> bf16[16] {")[1].split("}\n\n")[0]
    )
    fused = fused.replace("replica_groups=[1,4]<=[4]", named) + "}\n\n"
    twice = "  %go = bf16[16]{0} fusion(%y), kind=kCustom, calls=%part\n  %end = bf16[16]{0} fusion(%y), calls=%part\n"
    text = TEXT.replace("ENTRY", fused + "ENTRY").replace("  ROOT %last", twice + "  ROOT %last")
    text = text.replace("channel_id=4, replica_groups=mesh", "channel_id=9, replica_groups=mesh")
    gathers = [one for one in read(text, 8).collectives if one.kind == "all-gather"]
    assert [(one.group, one.within) for one in gathers] == [(4, ("async-start begun",)), (4, ("fusion go",))]


def test_loops_of_unknown_length_are_told():
    program = read(TEXT.replace('backend_config={"known_trip_count":{"n":"5"}}', "sharding={}"), 4)
    assert program.unknown_loops == 1
    assert program.totals()["all-reduce"]["count"] == 4


def test_the_length_of_a_loop_that_counts_up_to_a_number():
    """As the compiler of TPUs leaves it: nothing is said of it, but it is seen."""
    text = TEXT.replace('backend_config={"known_trip_count":{"n":"5"}}', "sharding={}")
    counted = """\
  %i.1 = s32[]{:T(128)} get-tuple-element(%p.1), index=0
  %n = s32[]{:T(128)} constant(7)
  ROOT %less = pred[]{:T(512)} compare(%i.1, %n), direction=LT
"""
    constant = "  ROOT %less = pred[]{:T(512)} constant(false)\n"
    program = read(text.replace(constant, counted), 4)
    assert (program.unknown_loops, program.totals()["all-reduce"]["count"]) == (0, 7 + 3)
    other = read(text.replace(constant, counted.replace("LT", "NE")), 4)
    assert other.unknown_loops == 1


def test_operations_of_loops_are_counted_as_often_as_they_are_run():
    """Of the compiler's own text, which counts a loop once: a product, and a loop of three convolutions."""
    x, kernel = jnp.ones((2, 8, 8, 3)), jnp.ones((3, 3, 3, 3))
    conv = lambda x: jax.lax.conv_general_dilated(
        x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )

    def looped(x):
        return jax.lax.scan(lambda x, _: (conv(x), ()), x, length=3)[0].reshape(2, -1) @ jnp.ones((192, 5))

    program = read(jax.jit(looped).lower(x).compile().as_text(), 1)
    product, one = 2 * 2 * 192 * 5, 2 * (2 * 8 * 8 * 3) * 27
    assert program.flops == product + 3 * one
    assert program.once[1] == product + one
    assert program.again == (program.nbytes - program.once[0], 2 * one)
    assert program.again[0] >= 2 * 4 * 2 * x.size  # what each further convolution reads and writes


def test_bytes_are_operands_and_results():
    """Of the last addition 96; the all-reduces and the rest are counted beside it."""
    less = TEXT.replace("  ROOT %last = f32[8]{0:T(256)} add(%waited, %waited)\n", "")
    assert read(TEXT, 4).nbytes - read(less, 4).nbytes == 3 * 32


@pytest.mark.parametrize(
    ("kind", "sent"),
    [
        ("all-reduce", 150),
        ("all-gather", 300),
        ("reduce-scatter", 75),
        ("all-to-all", 75),
        ("collective-permute", 100),
    ],
)
def test_what_a_device_sends(kind, sent):
    assert Collective(kind, 100, 4).sent == sent
    assert Collective(kind, 100, 1).sent == 0


def test_shapes():
    assert arrays_of("(f32[2,3]{1,0:T(8,128)S(1)}, s4[3]{0}, /*index=2*/pred[])") == [
        ("f32", (2, 3)),
        ("s4", (3,)),
        ("pred", ()),
    ]
    assert nbytes("(f32[2,3]{1,0}, s4[3]{0}, pred[], token[])") == 24 + 2 + 1
