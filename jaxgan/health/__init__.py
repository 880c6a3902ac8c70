"""What goes wrong in a run, seen early: monitors of a state, and verdicts on a history of records.

`Monitors` looks at a state on small fixed sets, at the scores on the way; it changes nothing and draws
nothing from the run's own random numbers. `diagnose` is a pure function of the records of
metrics.jsonl, so a resumed run comes to the same verdicts; `judge` is one of the final scores.
"""

from jaxgan.health.advice import ADVICE, ADVICE_ALONE
from jaxgan.health.final import judge
from jaxgan.health.monitors import MONITORS, Monitors, mean_distance, monitors_of, overfitting, real_sign
from jaxgan.health.verdicts import (
    LOOKS,
    Diagnosis,
    Standing,
    Verdict,
    diagnose,
    looks,
    summary,
)

__all__ = [
    "ADVICE",
    "ADVICE_ALONE",
    "LOOKS",
    "MONITORS",
    "Diagnosis",
    "Monitors",
    "Standing",
    "Verdict",
    "diagnose",
    "judge",
    "looks",
    "mean_distance",
    "monitors_of",
    "overfitting",
    "real_sign",
    "summary",
]
