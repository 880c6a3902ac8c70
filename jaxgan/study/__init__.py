"""Studies: variants of training compared over many seeds, with intervals and tests.

A `Spec` says what is compared and stands for `Cell`s; `run_study` trains those that are not there
yet, `analyse` compares them, and `write_outputs` writes tables, plots and the report.
"""

from jaxgan.study.analysis import analyse
from jaxgan.study.command import StudyArgs, run_command
from jaxgan.study.launchers import LAUNCHERS, LaunchOptions
from jaxgan.study.report import write_outputs
from jaxgan.study.results import CellResult, Outcome, Store
from jaxgan.study.runner import run_cell, run_study
from jaxgan.study.spec import Cell, Spec

__all__ = [
    "LAUNCHERS",
    "Cell",
    "CellResult",
    "LaunchOptions",
    "Outcome",
    "Spec",
    "Store",
    "StudyArgs",
    "analyse",
    "run_cell",
    "run_command",
    "run_study",
    "write_outputs",
]
