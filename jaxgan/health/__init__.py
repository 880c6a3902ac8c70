"""What goes wrong in a run, seen early: monitors of a state, and verdicts on a history of records.

`Monitors` looks at a state on small fixed sets, at the scores on the way; it changes nothing and draws
nothing from the run's own random numbers. `diagnose` is a pure function of the records of
metrics.jsonl, so a resumed run comes to the same verdicts.
"""

from jaxgan.health.monitors import MONITORS, Monitors, mean_distance, monitors_of, overfitting, real_sign
from jaxgan.health.verdicts import Diagnosis, Standing, Verdict, diagnose, summary

__all__ = [
    "MONITORS",
    "Diagnosis",
    "Monitors",
    "Standing",
    "Verdict",
    "diagnose",
    "mean_distance",
    "monitors_of",
    "overfitting",
    "real_sign",
    "summary",
]
