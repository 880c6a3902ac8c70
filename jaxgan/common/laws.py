"""Laws: functions that try to refute what something must obey, and what became of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any


class Broken(Exception):
    """The law is broken; the message says how, in one line."""


class Skipped(Exception):
    """The law does not apply; the message says why, in one line."""


@dataclass(frozen=True)
class Verdict:
    """What became of one law.

    Attributes:
      law: its name.
      outcome: "holds", "broken" or "skipped".
      detail: one line.
    """

    law: str
    outcome: str
    detail: str


def verdicts(
    laws: Mapping[str, Callable[[Any], str]], subject: Any, exempt: Collection[str] = ()
) -> list[Verdict]:
    """Tries every law on `subject`, in order.

    The first law is that of form: once it is broken, the others are skipped.

    Args:
      laws: name -> law. A law returns a line that says what was checked, raises `Broken` with a line
        that says how it is broken, or raises `Skipped` where it does not apply. Any other exception comes
        from the subject, and breaks the law.
      subject: what must obey.
      exempt: names of the laws that the subject says it does not obey.
    """
    found: list[Verdict] = []
    for name, law in laws.items():
        try:
            if name in exempt:
                raise Skipped("an exemption is declared")
            if found and found[0].outcome == "broken":
                raise Skipped(f"the law {found[0].law!r} is broken already")
            found.append(Verdict(name, "holds", law(subject)))
        except Broken as broken:
            found.append(Verdict(name, "broken", str(broken)))
        except Skipped as skipped:
            found.append(Verdict(name, "skipped", str(skipped)))
        except Exception as error:  # whatever a user's function raises is the finding
            found.append(Verdict(name, "broken", f"raises {type(error).__name__}: {first_line(error)}"))
    return found


def first_line(error: Exception) -> str:
    """The first line of an exception's message, or its type where it has none."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
