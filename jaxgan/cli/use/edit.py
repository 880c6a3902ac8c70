"""`jaxgan edit`: images that move along directions, mix their styles, morph or walk from one to another."""

from __future__ import annotations

import pathlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import tyro

from jaxgan.cli.arguments import Positional, check_out, checkpoint, parse
from jaxgan.cli.sample import parse_integers
from jaxgan.cli.status import warnings_in_lines
from jaxgan.common.checks import check_range
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.report import pictures

if TYPE_CHECKING:
    from jaxgan.apps.editing.edit import Latents
    from jaxgan.apps.network import Network

Sheet = tuple[np.ndarray, list[str], list[str]]  # rows of images, their names, headings
_PICTURES, _ANIMATIONS = (".png", ".jpg", ".jpeg"), (".gif", ".webp", ".mp4")


@dataclass(frozen=True)
class Edit:
    """Move images along directions, mix their styles, walk from one to another, or morph their class.

    The suffix of --out says whether that is a sheet, arrays or a film.

        jaxgan edit RUN --seed 7 --direction 3=-2:2 --out sheet.png       a row of steps along direction 3
        jaxgan edit RUN --seed 7-9 --direction glasses=-3:3 --directions DIR/directions.npz --out film.mp4
        jaxgan edit RUN --latent DIR/photo.npz --direction 0=-3:3         of a projected image
        jaxgan edit RUN --seed 0-3 --mix 8-11 --layers 0-3                styles (StyleGANs)
        jaxgan edit RUN --seed 0-3 --to 8-11 --space w                    a walk
        jaxgan edit RUN --seed 0-3 --morph cat:dog                        from one class to another
    """

    run: Positional[pathlib.Path]
    """Folder of the run."""
    out: pathlib.Path = pathlib.Path("edited.png")
    """A .png or .jpg (a sheet), .npz (arrays), or .gif, .webp or .mp4 (a film)."""
    seed: str | None = None
    """Seeds of the images, such as 7 or 0-3; 0 if there is no --latent."""
    latent: pathlib.Path | None = None
    """File of `jaxgan project`, in place of seeds."""
    direction: Annotated[tuple[str, ...], tyro.conf.UseAppendAction] = ()
    """Number or name of a direction, and how far, in standard deviations: 3=-2:2 (a row of steps), glasses=1.5 (for
    all rows). May be given several times."""
    directions: pathlib.Path | None = None
    """File of `jaxgan directions`; without it, those of SeFa."""
    mix: str | None = None
    """Seeds whose styles are taken in --layers: a column each."""
    to: str | None = None
    """Seeds to walk to."""
    morph: str | None = None
    """Two classes, by name or number, such as cat:dog or 3:8."""
    layers: str | None = None
    """Layers of w+ that directions or --mix change, such as 0-3; not given: all, or the second half with --mix."""
    space: str | None = None
    """Where a walk goes, and directions of SeFa are: z; or, of StyleGANs, w (the default there)."""
    class_: Annotated[str | None, tyro.conf.arg(name="class")] = None
    """Class of the seeds, by name or number, of a conditional run."""
    columns: int = 7
    """Steps of a row."""
    frames: int = 32
    """Frames of a film, there and back."""
    truncation: float | None = None
    """Truncation, as of `jaxgan sample`."""
    checkpoint: str = "last"
    """last, best, or a step."""
    trust: bool = False
    """Run code that the run brings though you have not trained with it, and follow links that lead out of it."""


def edit(args: list[str]) -> None:
    """Writes images of a run that are moved along directions, mixed, morphed from class to class, or walked between."""
    parsed = parse(Edit, args, "edit")
    check_out("out", parsed.out, (".npz", *_PICTURES, *_ANIMATIONS))
    film = parsed.out.suffix.lower() in _ANIMATIONS
    if parsed.out.suffix.lower() == ".mp4":
        pictures.need_video()
    check_range("columns", parsed.columns, at_least=2)
    check_range("frames", parsed.frames, at_least=4)
    check_range("truncation", parsed.truncation, at_least=0)
    ways = [name for name in ("direction", "mix", "to", "morph") if getattr(parsed, name)]
    if len(ways) != 1:
        raise InputError(
            f"edit: expected one of --direction, --mix, --to and --morph, got {' and '.join(ways) or 'none'}"
        )
    _check_effects(parsed, ways[0])
    which = checkpoint(parsed.checkpoint)

    from jaxgan.apps.editing.edit import parsed_move
    from jaxgan.apps.network import Network
    from jaxgan.runs import environment
    from jaxgan.runs.opened import Run

    moves = [parsed_move(text) for text in parsed.direction]
    environment.start()
    with warnings_in_lines():
        run = Run.at(parsed.run, which, trust=parsed.trust)
    network = Network(run, parsed.truncation)
    latents, names = _latents(network, parsed)
    there = parsed.frames // 2 + 1
    t = np.linspace(0, 1, there if film else parsed.columns)
    if moves:
        rows, names, heads = _along(network, parsed, latents, names, moves, t)
    elif parsed.mix:
        if film:
            raise InputError("out: expected a sheet (.png, .jpg, .npz) of mixed styles")
        rows, names, heads = _mixes(network, parsed, latents, names)
    elif parsed.to:
        rows, heads = _walks(network, parsed, latents, t)
    else:
        rows, heads = _morphs(network, parsed, latents, t)
    _write(parsed.out, rows, names, heads)
    print(f"wrote {parsed.out} (checkpoint of step {run.step:,})")


def _check_effects(parsed: Edit, way: str) -> None:
    """Refuses what would have no effect, and an `out` over what is read."""
    if parsed.seed is not None and parsed.latent is not None:
        raise InputError("seed: expected none beside --latent")
    takes = {
        "direction": ("directions", "layers", "space", "class_"),
        "mix": ("layers", "class_"),
        "to": ("space", "class_"),
        "morph": (),
    }
    for name in ("directions", "layers", "space", "class_"):
        if getattr(parsed, name) is not None and name not in takes[way]:
            raise InputError(f"{name.rstrip('_')}: expected none beside --{way}")
    if parsed.space is not None and parsed.directions is not None:
        raise InputError("space: expected none beside --directions, which are of one")
    for name in ("latent", "directions"):
        path = getattr(parsed, name)
        if path is not None and path.resolve() == parsed.out.resolve():
            raise InputError(f"out: expected another file than that of --{name}, got {str(parsed.out)!r}")


def _write(out: pathlib.Path, rows: np.ndarray, names: list[str], heads: list[str]) -> None:
    """rows [n, columns, h, w, c] as a sheet, arrays or a film, there and back."""
    import io

    from jaxgan.apps.sheets import sheet

    kind = out.suffix.lower()
    if kind == ".npz":
        buffer = io.BytesIO()
        np.savez_compressed(buffer, images=rows, rows=np.asarray(names), columns=np.asarray(heads))
        write_atomically(out, buffer.getvalue())
    elif kind in _PICTURES:
        png = pictures.png(sheet(list(rows), names, heads))
        write_atomically(out, png if kind == ".png" else pictures.jpeg(png))
    else:
        frames = [pictures.enlarged(pictures.grid(rows[:, i]), 256) for i in range(rows.shape[1])]
        pictures.save_animation(out, [*frames, *frames[-2:0:-1]])


def _labels(network: Network, parsed: Edit, n: int) -> np.ndarray | None:
    from jaxgan.data.labels import parsed_classes

    if parsed.class_ is None:
        return None
    if not network.n_classes:
        raise InputError("class: expected none, as this generator is not conditional")
    label, *more = parsed_classes(parsed.class_, network.run.data["class_names"])
    if more:
        raise InputError(f"class: expected one, got {parsed.class_!r}")
    return np.full(n, label, np.int32)


def _latents(network: Network, parsed: Edit) -> tuple[Latents, list[str]]:
    from jaxgan.apps.editing.edit import Latents
    from jaxgan.apps.editing.files import read_latents

    if parsed.latent is not None:
        if parsed.class_ is not None:
            raise InputError("class: expected none beside --latent, which has one")
        space, v, labels = read_latents(parsed.latent, network)
        stem = parsed.latent.stem
        return Latents(space, v, labels), [stem] if len(v) == 1 else [f"{stem} {i}" for i in range(len(v))]
    seeds = parse_integers(parsed.seed or "0", "seed")
    z, labels = network.drawn(seeds, _labels(network, parsed, len(seeds)))
    return Latents("z", z, labels), [f"seed {seed}" for seed in seeds]


def _along(
    network: Network, parsed: Edit, latents: Latents, names: list[str], moves: list[Any], t: np.ndarray
) -> Sheet:
    """A row for each latent and each direction that moves; those that stand still are added to all."""
    from jaxgan.apps.editing.directions import closed_form
    from jaxgan.apps.editing.edit import Latents, decoded, moved
    from jaxgan.apps.editing.files import read_directions

    if parsed.directions is not None:
        found = read_directions(parsed.directions, network)
    else:
        space = network.check_space(parsed.space)
        found = closed_form(network, "z" if space == "z" else "w")
    still = [(found.find(m.direction), m.first) for m in moves if m.first == m.last]
    going = [m for m in moves if m.first != m.last]
    layers = None if parsed.layers is None else parse_integers(parsed.layers, "layers")
    rows, told, n, columns = [], [], len(latents.v), len(t) if going else 2
    for move in going or [None]:
        steps = [(i, np.full(n * columns, far)) for i, far in still]
        if move is not None:
            far = move.first + t * (move.last - move.first)
            steps.append((found.find(move.direction), np.tile(far, n)))
        else:  # before and after
            steps = [(i, np.tile([0.0, far], n)) for i, far in still]
        labels = None if latents.labels is None else np.repeat(latents.labels, columns)
        many = Latents(latents.space, np.repeat(latents.v, columns, axis=0), labels)
        images = decoded(network, moved(network, many, found, steps, layers))
        rows.append(images.reshape(n, columns, *images.shape[1:]))
        name = "" if move is None or len(going) == 1 else f", {move.direction}"
        told += [f"{row}{name}" for row in names]
    if not going:
        return np.concatenate(rows), told, ["before", "after"]
    alike = len({(m.first, m.last) for m in going}) == 1
    one = f"{going[0].direction}: " if len(going) == 1 else ""
    heads = [
        f"{one}{going[0].first + s * (going[0].last - going[0].first):+.2g}" if alike else f"{100 * s:.0f}%"
        for s in t
    ]
    return np.concatenate(rows), told, heads


def _mixes(network: Network, parsed: Edit, latents: Latents, names: list[str]) -> Sheet:
    """A row for each latent, a column for each seed whose styles are taken; the first column is as it was."""
    from jaxgan.apps.editing.edit import Latents, decoded, mixed

    if not network.has_styles:
        raise InputError("mix: expected a family with styles (stylegan2, stylegan3), got one without")
    count = network.style_shape[0]
    layers = range(count // 2, count) if parsed.layers is None else parse_integers(parsed.layers, "layers")
    seeds = parse_integers(parsed.mix or "", "mix")
    z, labels = network.drawn(seeds, _labels(network, parsed, len(seeds)))
    others = Latents("z", z, labels)
    images = decoded(network, mixed(network, latents, others, list(layers)))
    body = images.reshape(len(latents.v), len(seeds), *images.shape[1:])
    rows = np.concatenate([decoded(network, latents)[:, None], body], axis=1)
    top = decoded(network, others)
    blank = np.full_like(top[:1], np.iinfo(top.dtype).max)
    heads = ["", *(f"seed {seed}" for seed in seeds)]
    return np.concatenate([np.concatenate([blank, top])[None], rows]), ["", *names], heads


def _walks(network: Network, parsed: Edit, latents: Latents, t: np.ndarray) -> tuple[np.ndarray, list[str]]:
    from jaxgan.apps.editing.edit import Latents, as_space, decoded, walk

    seeds = parse_integers(parsed.to or "", "to")
    if len(seeds) not in (1, len(latents.v)):
        raise InputError(
            f"to: expected one seed, or one for each of {len(latents.v)} images, got {len(seeds)}"
        )
    seeds = seeds * (len(latents.v) if len(seeds) == 1 else 1)
    z, labels = network.drawn(seeds, _labels(network, parsed, len(seeds)))
    space = network.check_space(parsed.space or (latents.space if latents.space != "z" else None))
    first, last = (as_space(network, x, space) for x in (latents, Latents("z", z, labels)))
    images = decoded(network, walk(network, first, last, t))
    return images.reshape(len(z), len(t), *images.shape[1:]), [f"{100 * s:.0f}%" for s in t]


def _morphs(network: Network, parsed: Edit, latents: Latents, t: np.ndarray) -> tuple[np.ndarray, list[str]]:
    from jaxgan.apps.editing.edit import morphed
    from jaxgan.data.labels import parsed_classes

    if latents.space != "z":
        raise InputError(f"latent: expected one of z for --morph, got one of {latents.space}")
    if not network.n_classes:
        raise InputError("morph: expected a conditional generator, got one without classes")
    names = (parsed.morph or "").split(":")
    if len(names) != 2:
        raise InputError(f"morph: expected two classes such as cat:dog or 3:8, got {parsed.morph!r}")
    a, b = (parsed_classes(name, network.run.data["class_names"]) for name in names)
    if len(a) != 1 or len(b) != 1:
        raise InputError(f"morph: expected two classes such as cat:dog or 3:8, got {parsed.morph!r}")
    n = len(latents.v)
    z = np.repeat(latents.v, len(t), axis=0)
    whole = lambda label: np.full(n * len(t), label, np.int32)
    images = morphed(network, z, whole(a[0]), whole(b[0]), np.tile(t, n))
    return images.reshape(n, len(t), *images.shape[1:]), [f"{100 * s:.0f}%" for s in t]
