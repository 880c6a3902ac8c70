"""What ends a run before its last step."""

from __future__ import annotations

from jaxgan.runs.folder import RunFolder


class Diverged(Exception):
    """A loss or another metric is not finite; says where, which, and what is left.

    Attributes:
      step: the first with such a number; None where several members have one each.
    """

    def __init__(self, message: str, step: int | None = None) -> None:
        """Keeps the step."""
        super().__init__(message)
        self.step = step


class Interrupted(Exception):
    """Scoring was left off in the middle, as the run is asked to stop; the state it was of is as it was."""


class Stopped(Exception):
    """The run was asked to stop, and saved.

    Attributes:
      signum: the signal.
      step: that was saved.
      folder: of the run.
    """

    def __init__(self, signum: int, step: int, folder: RunFolder) -> None:
        """Keeps what the command line tells its user."""
        super().__init__(f"stopped at step {step}")
        self.signum, self.step, self.folder = signum, step, folder
