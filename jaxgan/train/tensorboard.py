"""Scalars, images and text for TensorBoard, written in the calling thread so that a full disk is an error here."""

from __future__ import annotations

import pathlib
import time
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np


class TensorBoard:
    """One event file in a folder of them."""

    def __init__(self, folder: pathlib.Path, *, resumed_after: int | None = None) -> None:
        """Opens a new event file.

        Args:
          folder: where it goes; files of earlier sessions stay.
          resumed_after: events of earlier sessions after this step are hidden.
        """
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from tensorboardX import summary
            from tensorboardX.event_file_writer import EventsWriter
            from tensorboardX.proto import event_pb2
        events: Any = event_pb2  # its classes are made while it is imported
        folder.mkdir(parents=True, exist_ok=True)
        self._summary, self._event = summary, events.Event
        self._writer = EventsWriter(str(folder / "events"))
        if resumed_after is not None:
            log = events.SessionLog(status=events.SessionLog.START)
            event = events.Event(wall_time=time.time(), step=resumed_after + 1, session_log=log)
            self._writer.write_event(event)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Writes numbers by their tags. Raises OSError if it cannot."""
        for tag, value in values.items():
            self._write(self._summary.scalar(tag, value), step)
        self._writer.flush()

    def image(self, tag: str, pixels: np.ndarray, step: int) -> None:
        """Writes a uint8 image [h, w, c]. Raises OSError if it cannot."""
        self._write(self._summary.image(tag, pixels, dataformats="HWC"), step)
        self._writer.flush()

    def text(self, tag: str, text: str, step: int) -> None:
        """Writes a line of text. Raises OSError if it cannot."""
        self._write(self._summary.text(tag, text), step)
        self._writer.flush()

    def _write(self, summary: Any, step: int) -> None:
        self._writer.write_event(self._event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        """Closes the file."""
        self._writer.close()
