"""Cartoon faces whose attributes are true, with masks of what glasses, beards and hair cover.

The avatars are those of `@dicebear/avataaars` (free for personal and commercial use), rendered by node; npm gets the
packages once. The first 1,500 are rendered again without their glasses, their beard and their hair: the pixels that
change are the mask of that part, to the pixel. About 8 ms a picture on one core.

    faces = cartoon_faces.load(4000)

A small GAN of these faces, which the studies beside this file share, is here too.
"""

from __future__ import annotations

import json
import pathlib
import shutil
import subprocess
import tempfile
from typing import NamedTuple

import numpy as np

import jaxgan
from jaxgan.common.errors import InputError
from jaxgan.data import cache_dir
from jaxgan.runs.opened import Run

PACKAGES = ("@dicebear/core@9.4.3", "@dicebear/avataaars@9.4.3", "@resvg/resvg-js@2.6.2")
PARTS = ("glasses", "beard", "hair")
SIDE, MASKED, HELD_OUT = 32, 1500, 64
_SCRIPT = """
import { createAvatar } from '@dicebear/core';
import * as style from '@dicebear/avataaars';
import { Resvg } from '@resvg/resvg-js';
import fs from 'node:fs';
const [folder, [count, masked, side]] = [process.argv[2], process.argv.slice(3).map(Number)];
const likely = { accessoriesProbability: 50, facialHairProbability: 30, topProbability: 100 };
const sky = { backgroundColor: ['b6e3f4', 'ffd5dc', 'd1d4f9'] };
const pixels = fs.openSync(folder + '/pixels.raw', 'w');
const told = [];
const draw = (seed, change) => {
  const avatar = createAvatar(style, { seed, ...sky, ...likely, ...change });
  fs.writeSync(pixels, new Resvg(avatar.toString(), { fitTo: { mode: 'width', value: side } }).render().pixels);
  return avatar.toJson().extra;
};
for (let i = 0; i < count; i++) {
  const seed = 'portrait-' + i;
  told.push(draw(seed, {}));
  if (i >= masked) continue;
  draw(seed, { accessoriesProbability: 0 });
  draw(seed, { facialHairProbability: 0 });
  draw(seed, { topProbability: 0 });
}
fs.writeFileSync(folder + '/attributes.json', JSON.stringify(told));
"""


class Faces(NamedTuple):
    """n faces.

    Attributes:
      images: uint8 [n, 32, 32, 3].
      masks: bool [1500, 32, 32, 3]: where glasses, beard and hair are, in the order of `PARTS`, of the first faces.
      attributes: name -> bool [n], what is true of the face.
    """

    images: np.ndarray
    masks: np.ndarray
    attributes: dict[str, np.ndarray]

    def parted(self) -> tuple[Faces, Faces]:
        """The first 64, which nothing is trained on, and the rest."""
        rows = slice(0, HELD_OUT), slice(HELD_OUT, None)
        first, rest = (
            Faces(self.images[r], self.masks[r], {name: v[r] for name, v in self.attributes.items()})
            for r in rows
        )
        return first, rest


def load(n: int) -> Faces:
    """The first n faces, from the cache folder or rendered into it.

    Raises:
      InputError: where there is neither, nor node and npm to make them.
    """
    path = cache_dir() / "experiments" / f"cartoon-faces-{n}-{SIDE}.npz"
    if not path.is_file():
        _render(path, n)
    with np.load(path) as kept:
        names = [str(name) for name in kept["names"]]
        attributes = dict(zip(names, kept["attributes"].T, strict=True))
        return Faces(kept["images"], np.unpackbits(kept["masks"], axis=-1, count=3).astype(bool), attributes)


def _render(path: pathlib.Path, n: int) -> None:
    if not (shutil.which("node") and shutil.which("npm")):
        raise InputError("faces: expected node and npm, which render them, got a machine without")
    with tempfile.TemporaryDirectory() as scratch:
        folder = pathlib.Path(scratch)
        (folder / "faces.mjs").write_text(_SCRIPT)
        for command in (
            ["npm", "install", "--silent", "--no-audit", "--no-fund", *PACKAGES],
            ["node", "faces.mjs", scratch, str(n), str(MASKED), str(SIDE)],
        ):
            done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
            if done.returncode:
                raise InputError(f"faces: {' '.join(command[:2])} failed: {done.stderr.strip()[-200:]}")
        told = json.loads((folder / "attributes.json").read_text())
        raw = np.fromfile(folder / "pixels.raw", np.uint8).reshape(-1, SIDE, SIDE, 4)[..., :3]
    masked, each = min(n, MASKED), 1 + len(PARTS)
    first = raw[: masked * each].reshape(masked, each, SIDE, SIDE, 3)
    images = np.concatenate([first[:, 0], raw[masked * each :]])
    change = np.abs(first[:, 1:].astype(int) - first[:, :1]).max(-1) > 40
    attributes = _attributes(told)
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(
        path,
        images=images,
        masks=np.packbits(np.moveaxis(change, 1, -1), axis=-1),
        names=list(attributes),
        attributes=np.stack(list(attributes.values()), axis=1),
    )


_LONG = {
    "bigHair",
    "bob",
    "bun",
    "curly",
    "curvy",
    "dreads",
    "frida",
    "fro",
    "froBand",
    "longButNotTooLong",
    "miaWallace",
}
_LONG |= {"straight01", "straight02", "straightAndStrand", "shavedSides", "hijab"}
_DARK_SKIN = {"#ae5d29", "#614335", "#d08b5b"}


def _attributes(told: list[dict]) -> dict[str, np.ndarray]:
    is_true = lambda test: np.asarray([bool(test(row)) for row in told])

    return {
        "glasses": is_true(lambda row: row.get("accessories")),
        "sunglasses": is_true(lambda row: row.get("accessories") in ("sunglasses", "wayfarers")),
        "beard": is_true(lambda row: row.get("facialHair")),
        "long hair": is_true(lambda row: row.get("top") in _LONG),
        "dark skin": is_true(lambda row: row.get("skinColor") in _DARK_SKIN),
        "open mouth": is_true(
            lambda row: row.get("mouth") in ("smile", "screamOpen", "eating", "vomit", "grimace", "tongue")
        ),
    }


def trained(faces: Faces, steps: int) -> Run:
    """A small GAN of the faces, from the cache folder or trained into it: the recipe of `small-64` at 32x32 pixels."""
    folder = cache_dir() / "experiments" / f"cartoon-faces-{len(faces.images)}-{steps}"
    for found in sorted(folder.glob("*/run.json")):
        run = jaxgan.load(found.parent)
        if run.step == steps:
            return run
    return jaxgan.fit(
        faces.images,
        steps,
        preset="small-64",
        data__flip=False,
        augment=(),
        out=folder,
        evaluate_every=10 * steps,
        quick_n=500,
        final_n=1000,
        compute__devices=1,
    )
