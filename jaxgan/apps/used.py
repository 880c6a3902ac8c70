"""A trained run with what it is used for: what `jaxgan.load` and `jaxgan.fit` return."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np

from jaxgan.apps.editing import directions as found_by
from jaxgan.apps.editing.directions import Directions
from jaxgan.apps.editing.edit import Latents, decoded, moved
from jaxgan.apps.editing.project import Projection, Search
from jaxgan.apps.editing.project import project as find
from jaxgan.apps.fitted import of_array
from jaxgan.apps.network import Network
from jaxgan.common.errors import InputError
from jaxgan.data.pixels import check_images
from jaxgan.report.notebook import TrainedRun


class UsedRun(TrainedRun):
    """A run that can also be projected to, edited and asked for directions."""

    def project(
        self, images: np.ndarray, space: str | None = None, *, features: str = "auto", **search: Any
    ) -> Projection:
        """Latents of real images, as `jaxgan project` finds them.

        Args:
          images: uint8 or uint16 [n, h, w, c], or one image [h, w, c], of any size.
          space: "z", "w" or "w+"; None: w where there is one.
          features: network that compares images.
          **search: fields of `jaxgan.apps.editing.project.Search`: steps, starts, ...

        Returns:
          "latents", "images" (what the generator makes of them), "psnr" and more.

        Raises:
          InputError: for what does not fit.
        """
        network, images = self.network(), np.asarray(images)
        images = images[None] if images.ndim == 3 and images.shape[2] <= 4 else images
        many = [of_array(image, self.spec) for image in check_images("images", images)]
        return find(network, np.stack(many), space, Search(**search), features=features)

    def directions(self, method: Literal["sefa", "ganspace"] = "sefa", k: int = 10) -> Directions:
        """k directions among the latents, as `jaxgan directions` finds them (of w where there is one)."""
        network = self.network()
        space = network.check_space(None)
        if method == "sefa":
            return found_by.closed_form(network, space, k)
        if method == "ganspace":
            return found_by.principal(network, space, k)
        raise InputError(f"method: expected 'sefa' or 'ganspace', got {method!r}")

    def edit(
        self,
        seeds: int | Sequence[int] = 0,
        moves: Mapping[str | int, float] | None = None,
        *,
        latents: Projection | None = None,
        directions: Directions | None = None,
        layers: Sequence[int] | None = None,
        truncation: float | None = None,
    ) -> np.ndarray:
        """Images that are moved along directions, as they are stored, [n, h, w, c].

        Args:
          seeds: of the images.
          moves: by number (int) or name of a direction, how far, in standard deviations.
          latents: what `project` found, in place of seeds.
          directions: as of `directions`; None: those of SeFa.
          layers: of w+ that are moved, of StyleGANs; None: all.
          truncation: as of `jaxgan sample`.

        Raises:
          InputError: for what does not fit.
        """
        network = self.network(truncation)
        if latents is None:
            start = Latents("z", *network.drawn(np.atleast_1d(np.asarray(seeds)).tolist()))
        else:
            start = Latents(latents.space, latents.latents, latents.labels)
        if not moves:
            return decoded(network, start)
        directions = directions or found_by.closed_form(network, network.check_space(None))
        steps = [(directions.find(name), np.full(len(start.v), float(far))) for name, far in moves.items()]
        return decoded(network, moved(network, start, directions, steps, layers))

    def network(self, truncation: float | None = None) -> Network:
        """The generator as projections and edits use it. Its programs are compiled once for each truncation.

        Args:
          truncation: as of `jaxgan sample`; None: no truncation.
        """
        kept = self.__dict__.setdefault("_networks", {})
        if truncation not in kept:
            kept[truncation] = Network(self, truncation)
        return kept[truncation]


def load(path: str | os.PathLike[str], checkpoint: str | int = "last", *, trust: bool = False) -> UsedRun:
    """Opens a run: its configuration and the averaged generator of its newest good checkpoint.

    Args:
      path: the run's folder.
      checkpoint: "last", "best" or a step.
      trust: run the code that the run brings (its copies of losses, networks, ... from files), and follow links that
        lead out of it. Without it a run with code that this user has not trained with is refused.

    Raises:
      InputError: if there is no such run or checkpoint, or it is refused.
    """
    return UsedRun.at(path, checkpoint, trust=trust)
