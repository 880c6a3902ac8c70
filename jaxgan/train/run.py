"""A training with all that is around it: folders, signals, scores, and every way to end."""

from __future__ import annotations

import contextlib
import pathlib
import shlex
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields

from jaxgan.common import processes
from jaxgan.common.errors import InputError
from jaxgan.common.files import write_atomically
from jaxgan.common.user_files import is_file
from jaxgan.config.config import Config
from jaxgan.config.data import located
from jaxgan.config.fields import with_fields
from jaxgan.data import Source
from jaxgan.data.modality import MODALITIES
from jaxgan.metrics.score import said_of_fakes
from jaxgan.runs.checkpoint import SaveError
from jaxgan.runs.environment import environment
from jaxgan.runs.folder import RunFolder, check_name, create
from jaxgan.runs.lock import check_held, locked
from jaxgan.runs.seeds import is_alive
from jaxgan.train.batch_parts import notes_of_parts
from jaxgan.train.clock import Signals
from jaxgan.train.compiling import compiling
from jaxgan.train.grids import reals_of
from jaxgan.train.keeper import RunKeeper
from jaxgan.train.loop import loop
from jaxgan.train.members import Members, evaluator_of, set_up
from jaxgan.train.restoring import restored
from jaxgan.train.sinks.base import Sink
from jaxgan.train.sinks.loggers import need_loggers
from jaxgan.train.sinks.progress import Progress, Voice
from jaxgan.train.stops import Diverged, Interrupted, Stopped
from jaxgan.train.trial import tried

_LATE = 90.0  # seconds after which another machine sees a folder, at the latest: NFS looks again after 60


def train(config: Config, command: Sequence[str] | None = None, *, name: str | None = None) -> RunFolder:
    """Trains from the beginning, in a new folder.

    Args:
      config: what to do.
      command: the command line, for the report.
      name: of the run, which ends its folder's name; None: that of the preset.

    Returns:
      The run's folder, with report.html.

    Raises:
      InputError: for a configuration or data that cannot be trained.
      Diverged: if a metric is not finite.
      Stopped: after SIGINT, SIGTERM or SIGHUP; the run can be resumed.
      TakenOver: if another process took this one for dead, and trains the run now.
      SaveError: if a checkpoint cannot be written.
    """
    need_loggers(config.logger)
    if name is not None:
        check_name(name)
    config = with_fields(config, **{"data.source": located(config.data.source)})
    members = set_up(config)
    tried(members)
    text = shlex.join(command) if command else f"jaxgan train {config.preset}"
    own = is_own(members.source)
    env = environment(config.compute.matmul_precision)
    folder = _shared(lambda: create(config, members.data, env, text, name=name, own_modality=own))
    with locked(folder.path):
        write_reals(members, folder)
        return train_in(folder, [folder], members)


def _shared(make: Callable[[], RunFolder]) -> RunFolder:
    """The folder that the first process makes, for all of them.

    Raises:
      InputError: if another process does not see it.
    """
    if not processes.several():
        return make()
    made: list[RunFolder] = []

    def path() -> str:
        made.append(make())
        return str(made[0].path.absolute())

    folder = RunFolder(pathlib.Path(processes.from_first(path)), silent=True)
    return made[0] if made else _seen(folder)


def _seen(folder: RunFolder) -> RunFolder:
    """The folder, once it is seen: file systems that machines share are late. Raises InputError if it never is."""
    until = time.monotonic() + _LATE
    while not (folder.path / "run.json").exists():
        if time.monotonic() > until:
            raise InputError(
                f"out: expected a folder that all processes share, got {str(folder.path)!r}, which process "
                f"{processes.index()} does not see"
            )
        time.sleep(0.1)
    return folder


def is_own(source: Source) -> bool:
    """Whether the examples are of a modality of the user's own, which cannot be found by its name."""
    return MODALITIES.get(source.modality.name) is not source.modality


def unused_classes(members: Members) -> list[str]:
    """Tells of classes of a user's own data that the networks do not look at."""
    game, classes = members.game, members.source.class_names
    pairs = [*game.translations.values()] if members.config.game == "translation" else []
    makes = pairs if game.output is None else [game.output]
    kinds = ("folder:", "npz:", "tar:", "pairs:")
    own = members.source.name.startswith(kinds) or is_file(members.config.data.source)
    if not own or len(classes) < 2 or not makes or any(one.conditional for one in makes):
        return []
    takes = "conditional" in {field.name for field in fields(members.config.model)}
    how = (
        "--model.conditional uses them"
        if takes
        else "networks that can be conditional, such as dcgan, use them"
    )
    return [f"its {len(classes)} classes are not used ({how})"]


def write_reals(members: Members, *folders: RunFolder) -> None:
    """Writes a picture of real examples into each folder, for comparison, where their modality is drawn."""
    by_class = members.sampler is not None and members.sampler.n_classes > 0
    if folders[0].silent or (png := reals_of(members.source, by_class)) is None:
        return
    for folder in folders:
        write_atomically(folder.samples / "reals.png", png)


def train_in(
    folder: RunFolder,
    own: Sequence[RunFolder],
    members: Members,
    *,
    going_on: Callable[[], None] | None = None,
    sinks: Callable[[Sink], Sequence[Sink]] = lambda terminal: (),
) -> RunFolder:
    """Trains members to the end, scores and reports; or goes on with what was interrupted.

    Args:
      folder: of all.
      own: a run folder for each member: `folder` itself, or one in it for each.
      members: what to train.
      going_on: go on from the newest good checkpoints, and call it once these are read: nothing is changed before.
      sinks: terminal -> further sinks of all together.

    Returns:
      `folder`.

    Raises:
      InputError, Diverged, Stopped, SaveError: as `train`.
    """
    alone = list(own) == [folder]
    terminal = Sink() if folder.silent else Progress(members.config.steps, folder.path, compiling(members))
    for note in (*members.source.notes, *unused_classes(members)):
        terminal.note(f"data: {note}")
    for note in notes_of_parts(members):
        terminal.note(note)
    signals = Signals(members.mesh)
    signals.meet()
    if processes.several():
        processes.at_loss(lambda text: _failed(folder, text))
    evaluator = evaluator_of(members, own[0].read("run.json").get("features"), signals.poll)
    keepers = []
    for k, (seed, kept) in enumerate(zip(members.seeds, own, strict=True)):
        voice = Voice(terminal, "" if alone else f"seed {seed}")
        keepers.append(RunKeeper(members, k, kept, evaluator, voice, signals.poll, signals.interrupted))
        if going_on is not None and not alone and not is_alive(kept):
            keepers[-1].drop()
    session = _Session(folder, alone, members, keepers, [terminal, *sinks(terminal)], signals)
    with session.signals, session.ended():
        session.run(going_on)
    return folder


def _failed(folder: RunFolder, error: str) -> None:
    """Writes that a run has failed. Raises TakenOver where it is another process's by now."""
    check_held(folder.path)
    folder.update(status="failed", error=error)


@dataclass(eq=False)
class _Session:
    """Members, what is kept of them, and who is told: from the first state to the last file."""

    folder: RunFolder
    alone: bool
    members: Members
    keepers: Sequence[RunKeeper]
    sinks: Sequence[Sink]
    signals: Signals
    untouched: bool = False
    """Nothing was changed, as there is nothing to go on from."""

    def run(self, going_on: Callable[[], None] | None) -> None:
        """Trains and scores."""
        members, keepers = self.members, self.keepers
        if going_on is not None:
            self.untouched = True
            ready = restored(members, keepers, self.folder.path)
            self.untouched = False
            going_on()
            states, step = ready()
            with self.stopping(step):
                for keeper in keepers:
                    keeper.settle(members.member(states, keeper.k))
            self.stop_if_asked(step)
        else:
            states, step = members.joined([keeper.begin() for keeper in keepers]), 0
        states, step = loop(members, keepers, self.sinks, states, step, signals=self.signals)
        while (back := keepers[0].rolled_back()) is not None:  # of the only one
            state, step = back
            states, step = loop(
                members, keepers, self.sinks, members.joined([state]), step, signals=self.signals
            )
        left = [keeper for keeper in keepers if keeper.open]
        if not left:
            lost = keepers[0].error if self.alone else None
            raise lost or Diverged(f"all {len(keepers)} members diverged by step {step:,}")
        for keeper in left:  # nothing is under way while it is scored, which takes long
            keeper.wait()
        self.stop_if_asked(step)
        if members.sampler is not None and keepers[0].evaluator is None:
            self.sinks[0].note(f"no scores: there are none of {members.source.modality.name}s")
        elif members.sampler is not None:
            who, each = ("", "") if self.alone else (f"{len(left)} members, ", " each")
            made_of = getattr(members.sampler, "n_examples", None)
            scored = said_of_fakes(keepers[0].evaluator, members.config.final_n, made_of)
            self.sinks[0].note(f"scoring {who}{scored}{each}")
        with self.stopping(step):
            for keeper in left:
                keeper.finish(members.member(states, keeper.k), step, lambda: self.stop_if_asked(step))
        self.close("finished")

    @contextlib.contextmanager
    def stopping(self, step: int) -> Iterator[None]:
        """Turns what interrupts scoring into Stopped; `step` has been saved."""
        try:
            yield
        except Interrupted:
            self.stop_if_asked(step)
            raise

    def stop_if_asked(self, step: int) -> None:
        """Raises Stopped after a signal, or TakenOver where that came as a folder was lost; `step` has been saved."""
        if self.signals.stop() and self.signals.received is not None:
            self.check_held()
            self.sinks[0].note(f"stopping: step {step:,} is saved; writing the report")
            raise Stopped(self.signals.received, step, self.folder)

    @property
    def vanished(self) -> bool:
        """Whether a folder of a run is no longer there, or has been made again by a save that was under way."""
        return not all((keeper.folder.path / "config.json").exists() for keeper in self.keepers)

    def check_held(self) -> None:
        """Raises TakenOver if one of the folders is another process's by now."""
        for folder in (self.folder, *(keeper.folder for keeper in self.keepers)):
            check_held(folder.path)

    @contextlib.contextmanager
    def ended(self) -> Iterator[None]:
        """Closes everything, whatever happens; what cannot be written becomes a SaveError, or is TakenOver."""
        try:
            try:
                yield
            except Stopped:
                self.close("stopped")
                raise
            except Diverged as error:
                self.close("diverged", str(error))
                raise
        except (Stopped, Diverged):
            raise
        except BaseException as error:  # of the closing, too
            with contextlib.suppress(Exception):
                if self.untouched:
                    for keeper in self.keepers:
                        keeper.drop()
                    self.sinks[0].close("failed", None)  # the terminal
                elif processes.several():  # the others may not come to close anything
                    self.check_held()
                    self.folder.update(status="failed", error=f"{type(error).__name__}: {error}")
                else:
                    self.close("failed", f"{type(error).__name__}: {error}")
            if not isinstance(error, OSError) and not (isinstance(error, InputError) and self.vanished):
                raise
            self.check_held()  # another process in the folder may be why
            if isinstance(error, SaveError):
                raise
            if self.vanished:
                left = "there is no config.json any more to go on from"
            elif self.alone:
                left = self.keepers[0].left()
            else:
                left = f"go on from the last good checkpoints with: jaxgan resume {self.folder.path}"
            raise SaveError(f"could not write in {str(self.folder.path)!r} ({error}); {left}") from error

    def close(self, status: str, error: str | None = None) -> None:
        """Closes what is open, all of it; raises what could not be closed, and TakenOver for what was abandoned."""
        with contextlib.ExitStack() as last_first:
            for sink in reversed(self.sinks):
                last_first.callback(sink.close, status, error)
            for keeper in reversed(self.keepers):
                if keeper.open:
                    last_first.callback(keeper.close, status, error)
