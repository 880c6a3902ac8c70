"""What devices send each other in a compiled program, read from its text (HLO after optimisation)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

KINDS = (
    "all-reduce",
    "all-gather",
    "reduce-scatter",
    "all-to-all",
    "ragged-all-to-all",
    "collective-permute",
    "collective-broadcast",
)
_BITS = {"pred": 8, "token": 0, "opaque": 0}
_NO_BYTES = {"parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "partition-id",
             "replica-id", "iota"}  # fmt: skip
_WITHIN = re.compile(
    r"(?:calls|to_apply|body|condition|true_computation|false_computation|branch_computations|called_computations)="
    r"(\{[^}]*\}|%?[\w.\-]+)"
)


@dataclass(frozen=True)
class Instruction:
    """One line of a computation.

    Attributes:
      name: in its computation.
      shape: of the result, as it is written.
      opcode: what is done.
      operands: names of other instructions; of a constant what it is.
      rest: attributes.
    """

    name: str
    shape: str
    opcode: str
    operands: tuple[str, ...]
    rest: str

    @property
    def called(self) -> list[str]:
        """Names of the computations that the instruction calls."""
        return [
            name.strip().lstrip("%")
            for found in _WITHIN.findall(self.rest)
            for name in found.strip("{}").split(",")
            if name.strip()
        ]


@dataclass(frozen=True)
class Collective:
    """A collective of a program, as often as it is run.

    Attributes:
      kind: one of KINDS.
      nbytes: of what a device puts in.
      group: how many devices take part.
      times: how often a step runs it.
      types: of the numbers, such as "f32".
      within: names of the computations, from the outermost on, in which it is; of a loop or a branch, say.
      shapes: of the arrays that a device puts in.
    """

    kind: str
    nbytes: int
    group: int
    times: int = 1
    types: tuple[str, ...] = ()
    within: tuple[str, ...] = ()
    shapes: tuple[tuple[int, ...], ...] = ()

    @property
    def sent(self) -> float:
        """Bytes that each device sends at least in one run of it; an all-reduce counts as a scatter and a gather."""
        others = self.group - 1
        if self.kind == "all-reduce":
            return 2 * self.nbytes * others / self.group
        if self.kind == "all-gather":
            return self.nbytes * others
        if self.kind in ("collective-permute", "collective-broadcast"):
            return self.nbytes if others else 0
        return self.nbytes * others / self.group


@dataclass
class Program:
    """A program as its text tells.

    Attributes:
      collectives: all that a device takes part in.
      nbytes: read and written by instructions, each operand and each result once.
      flops: of products and convolutions, where nothing is known of the zeros between pixels and around them.
      once: the same two, with every loop run once, as compilers count.
      unknown_loops: loops whose length the text does not say; they are counted as run once.
    """

    collectives: list[Collective] = field(default_factory=list)
    nbytes: int = 0
    flops: int = 0
    once: tuple[int, int] = (0, 0)
    unknown_loops: int = 0

    @property
    def again(self) -> tuple[int, int]:
        """Bytes and operations of all runs of loops after the first."""
        return self.nbytes - self.once[0], self.flops - self.once[1]

    def totals(self) -> dict[str, dict[str, float]]:
        """Sums over the collectives of one run on one device: kind -> {"count", "bytes", "sent"}."""
        found: dict[str, dict[str, float]] = {}
        for one in self.collectives:
            of = found.setdefault(one.kind, {"count": 0, "bytes": 0, "sent": 0})
            of["count"] += one.times
            of["bytes"] += one.times * one.nbytes
            of["sent"] += one.times * one.sent
        return found


def read(text: str, devices: int) -> Program:
    """Reads a program.

    Loops count as often as the compiler says that they run; of the branches of a condition the one counts that sends
    the most. A collective that is begun and awaited apart (-start, -done) is one.

    Args:
      text: of the whole module, as `compiled.as_text()` gives it.
      devices: that run it.
    """
    computations, entry = _computations(text)
    return _Reader(computations, devices).of(entry)


class _Reader:
    """Adds up computations, each with those that it calls."""

    def __init__(self, computations: Mapping[str, dict[str, Instruction]], devices: int) -> None:
        self.computations, self.devices = computations, devices
        self.seen: set[str] = set()  # channels: a TPU begins, goes on with and ends one in several fusions

    def of(self, name: str, within: tuple[str, ...] = (), fused: bool = False) -> Program:
        own, total = self.computations.get(name, {}), Program()
        for one in own.values():
            kind = one.opcode.removesuffix("-start")
            if kind in KINDS and not (fused and self._again(one)):
                total.collectives.append(self._collective(kind, one, own, within))
            counts = not fused and one.opcode not in _NO_BYTES and not one.opcode.endswith("-done")
            mine = self._nbytes(one, own) if counts else 0, _flops(one, own)
            total.nbytes, total.flops = total.nbytes + mine[0], total.flops + mine[1]
            total.once = total.once[0] + mine[0], total.once[1] + mine[1]
            for times, inner in self._called(one, within, fused):
                total.collectives += [_repeated(found, times) for found in inner.collectives]
                total.nbytes += times * inner.nbytes
                total.flops += times * inner.flops
                total.once = total.once[0] + inner.once[0], total.once[1] + inner.once[1]
                total.unknown_loops += inner.unknown_loops
            if one.opcode == "while" and self._trips(one) is None:
                total.unknown_loops += 1
        return total

    def _called(
        self, one: Instruction, within: tuple[str, ...], fused: bool
    ) -> Iterator[tuple[int, Program]]:
        path = (*within, f"{one.opcode} {one.name}")
        if one.opcode == "while":
            for name in one.called:
                yield self._trips(one) or 1, self.of(name, path, fused)
        elif one.opcode == "conditional":
            branches = [self.of(name, path, fused) for name in one.called]
            cost = lambda program: (sum(c.times * c.sent for c in program.collectives), program.nbytes)
            if branches:
                yield 1, max(branches, key=cost)
        elif one.opcode in ("fusion", "async-start"):
            for name in one.called:
                yield 1, self.of(name, path, True)
        elif one.opcode in ("call", "custom-call"):
            for name in one.called:
                yield 1, self.of(name, within, fused or one.opcode == "custom-call")

    def _collective(
        self, kind: str, one: Instruction, own: Mapping[str, Instruction], within: tuple[str, ...]
    ) -> Collective:
        given = [own[name].shape for name in one.operands if name in own]
        arrays = [array for shape in given for array in arrays_of(shape)]
        return Collective(
            kind,
            sum(_size(*array) for array in arrays),
            self._group(one.rest),
            types=tuple(sorted({dtype for dtype, _ in arrays})),
            within=within,
            shapes=tuple(sides for _, sides in arrays),
        )

    def _trips(self, one: Instruction) -> int | None:
        """How often a loop runs: as the compiler says, or, of a TPU, as the one number says that it counts up to."""
        if found := re.search(r'known_trip_count"?:\{"?n"?:"?(\d+)', one.rest):
            return int(found[1])
        named = re.search(r"condition=%?([\w.\-]+)", one.rest)
        held = self.computations.get(named[1], {}) if named else {}
        ends = [x for x in held.values() if x.opcode not in ("parameter", "constant", "get-tuple-element")]
        if len(ends) != 1 or ends[0].opcode != "compare" or "direction=LT" not in ends[0].rest:
            return None
        last = held.get(ends[0].operands[-1])
        known = last is not None and last.opcode == "constant" and last.operands[0].isdigit()
        return int(last.operands[0]) if known else None  # pyright: ignore

    def _again(self, one: Instruction) -> bool:
        channel = re.search(r"channel_id=\d+", one.rest)
        known = channel is not None and channel[0] in self.seen
        self.seen |= {channel[0]} if channel else set()
        return known

    def _group(self, rest: str) -> int:
        if found := re.search(r"replica_groups=\[([\d,]+)\]<=", rest):
            return int(found[1].split(",")[-1])
        if found := re.search(r"replica_groups=\{\{([\d,]*)\}", rest):
            return len(found[1].split(","))
        if found := re.search(r"replica_groups=mesh\[(.*?)\] *\{(.*?)\}", rest):
            sizes = dict(re.findall(r"('\w+')=(\d+)", found[1]))
            return math.prod(int(sizes[axis]) for axis in re.findall(r"'\w+'", found[2]))
        return self.devices

    def _nbytes(self, one: Instruction, own: Mapping[str, Instruction]) -> int:
        if one.opcode in ("while", "conditional", "call"):
            return 0  # what they call reads and writes
        result = nbytes(one.shape)
        if one.opcode in ("dynamic-slice", "gather", "slice"):
            return 2 * result
        return result + sum(nbytes(own[name].shape) for name in one.operands if name in own)


def _flops(one: Instruction, own: Mapping[str, Instruction]) -> int:
    """Two for every product of two numbers."""
    if one.opcode not in ("dot", "convolution") or not all(name in own for name in one.operands[:2]):
        return 0
    (_, result), (_, left), (_, right) = (
        arrays_of(shape)[0] for shape in (one.shape, *(own[name].shape for name in one.operands[:2]))
    )
    if one.opcode == "dot":
        found = re.search(r"lhs_contracting_dims=\{([\d,]*)\}", one.rest)
        summed = [left[int(axis)] for axis in found[1].split(",") if axis] if found else []
    else:
        found = re.search(r"dim_labels=\w+_(\w+)->", one.rest)
        summed = [side for side, label in zip(right, found[1], strict=False) if label != "o"] if found else []
    return 2 * math.prod(result) * math.prod(summed)


def _repeated(one: Collective, times: int) -> Collective:
    return Collective(one.kind, one.nbytes, one.group, one.times * times, one.types, one.within, one.shapes)


# --- the text ------------------------------------------------------------------------------------


def arrays_of(shape: str) -> list[tuple[str, tuple[int, ...]]]:
    """The type and the sides of each array in a shape as HLO writes it, such as "(f32[2,3]{1,0}, s32[])"."""
    found = re.findall(r"\b([a-z][a-z0-9]*)\[([\d,<=\s]*)\]", re.sub(r"\{[^{}]*\}|/\*.*?\*/", "", shape))
    return [
        (dtype, tuple(int(n.strip("<= ")) for n in sides.split(",") if n.strip())) for dtype, sides in found
    ]


def nbytes(shape: str) -> int:
    """The number of bytes of a shape as HLO writes it."""
    return sum(_size(*array) for array in arrays_of(shape))


def _size(dtype: str, sides: tuple[int, ...]) -> int:
    digits = re.search(r"\d+", dtype)
    bits = _BITS.get(dtype, int(digits[0]) if digits else 0)
    return math.ceil(math.prod(sides) * bits / 8)


def _computations(text: str) -> tuple[dict[str, dict[str, Instruction]], str]:
    """The instructions of each computation by name, and which computation is the first."""
    found: dict[str, dict[str, Instruction]] = {}
    entry, own = "", {}
    for line in text.splitlines():
        head = re.match(r"(ENTRY )?%?([\w.\-]+) .*\{$", line)
        if head and not line.startswith(" ") and not line.startswith("HloModule"):
            own = found[head[2]] = {}
            entry = head[2] if head[1] else entry
        elif " = " in line and (one := _instruction(line)) is not None:
            own[one.name] = one
    return found, entry


def _instruction(line: str) -> Instruction | None:
    head = re.match(r"\s+(?:ROOT )?%?([\w.\-]+) = ", line)
    if head is None:
        return None
    rest = line[head.end() :]
    end = _closed(rest) if rest.startswith("(") else rest.find(" ")
    shape, rest = rest[:end], rest[end:].lstrip()
    name = re.match(r"([a-z][\w\-]*)\(", rest)
    if name is None:
        return None
    inside = rest[name.end() - 1 :]
    end = _closed(inside)
    operands = [inside[1 : end - 1]] if name[1] == "constant" else re.findall(r"%([\w.\-]+)", inside[:end])
    return Instruction(head[1], shape, name[1], tuple(operands), inside[end:])


def _closed(text: str) -> int:
    """The place behind the bracket that closes the first one."""
    depth = 0
    for at, letter in enumerate(text):
        depth += (letter == "(") - (letter == ")")
        if depth == 0:
            return at + 1
    return len(text)
