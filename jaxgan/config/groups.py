"""Groups of settings that hold values only: data, latents, averages, devices, health."""

from __future__ import annotations

from dataclasses import KW_ONLY, dataclass
from typing import Literal


@dataclass(frozen=True)
class DataConfig:
    """What to train on."""

    source: str = "mnist"
    """mnist, stacked_mnist, tfds:NAME, tar:PATTERN, ring, grid, swissroll, FILE.py:NAME, folder, zip, tar or npz."""
    split: str = "train"
    """Split of mnist, stacked_mnist and tfds sources, and of folders that have such folders."""
    _: KW_ONLY
    hold_out: float = 0.1
    """Share of data without a second split that is held out, to compare with: at most 10,000 examples; 0: none."""
    share: float = 1.0
    """Share of the examples that is trained on, chosen by their content; scores compare with all of them."""
    keep_classes: str = ""
    """Only examples of these classes, by name or number, such as 0-8 or cat,dog, numbered anew; empty: all."""
    resolution: int | None = None
    """Scale and centre-crop images to this many pixels a side; None: as they are."""
    channels: int | None = None
    """1 (grey), 2 (grey and alpha), 3 (RGB) or 4 (RGBA); None: as they are."""
    flip: bool = False
    """Mirror images left to right at random."""
    skip_broken: bool = False
    """Leave broken image files out and count them; otherwise the first one is an error."""
    follow_links: bool = False
    """Follow links that lead out of a folder of images; otherwise such a link is an error."""
    degrade: tuple[str, ...] = ()
    """What images are to be restored from: inpaint, super-resolution, denoise, colourise, deblur, jpeg, or a chain."""
    degrade_options: tuple[tuple[str, float | str], ...] = ()
    """Options of these, such as: noise gaussian level 25; mask centre size 0.5; scale 4 resample area; quality 20."""
    crop: int | None = None
    """With degrade: train on random squares of so many pixels of the images, another of each every time."""
    pipeline: Literal["auto", "resident", "stream"] = "auto"
    """All examples decoded on the device, or read as they are needed; auto: resident if they take at most 2 GiB."""


@dataclass(frozen=True)
class LatentConfig:
    """The random vectors that the generator starts from."""

    kind: str = "normal"
    """normal, uniform or sphere."""
    dim: int = 64
    """Number of coordinates."""
    scale: float = 1.0
    """Factor of all coordinates."""


@dataclass(frozen=True)
class EMAConfig:
    """The averaged generator, which is what is sampled and scored."""

    decay: float = 0.999
    """Share of the old average that each step keeps."""
    ramp_up: bool = True
    """Start from a small decay, so that the first random weights are soon forgotten."""
    start: int = 0
    """Steps before the averaging begins; until then the average is the generator itself."""
    half_life: float = 0.0
    """Thousands of images after which half is forgotten, in place of decay and ramp-up; 0: decay counts."""
    half_life_ramp: float = 0.0
    """The half-life is at most this share of the images seen so far; 0: no such limit."""
    schedule: Literal["constant", "linear", "cosine"] = "constant"
    """How the half-life grows from 0 over the run (or over schedule_kimg), if it does."""


@dataclass(frozen=True)
class ComputeConfig:
    """How the work is done: it changes speed, memory, and results by rounding, unless a run says more as it starts."""

    devices: int | None = None
    """How many devices; None: all, those of other processes included."""
    how: Literal["auto", "jit", "shard_map", "pmap"] = "auto"
    """On several devices: jit and shardings, or each its share of the batch, by shard_map or pmap; auto: shard_map
    where everything is our own and nothing lies in parts, else jit."""
    steps_per_dispatch: int | None = None
    """Steps in one program; None: 1 for convolutions on a CPU (whose loops are slow there), else 16."""
    members: Literal["auto", "vmap", "loop"] = "auto"
    """With --seeds: vmap all in one program, or loop over them with one compiled step; auto: the faster."""
    fsdp: int = 1
    """Devices that share the parameters, optimiser state and averages of one copy; 1: each device has all of them."""
    microbatches: int = 1
    """Parts in which a batch is taken, one after the other: their gradients are averaged, for the memory of one."""
    remat: bool = False
    """Compute again on the way back what the blocks of the networks compute: less memory, about a third more time."""
    matmul_precision: Literal["default", "tensorfloat32", "highest"] = "default"
    """Precision of products and convolutions of float32; default: the device's (or JAX's own); highest: float32."""


@dataclass(frozen=True)
class HealthConfig:
    """Monitors that say early what goes wrong, and do not change the training; and what is done when it has."""

    enabled: bool = True
    """Watch the run, and say in the log, metrics.jsonl, TensorBoard and the report what seems wrong."""
    n: int = 1000
    """Examples in the fixed sets that are looked at with each score on the way (at most quick_n); 0: none."""
    roll_back: int = 0
    """How often the run may, where a number is not finite, go on from its last good checkpoint with other noise."""
