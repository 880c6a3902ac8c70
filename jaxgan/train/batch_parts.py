"""A batch in parts: whether a run can take it so, and what is then not the same."""

from __future__ import annotations

from jaxgan.common.errors import InputError, renamed
from jaxgan.games.parts import inexact, parts_of
from jaxgan.train.members import Members


def check_parts(members: Members) -> None:
    """Raises InputError if the turns, the networks or the devices cannot take a batch in the parts asked for."""
    config, n = members.config, members.config.compute.microbatches
    shares = members.mesh.size if members.how == "loop" and members.mesh is not None else 1
    if config.batch_size % (n * shares):
        share = config.batch_size // shares
        own = f"{share}, what each of {shares} devices has of " if shares > 1 else ""
        raise InputError(
            f"compute.microbatches: expected a divisor of {own}batch_size = {config.batch_size}, got {n}"
        )
    if n > 1 and (part := config.batch_size // n) % (shrink := config.penalty.shrink):
        raise InputError(
            f"compute.microbatches: expected parts of which penalty.options.shrink = {shrink} is a divisor, got {n} "
            f"parts of {part} examples"
        )
    with renamed(config.spoken()):
        parts_of(members.game, config.batch_size * config.d_steps, n)


def notes_of_parts(members: Members) -> list[str]:
    """Says, in a sentence each, what differs when a batch is taken in parts and not whole."""
    n = members.config.compute.microbatches
    return (
        [f"{note} (compute.microbatches)" for note in inexact(members.game, members.like())] if n > 1 else []
    )
