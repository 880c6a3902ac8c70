"""Studies: variants of training compared over many seeds, with intervals and tests.

A `Spec` says which losses and `Variant`s are compared, and stands for `Cell`s. `run_study` trains the cells
that are not there yet, `analyse` compares them, and `write_outputs` writes tables, plots and the report.
"""

from jaxgan.study.analysis import analyse
from jaxgan.study.command import StudyArgs, run_command
from jaxgan.study.launchers import LAUNCHERS, LaunchOptions
from jaxgan.study.report import write_outputs
from jaxgan.study.results import CellResult, Outcome, Store
from jaxgan.study.runner import run_cell, run_study
from jaxgan.study.spec import Cell, Spec
from jaxgan.study.variants import NO_PENALTY, PRESET, Variant, penalty_variant, variant

__all__ = [
    "LAUNCHERS",
    "NO_PENALTY",
    "PRESET",
    "Cell",
    "CellResult",
    "LaunchOptions",
    "Outcome",
    "Spec",
    "Store",
    "StudyArgs",
    "Variant",
    "analyse",
    "penalty_variant",
    "run_cell",
    "run_command",
    "run_study",
    "variant",
    "write_outputs",
]
