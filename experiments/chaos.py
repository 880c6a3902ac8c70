"""Faults put to the test: runs killed at random moments, and checkpoints with flipped bits.

    python experiments/chaos.py [--kills 100] [--flips 500] [--steps 200] [--seed N]

A small fully connected GAN of points is trained without a break, and again and again while it is killed with SIGKILL,
half of the times during a save and else anywhere from its first moment to its last, and resumed. Whenever such a run
has come to its end, every array of its last checkpoint, restored on one device and on four, all its records and its
scores are held against those of the run without a break.

Then single bits of a checkpoint are flipped, in every file of it in turn, and it is read: either that fails, or nothing
that is read has changed.

Ends with one line and the exit status 1 if anything differs.

Hardware: any CPU. 100 kills (50 of them during a save, in 10 runs) and 500 flips took 838 seconds on two cores of an
Intel Xeon that had much else to do (2026-11-27, JAX 0.10.2): no array, record or score differed; 284 flips were found,
197 of them by checksums alone, 216 changed nothing that is read, and none was silent.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import multiprocessing
import os
import pathlib
import sys
import tempfile
import time
from collections import Counter
from typing import Any

import jax
import numpy as np

from jaxgan import InputError
from jaxgan.common.devices import make_mesh, replicated
from jaxgan.config import ComputeConfig, Config, HealthConfig, get_preset
from jaxgan.models import MLPConfig
from jaxgan.runs import checksums, environment
from jaxgan.runs.checkpoint import Checkpoints, abstract
from jaxgan.runs.folder import RunFolder
from jaxgan.runs.opened import saved_state
from jaxgan.train.resume import resume
from jaxgan.train.run import train

PATIENCE = 300.0  # seconds that a run may take until something of it is seen
IMPORTED = [  # by each run, sooner or later
    "jaxgan.train.resume",
    "jaxgan.report.run",
    "orbax.checkpoint",
    "orbax.checkpoint.checkpoint_managers",
    "tensorboardX",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
]
SAVING = "*.orbax-checkpoint-tmp*"  # a checkpoint that is being written


def toy(out: pathlib.Path, steps: int) -> Config:
    """A run of some seconds, with a checkpoint every 10 steps."""
    return dataclasses.replace(
        get_preset("toy-ring"),
        out=str(out),
        steps=steps,
        batch_size=8,
        log_every=5,
        checkpoint_every=10,
        evaluate_every=steps // 2,
        sample_every=steps // 2,
        quick_n=150,
        final_n=150,
        model=MLPConfig(g_widths=(32, 32), d_widths=(32, 32)),
        compute=ComputeConfig(devices=1),
        health=HealthConfig(enabled=False),
    )


# --- kills -----------------------------------------------------------------------------------------


def run_of(out: pathlib.Path) -> RunFolder | None:
    """The run that has been begun in a folder; None before there is one."""
    begun = sorted(path.parent for path in out.glob("*/run.json"))
    return RunFolder(begun[-1]) if begun else None


def live(out: pathlib.Path, steps: int) -> None:
    """Begins the toy's run in a folder, or goes on with it. For a process of its own."""
    jax.config.update("jax_num_cpu_devices", 1)
    with open(out / "log.txt", "a") as log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        environment.start()
        folder = run_of(out)
        train(toy(out, steps)) if folder is None else resume(folder)


class Lives:
    """Processes that train the toy; each is forked from one that has imported all there is to import."""

    def __init__(self, rng: np.random.Generator, steps: int) -> None:
        """Draws the moments of the kills from `rng`; each run has so many steps."""
        self._processes = multiprocessing.get_context("forkserver")
        self._processes.set_forkserver_preload(IMPORTED)
        self._steps, self._rng, self.kills, self.in_saves, self.seconds = steps, rng, 0, 0, 0.0

    def whole(self, out: pathlib.Path) -> RunFolder:
        """A run from beginning to end, without a break."""
        begun = time.monotonic()
        self._end(self._born(out), out)
        self.seconds = time.monotonic() - begun
        return self._finished(out)

    def killed(self, out: pathlib.Path, kills: int) -> RunFolder:
        """A run that is killed until that has happened `kills` times in all, or it has come to its end before."""
        while self.kills < kills:
            process, before = self._born(out), {*out.glob(f"*/checkpoints/{SAVING}")}
            begun = time.monotonic()
            if 2 * self.in_saves <= self.kills:
                self._wait_for_save(process, out, before)
            else:
                process.join(self._rng.uniform(0, self.seconds))  # the shortest life so far
            process.kill()
            process.join()
            if process.exitcode == 0:  # the next ones are killed earlier
                self.seconds = min(self.seconds, time.monotonic() - begun)
                return self._finished(out)
            if process.exitcode != -9:
                raise RuntimeError(f"it failed: {log_of(out)}")
            self.kills += 1
            self.in_saves += bool({*out.glob(f"*/checkpoints/{SAVING}")} - before)
        self._end(self._born(out), out)
        return self._finished(out)

    def _born(self, out: pathlib.Path) -> Any:
        out.mkdir(parents=True, exist_ok=True)
        process = self._processes.Process(target=live, args=(out, self._steps))
        process.start()
        return process

    def _wait_for_save(self, process: Any, out: pathlib.Path, seen: set[pathlib.Path]) -> None:
        """Until some moment in one of the next few saves."""
        seen, left = set(seen), int(self._rng.integers(1, 6))
        deadline = time.monotonic() + PATIENCE
        while left and process.is_alive() and time.monotonic() < deadline:
            new = {*out.glob(f"*/checkpoints/{SAVING}")} - seen
            seen |= new
            left -= bool(new)
            time.sleep(0.0005)
        time.sleep(self._rng.uniform(0, 0.03))

    def _end(self, process: Any, out: pathlib.Path) -> None:
        process.join(PATIENCE)
        if process.exitcode != 0:
            process.kill()
            raise RuntimeError(f"it did not come to its end: {log_of(out)}")

    def _finished(self, out: pathlib.Path) -> RunFolder:
        folder = run_of(out)
        if folder is None:
            raise RuntimeError(f"it left no run: {log_of(out)}")
        return folder


def log_of(out: pathlib.Path) -> str:
    """The end of what a run has said."""
    return (out / "log.txt").read_text()[-2000:]


def differences(whole: RunFolder, other: RunFolder) -> list[str]:
    """What differs between two finished runs: arrays on one device and on all, records, scores."""
    steps, found = whole.config().steps, []
    expected = dict(checksums.arrays(saved_state(whole, steps)))
    for where in (None, replicated(make_mesh())):
        restored = dict(checksums.arrays(saved_state(other, steps, where)))
        names = {*expected, *restored}
        found += [n for n in names if n not in restored or not same(expected.get(n), restored[n])]
    if timeless(whole) != timeless(other):
        found.append("records")
    if whole.read("scores.json") != other.read("scores.json"):
        found.append("scores")
    return found


def same(a: np.ndarray | None, b: np.ndarray) -> bool:
    """Whether two arrays have the same bits."""
    return a is not None and (a.dtype, a.shape, a.tobytes()) == (b.dtype, b.shape, b.tobytes())


def timeless(folder: RunFolder) -> list[dict[str, Any]]:
    """The records of a run, in their order, without its speed."""
    return [{k: v for k, v in record.items() if k != "images_per_second"} for record in folder.records()]


# --- flipped bits ----------------------------------------------------------------------------------


def flips(run: pathlib.Path, step: int, like: Any, n: int, rng: np.random.Generator) -> Counter[str]:
    """What becomes of a checkpoint when one of its bits is flipped, n times, each time another.

    The files take turns for every second bit; the others are anywhere in those with arrays.

    Args:
      run: folder of the run.
      step: of the checkpoint, which is as it was in the end.
      like: of its state, as of `Checkpoints.restore`.
      n: how many bits.
      rng: draws them.

    Returns:
      How many were "found by checksum", "found otherwise", "harmless" (all that is read is as it was) and "silent".
    """
    path = run / "checkpoints" / str(step)
    files = sorted(file for file in path.rglob("*") if file.is_file() and file.stat().st_size)
    of_arrays = [file for file in files if file.parent.name == "d"]
    sizes = np.array([file.stat().st_size for file in of_arrays])
    expected, counts = _read(run, step, like), Counter()
    for i in range(n):
        file = (
            of_arrays[rng.choice(len(sizes), p=sizes / sizes.sum())] if i % 2 else files[i // 2 % len(files)]
        )
        content = file.read_bytes()
        flipped = bytearray(content)
        flipped[rng.integers(len(content))] ^= 1 << int(rng.integers(8))
        file.write_bytes(flipped)
        try:
            counts["harmless" if _read(run, step, like) == expected else "silent"] += 1
        except InputError as error:
            counts["found by checksum" if "is not what was saved" in str(error) else "found otherwise"] += 1
        finally:
            file.write_bytes(content)
    return counts


def _read(run: pathlib.Path, step: int, like: Any) -> tuple[dict[str, bytes], Any]:
    """All that is read of a checkpoint."""
    checkpoints = Checkpoints(run, read_only=True)
    try:
        state, meta = checkpoints.read(step, like)
    finally:
        checkpoints.close()
    return {name: array.tobytes() for name, array in checksums.arrays(state)}, meta


# --- all together ----------------------------------------------------------------------------------


def main() -> int:
    """Prints what was done, and what differs."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--kills", type=int, default=20, help="how many there are in all")
    parser.add_argument("--flips", type=int, default=200, help="how many bits are flipped, one at a time")
    parser.add_argument(
        "--steps", type=int, default=200, help="of each run, with a checkpoint every 10 of them"
    )
    parser.add_argument("--seed", type=int, default=None, help="of the moments and the bits; else random")
    args = parser.parse_args()
    if min(args.kills, args.flips) < 0 or args.kills + args.flips == 0:
        parser.error(
            f"expected --kills and --flips from 0 on, and one above, got {args.kills} and {args.flips}"
        )
    if args.steps < 20 or args.steps % 20:
        parser.error(f"expected --steps 20, 40, ..., got {args.steps}")
    seed = int(np.random.default_rng().integers(2**32)) if args.seed is None else args.seed
    rng = np.random.default_rng(seed)
    os.environ.setdefault("PJRT_NPROC", "32")  # threads for four devices
    with tempfile.TemporaryDirectory() as temporary:
        os.environ.setdefault(
            "JAX_COMPILATION_CACHE_DIR", f"{temporary}/programs"
        )  # one run compiles for all
        os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        out, lives, runs, wrong = pathlib.Path(temporary), Lives(rng, args.steps), 0, []
        begun = time.monotonic()
        whole = lives.whole(out / "whole")
        jax.config.update("jax_num_cpu_devices", 4)
        while lives.kills < args.kills:
            wrong += differences(whole, lives.killed(out / f"{runs}", args.kills))
            runs += 1
            print(f"run {runs} has ended; {lives.kills} kills", file=sys.stderr)
        like = abstract(saved_state(whole, args.steps))
        counts = flips(whole.path, args.steps, like, args.flips, rng)
    found = counts["found by checksum"] + counts["found otherwise"]
    print(
        f"seed {seed}: {lives.kills} kills in {runs} runs, {lives.in_saves} of them during a save; differing: "
        f"{', '.join(wrong) or 'no array, record or score'}; {args.flips} flipped bits: {found} found "
        f"({counts['found by checksum']} by checksums alone), {counts['harmless']} harmless, {counts['silent']} "
        f"silent; {time.monotonic() - begun:.0f} s"
    )
    return int(bool(wrong or counts["silent"]))


if __name__ == "__main__":
    sys.exit(main())
