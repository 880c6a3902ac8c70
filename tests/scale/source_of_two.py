"""Digits that tell which of them a process reads, and that stop process 1 on its way, and kill it later."""

import os
import pathlib
import signal
import threading

import numpy as np

from jaxgan.common import processes
from jaxgan.data import Images
from jaxgan.data.mnist import load_mnist

NOTES = pathlib.Path(os.environ.get("NOTES", os.devnull))  # a folder, where notes are wanted
ENDS = {
    "stopped": (20, signal.SIGTERM),
    "killed": (40, signal.SIGKILL),
}  # after so many batches were read ahead


class Watched(Images):
    def take(self, indices):
        if NOTES.is_dir() and threading.current_thread() is not threading.main_thread():  # for a batch
            with (NOTES / f"read-{processes.index()}").open("a") as file:
                file.write(" ".join(map(str, np.asarray(indices).tolist())) + "\n")
            batches = len((NOTES / f"read-{processes.index()}").read_text().splitlines())
            for name, (n, signum) in ENDS.items() if processes.index() == 1 else ():
                if batches >= n and not (NOTES / name).exists():
                    (NOTES / name).touch()
                    os.kill(os.getpid(), signum)
        return super().take(indices)


def digits():
    known = load_mnist("test")
    images = known.images[:800, 2:26:3, 2:26:3]
    return Watched(
        "digits", images, known.labels[:800], class_names=known.class_names, fingerprint="the first 800"
    )
