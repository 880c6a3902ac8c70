"""Numbers, pictures and findings for TensorBoard, written in the calling thread: a full disk is told of at once."""

from __future__ import annotations

import json
import pathlib
import struct
import time
import warnings
from collections.abc import Mapping
from typing import Any

from jaxgan.report.pictures import opaque
from jaxgan.train.sinks.base import Sink
from jaxgan.train.sinks.loggers import finals, flat


class TensorBoard(Sink):
    """One event file a session, in a folder of them."""

    def __init__(self, folder: pathlib.Path, config: Mapping[str, Any] | None = None) -> None:
        """Writes nothing yet; files of earlier sessions stay.

        Args:
          folder: of the files.
          config: config.json, which is written as text, and as hyper-parameters beside the final scores.
        """
        self._folder, self._config, self._writer = folder, config or {}, None
        self._step, self._told = 0, False

    def start(self, step: int) -> None:
        """Opens a new file; events of earlier ones after `step` are hidden."""
        self.abandon()  # that of before a setback
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            from tensorboardX import summary
            from tensorboardX.event_file_writer import EventsWriter
            from tensorboardX.proto import event_pb2
        events: Any = event_pb2  # its classes are made while it is imported
        self._folder.mkdir(parents=True, exist_ok=True)
        self._summary, self._event = summary, events.Event
        self._writer = EventsWriter(str(self._folder / "events"))
        log = events.SessionLog(status=events.SessionLog.START)
        self._writer.write_event(events.Event(wall_time=time.time(), step=step + 1, session_log=log))
        self._writer.flush()
        self._step = step
        if self._config:
            lines = json.dumps(self._config, indent=1).splitlines()
            self._write(step, self._summary.text("config", "\n".join(f"    {line}" for line in lines)))

    def record(self, record: Mapping[str, Any]) -> None:
        """Writes the numbers by their names; the score by its own."""
        self._step = record["step"]
        tags = {name: f"score/{record['score_name']}" if name == "score" else name for name in record}
        numbers = {tags[name]: value for name, value in record.items() if isinstance(value, float)}
        self._write(record["step"], *(self._summary.scalar(tag, value) for tag, value in numbers.items()))

    def picture(self, step: int, png: bytes) -> None:
        """Writes samples."""
        self.also(step, "samples", png)

    def also(self, step: int, kind: str, png: bytes) -> None:
        """Writes another picture."""
        summary, png = self._summary.Summary(), opaque(png)
        image = summary.value.add(tag=kind).image
        image.width, image.height, _, colour = struct.unpack(">IIBB", png[16:26])
        image.colorspace, image.encoded_image_string = 3 if colour == 2 else 1, png
        self._write(step, summary)

    def finding(self, step: int, text: str) -> None:
        """Writes a line of text."""
        self._write(step, self._summary.text("health", text))

    def scores(self, scores: Mapping[str, Any]) -> None:
        """Writes the final scores, and the hyper-parameters beside them."""
        found = finals(scores)
        numbers = (self._summary.scalar(name, value) for name, value in found.items())
        self._write(scores["final"]["step"], *numbers)
        self._hyper(found)

    def _hyper(self, found: Mapping[str, float]) -> None:
        self._told = True
        self._write(self._step, *self._summary.hparams(flat(self._config), dict(found)))

    def _write(self, step: int, *summaries: Any) -> None:
        assert self._writer is not None
        for summary in summaries:
            self._writer.write_event(self._event(wall_time=time.time(), step=step, summary=summary))
        self._writer.flush()  # once: it waits for the disk

    def close(self, status: str, error: str | None) -> None:
        """Closes the file."""
        if self._writer is not None and self._config and not self._told:
            self._hyper({})
        self.abandon()

    def abandon(self) -> None:
        """Closes the file as it is: all that came was written at once."""
        if self._writer is not None:
            self._writer.close()
            self._writer = None
