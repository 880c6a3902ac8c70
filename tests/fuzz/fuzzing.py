"""The script that makes files wrong, for the tests."""

import pathlib
import sys

sys.path.append(str(pathlib.Path(__file__).parents[2] / "experiments"))

import fuzz
import fuzz_kinds

__all__ = ["fuzz", "fuzz_kinds"]
