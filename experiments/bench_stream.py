"""Times the streaming of JPEGs of real size against what a training step consumes, and measures its memory.

    python experiments/bench_stream.py [--n 100000] [--sides 64 256] [--kinds folder tar] [--json FILE]

It makes N files of 500x375 pixels, some 110 kB each, from a few hundred pictures of noise as natural images have it
(power falls with the square of the frequency), and streams them as `jaxgan train --data.pipeline stream` does,
resized to 64 and to 256 pixels a side. Every measurement is a process of its own, whose peak of resident memory is
that of the whole process, JAX included. "opening" is the one pass in which every file is hashed and decoded once; the
second opening finds what that pass left. What a step consumes is the images a second of the preset dcgan-64 on
this machine, alone. Rates "a core" are by the time that the process spends on all cores, which other programs on the
machine disturb less.

Hardware: as measured on, printed with the result. Time and room for N files: some minutes and 1.1 GB for 10,000 on
two cores, ten times that for 100,000. Goals: more than the step consumes, below 1 GiB. 2026-11-26, 10,000 files on two
cores that shared a load of 10 to 20 (results/bench_stream.json): 304 images a core and second at 64x64, 213 at 256x256,
where dcgan-64 consumes 42; 224 and 443 MiB.
"""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import pathlib
import re
import sys
import tarfile
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Any, Literal

import numpy as np

from jaxgan.cli.arguments import run_script
from jaxgan.common.files import write_atomically

Kind = Literal["folder", "tar"]
SIZE = (375, 500)


@dataclass(frozen=True)
class Args:
    """What to time."""

    n: int = 100_000
    """Files."""
    pictures: int = 300
    """Different pictures among them."""
    sides: tuple[int, ...] = (64, 256)
    """Pixels a side, after scaling."""
    kinds: tuple[Kind, ...] = ("folder", "tar")
    """How the files are stored: each by itself, or in tar archives of 1,000."""
    batch_size: int = 64
    """Images of a step."""
    seconds: float = 20.0
    """Of streaming that are measured."""
    steps: int = 4
    """Timed steps of dcgan-64; 0: none."""
    json: pathlib.Path | None = None
    """Write every figure to this file."""


def picture(seed: int) -> bytes:
    """A JPEG of noise whose power falls with the square of the frequency, in three channels that are alike."""
    from PIL import Image

    rng, (height, width) = np.random.default_rng(seed), SIZE
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)[None])
    spectrum = rng.normal(size=(4, *frequency.shape)) + 1j * rng.normal(size=(4, *frequency.shape))
    planes = np.fft.irfft2(spectrum / np.maximum(frequency, 1 / width), s=SIZE)
    mixed = planes[:1] + 0.4 * planes[1:]
    scaled = 128 + 50 * mixed / mixed.std() + rng.normal(0, 4, mixed.shape)
    buffer = io.BytesIO()
    pixels = np.moveaxis(scaled, 0, 2).clip(0, 255).astype(np.uint8)
    Image.fromarray(pixels).save(buffer, "JPEG", quality=88)
    return buffer.getvalue()


def numbered(jpeg: bytes, i: int) -> bytes:
    """The same picture as another file: with a number in its comment."""
    text = f"{i:012}".encode()
    return jpeg[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:]


def make_files(folder: pathlib.Path, kind: Kind, pictures: list[bytes], n: int) -> str:
    """Writes n files, and gives the name of the source."""
    shards = range(0, n, 1000)

    def write(first: int) -> None:
        inside = range(first, min(first + 1000, n))
        named = ((f"{i:07}.jpg", numbered(pictures[i % len(pictures)], i)) for i in inside)
        if kind == "folder":
            (folder / f"{first // 1000:05}").mkdir(parents=True)
            for name, content in named:
                (folder / f"{first // 1000:05}" / name).write_bytes(content)
            return
        with tarfile.open(folder / f"{first // 1000:05}.tar", "w") as archive:
            for name, content in named:
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))

    folder.mkdir(parents=True)
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(write, shards))
    return f"{kind}:{folder}"


def peak() -> float:
    """The largest resident memory of this process so far, in MiB."""
    status = pathlib.Path("/proc/self/status")
    if status.exists() and (found := re.search(r"VmHWM:\s*(\d+) kB", status.read_text())):
        return int(found[1]) / 1024
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def streamed(name: str, side: int, batch_size: int, seconds: float) -> dict[str, float]:
    """Opens a source twice and streams it for some seconds."""
    import jax

    from jaxgan.data import make_pipeline, open_source

    found: dict[str, float] = {"rss_before_mib": peak()}
    source = None
    for which in ("opening_s", "second_opening_s"):
        start = time.perf_counter()
        source = open_source(name, resolution=side, channels=3, pipeline="stream")
        found[which] = time.perf_counter() - start
    assert source is not None
    inputs = make_pipeline(source, batch_size=batch_size, pipeline="stream").inputs(0)
    for batch in islice(inputs, 12):  # what is read ahead at the beginning
        jax.block_until_ready(batch)
    n, start, cpu = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - start < seconds:
        jax.block_until_ready(next(inputs))
        n += batch_size
    took, used = time.perf_counter() - start, time.process_time() - cpu
    found |= {
        "images_per_s": n / took,
        "images_per_core_s": n / used,
        "cores_used": used / took,
        "peak_mib": peak(),
    }
    return found


def appetite(batch_size: int, steps: int) -> dict[str, float]:
    """Images a second of the step of dcgan-64, as `jaxgan train` makes it."""
    import jax

    from jaxgan import compile_step, init, make_step
    from jaxgan.config import get_preset
    from jaxgan.data.files import black

    spec = black("", batch_size, (64, 64, 3), ()).spec
    game = get_preset("dcgan-64").build(spec)
    rng = np.random.default_rng(0)
    batch = {"image": rng.uniform(-1, 1, (batch_size, 64, 64, 3)).astype(np.float32)}
    state, step = init(game, jax.random.key(0), batch), compile_step(make_step(game), donate=True)
    state, _ = jax.block_until_ready(step(state, batch))
    times, cpu = [], time.process_time()
    for _ in range(steps):
        start = time.perf_counter()
        state, _ = jax.block_until_ready(step(state, batch))
        times.append(time.perf_counter() - start)
    a_core = steps * batch_size / (time.process_time() - cpu)
    return {"images_per_s": batch_size / float(np.median(times)), "images_per_core_s": a_core}


def by_itself(function: Callable[..., Any], *args: Any) -> Any:
    """What a function gives in a process of its own."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *args).result()


def environment_here() -> dict[str, Any]:
    from jaxgan.runs.environment import environment

    return environment()


def main(args: Args) -> None:
    env = by_itself(environment_here)
    print(f"{env['processor']}, {env['cores']} cores; jax {env['packages']['jax']}", flush=True)
    results: dict[str, Any] = {}
    if args.steps:
        results["dcgan-64"] = by_itself(appetite, args.batch_size, args.steps)
        rates = results["dcgan-64"]
        print(
            f"dcgan-64 consumes {rates['images_per_s']:.0f} images/s, {rates['images_per_core_s']:.0f} a core",
            flush=True,
        )
    with tempfile.TemporaryDirectory(prefix="bench-stream-") as kept:
        os.environ["JAXGAN_CACHE"] = f"{kept}/cache"
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            pictures = list(pool.map(picture, range(args.pictures)))
        mean = float(np.mean([len(jpeg) for jpeg in pictures]))
        print(f"{args.n:,} JPEGs of {mean / 1e3:.0f} kB in the mean", flush=True)
        for kind in args.kinds:
            name = make_files(pathlib.Path(kept) / kind, kind, pictures, args.n)
            for side in args.sides:
                found = by_itself(streamed, name, side, args.batch_size, args.seconds)
                results[f"{kind} {side}"] = found
                print(
                    f"{kind}, {side}x{side}: {found['images_per_s']:.0f} images/s on {found['cores_used']:.1f} cores, "
                    f"{found['images_per_core_s']:.0f} a core, peak {found['peak_mib']:.0f} MiB; "
                    f"opened in {found['opening_s']:.1f} s, again in {found['second_opening_s']:.1f} s",
                    flush=True,
                )
    if args.json is not None:
        record = {
            "command": " ".join(["python", *sys.argv]),
            "args": {**asdict(args), "json": args.json.name},
            "date": time.strftime("%Y-%m-%d %H:%M"),
            "environment": env,
            "load": os.getloadavg(),
            "mean_bytes": mean,
            "results": results,
        }
        write_atomically(args.json, json.dumps(record, indent=1) + "\n")


if __name__ == "__main__":
    sys.exit(run_script(main, Args, __doc__))
