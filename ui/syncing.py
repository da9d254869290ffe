"""Keeping a collection in step with its photos, once or until somebody ends it."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import typer

from indexer.choice import EngineChoice
from indexer.disk import DiskCollection
from indexer.interruption import Interruption
from indexer.rows import Row
from indexer.sources import entries_of
from indexer.syncing import SyncPlan, SyncResult, apply_sync, plan_sync, rows_by_id
from indexer.watching import Round, Watch
from retrieval.encoder import Encoder
from retrieval.encoder_pair import EncoderPair
from retrieval.errors import (
    EXIT_DONE_IN_PART,
    EXIT_INTERRUPTED,
    BadInputError,
    BusyError,
    FgirError,
    StorageError,
)
from ui.building import create_or_resume_folder, encoder_of, say_rejected
from ui.progress import progress
from ui.text import shown

_STEP = 0.2  # seconds after which a signal is noticed


@dataclass
class Syncing:
    """What to keep in step, and how.

    Attributes:
        photos: A folder or a table.
        folder: Of the collection, which is made when it is missing.
        choose: Makes the encoder that options describe.
        named: Whether options name an encoder; else a collection's own is used.
        choice: How it is searched, see :func:`ui.building.create_or_resume`.
        recall: Share of the true ten nearest that a new collection chooses its engine for.
        yes: Remove more than half without asking.
        runtime: See :func:`retrieval.encoding.encode_files`.
        batch_size: Pictures encoded and made durable at once.
    """

    photos: Path
    folder: Path
    choose: Callable[[], Encoder | EncoderPair]
    named: bool
    choice: EngineChoice | None
    recall: float | None
    yes: bool
    runtime: str
    batch_size: int
    _said: set[str] = field(default_factory=set)

    def say_plan(self) -> int:
        """List what would be done; nothing is made or written. The value is the exit code."""
        rows: dict[str, Row] = {}
        if self._is_there():
            with DiskCollection.open(self.folder) as collection:
                rows = rows_by_id(collection)
        plan = self._plan(rows, self._first_look())
        for what, names in (
            ("add", [entry.path for entry in plan.added]),
            ("change", [entry.path for entry in plan.changed]),
            ("remove", plan.removed),
        ):
            for name in names:
                typer.echo(f"{what} {shown(name)}")
        say_rejected(plan.rejected)
        typer.echo(
            f"would add {len(plan.added):,}, change {len(plan.changed):,}, "
            f"remove {len(plan.removed):,}, leave {plan.unchanged:,}, "
            f"reject {len(plan.rejected):,}"
        )
        return EXIT_DONE_IN_PART if plan.rejected else 0

    def once(self) -> int:
        """Bring photos and collection in step; the value is the exit code."""
        look = self._first_look()  # before anything is made: there may be nothing to index
        result = self._synced(look, self._ask)
        say_rejected(result.rejected)
        if result.interrupted:
            return EXIT_INTERRUPTED
        return EXIT_DONE_IN_PART if result.rejected else 0

    def keep_on(self, seconds: float) -> int:
        """Do it again and again until Ctrl-C or SIGTERM; the value is the exit code."""
        watch = Watch(self.photos, self.folder)
        with Interruption() as interruption:
            while not interruption.wished:
                try:
                    if self._round(watch):
                        return EXIT_INTERRUPTED
                except (BadInputError, BusyError, StorageError) as error:
                    self._say_once(error)
                end = time.monotonic() + seconds
                while not interruption.wished and time.monotonic() < end:
                    time.sleep(_STEP if seconds > _STEP else seconds)
        return 0

    def _round(self, watch: Watch) -> bool:
        """One look; whether it was interrupted."""
        found = watch.look()
        if found.idle:
            return False
        result = self._synced(found, self._leave)
        watch.done(found, result)
        for path, reason in result.rejected.items():
            self._say_once(f"rejected {path}: {reason}")
        return result.interrupted

    def _synced(self, found: Round, on_many: Callable[[SyncPlan], None]) -> SyncResult:
        with create_or_resume_folder(
            self.folder, self._encoder, self.choice, self.recall
        ) as collection:
            plan = self._plan(rows_by_id(collection), found)
            if plan.removes_most and not self.yes:
                on_many(plan)
            with progress("Encoding", len(plan.added) + len(plan.changed)) as advance:
                result = apply_sync(
                    collection,
                    plan,
                    found.root,
                    self._encoder,
                    batch_size=self.batch_size,
                    runtime=self.runtime,
                    on_progress=advance,
                )
            typer.echo(f"{result}; {len(collection):,} items in {self.folder}")
        return result

    @cached_property
    def _encoder(self) -> Encoder | EncoderPair:
        if self.named or not self._is_there():
            return self.choose()
        with DiskCollection.open(self.folder) as collection:
            return encoder_of(collection)

    def _plan(self, rows: dict[str, Row], found: Round) -> SyncPlan:
        return plan_sync(
            rows,
            self.folder,
            found.entries,
            found.root,
            by_path=found.root == self.photos,  # else it is a table, whose folder is the root
            settled=found.settled,
            waiting=found.waiting,
        )

    def _first_look(self) -> Round:
        entries, root = entries_of(self.photos)
        return Round(entries, root, {}, frozenset(), idle=False)

    def _is_there(self) -> bool:
        return (self.folder / "collection.json").exists()

    def _ask(self, plan: SyncPlan) -> None:
        """Raise unless a person agrees."""
        what = f"{len(plan.removed):,} of {plan.considered:,} items of {self.photos}"
        if sys.stdin.isatty() and typer.confirm(f"Remove {what}, whose pictures are gone?"):
            return
        raise BadInputError(
            f"--yes must be given to remove more than half; got {what} whose pictures are gone. "
            "Look at them with --dry-run; nothing was written."
        )

    def _leave(self, plan: SyncPlan) -> None:
        self._say_once(
            f"{len(plan.removed):,} of {plan.considered:,} items of {self.photos} are left in the "
            "collection although their pictures are gone: give --yes to remove more than half."
        )
        plan.removed.clear()

    def _say_once(self, what: FgirError | str) -> None:
        if str(what) not in self._said:
            self._said.add(str(what))
            typer.echo(f"{shown(str(what))}", err=True)
