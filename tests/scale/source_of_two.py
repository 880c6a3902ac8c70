"""Digits that tell which of them a process reads, and that stop process 1 on its way, once."""

import os
import pathlib
import signal
import threading

import numpy as np

from jaxgan.common import processes
from jaxgan.data import Images
from jaxgan.data.mnist import load_mnist

NOTES = pathlib.Path(os.environ.get("NOTES", os.devnull))  # a folder, where notes are wanted
STOP = 20  # after so many batches have been read ahead


class Watched(Images):
    def take(self, indices):
        if NOTES.is_dir() and threading.current_thread() is not threading.main_thread():  # for a batch
            with (NOTES / f"read-{processes.index()}").open("a") as file:
                file.write(" ".join(map(str, np.asarray(indices).tolist())) + "\n")
            batches = len((NOTES / f"read-{processes.index()}").read_text().splitlines())
            if processes.index() == 1 and batches == STOP and not (NOTES / "stopped").exists():
                (NOTES / "stopped").touch()
                os.kill(os.getpid(), signal.SIGTERM)
        return super().take(indices)


def digits():
    known = load_mnist("test", resolution=8)
    return Watched("digits", known.images[:800], known.labels[:800], known.class_names, "the first 800")
