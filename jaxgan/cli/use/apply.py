"""`jaxgan apply`: images restored or translated by a run."""

from __future__ import annotations

import pathlib
import sys
from dataclasses import dataclass

from jaxgan.cli.arguments import Positional, check_out, checkpoint, parse
from jaxgan.cli.status import warnings_in_lines
from jaxgan.common.errors import InputError
from jaxgan.common.progress import Progress, counted


@dataclass(frozen=True)
class Apply:
    """Restore or translate images with a run: files of the same names, at their own sizes, in another folder.

    PNG, JPEG, TIFF, WebP and others that Pillow reads and writes, grey or in colour, with or without alpha, 16-bit
    grey; .npz with an array "images" (uint8, uint16 or real numbers); DICOM (extra `restore`). A file that cannot be
    read is told of in a line on stderr, the others are done, and the exit status is 2.

      jaxgan apply runs/00000-denoise-32 photos/ --out clean
      jaxgan apply runs/00001-cyclegan a/ --direction a-to-b --out b
    """

    run: Positional[pathlib.Path]
    """Folder of the run."""
    images: Positional[tuple[pathlib.Path, ...]]
    """Files and folders of images."""
    out: pathlib.Path = pathlib.Path("applied")
    """Folder to write; it must be another than that of the images."""
    direction: str | None = None
    """Direction, of a run that has several, such as a-to-b and b-to-a; None: the first."""
    classes: str | None = None
    """Class of all images by name or number, for a conditional run; None: the name of the folder that each lies in."""
    masks: pathlib.Path | None = None
    """A mask for all, or a folder of masks of the same names: white is what an inpainting run fills; None: alpha 0."""
    tile: int | None = None
    """Side of the tiles that go through the network, in pixels; None: as its training images, or more."""
    overlap: int | None = None
    """Pixels by which tiles overlap; None: a quarter of their side."""
    checkpoint: str = "last"
    """last, best, or a step."""
    trust: bool = False
    """Run code that the run brings though you have not trained with it, and follow links that lead out of it."""


def apply(args: list[str]) -> int:
    """Restores or translates images; 2 if one of them could not be."""
    parsed = parse(Apply, args, "apply")
    which = checkpoint(parsed.checkpoint)
    if not parsed.images:
        raise InputError("images: expected files or folders, got none")

    from jaxgan.apps.below import not_read
    from jaxgan.apps.restore.folder import done, listed, with_classes
    from jaxgan.runs import environment
    from jaxgan.runs.images.applying import Applied
    from jaxgan.runs.opened import Run

    check_out("out", parsed.out, ("",))
    works, notes = listed(parsed.images, parsed.out, parsed.masks)
    environment.start()
    with warnings_in_lines():
        run = Run.at(parsed.run, which, trust=parsed.trust)
        applied = Applied(run, parsed.direction, tile=parsed.tile, overlap=parsed.overlap)
        works = with_classes(works, applied.class_names, parsed.classes)
        failed: dict[str, list[pathlib.Path]] = {}
        with Progress(sys.stderr) as progress:
            for i, work in enumerate(works):
                progress.count("images", i, len(works))
                if (why := done(work, parsed.out, applied.of(work.label), notes.append)) is not None:
                    failed.setdefault(why, []).append(work.path)
    for note in (*notes, *applied.notes):
        print(note)
    for why, files in failed.items():
        print(not_read(files, why), file=sys.stderr)
    done_of = len(works) - sum(map(len, failed.values()))
    print(
        f"wrote {counted(done_of, 'file')} in {parsed.out} (checkpoint of step {run.step:,}, {applied.direction})"
    )
    return 2 if failed else 0
