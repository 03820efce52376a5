"""Writes what changed after each request, and brings it back at the next start."""

import contextlib
import logging
import sqlite3
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ndjson_pipeline.local_aws.errors import StateRefusedError
from ndjson_pipeline.local_aws.glue.runs import GlueRuns
from ndjson_pipeline.local_aws.moto_patches.locks import DYNAMODB_LOCK, S3_LOCK, SQS_LOCK
from ndjson_pipeline.local_aws.moto_version import MOTO_VERSION
from ndjson_pipeline.local_aws.state.changes import ChangeLog, Changes
from ndjson_pipeline.local_aws.state.contents import Contents
from ndjson_pipeline.local_aws.state.dynamodb import KeptDynamoDb
from ndjson_pipeline.local_aws.state.glue import KeptGlue
from ndjson_pipeline.local_aws.state.queues import KeptQueues
from ndjson_pipeline.local_aws.state.s3 import KeptS3
from ndjson_pipeline.local_aws.state.store import Row, StateStore
from ndjson_pipeline.local_aws.state.topics import KeptTopics
from ndjson_pipeline.local_aws.state.watching import mark_request, watched

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication

# What no request tells, such as the end of a Glue run, is written this often.
_SECONDS_BETWEEN_LOOKS = 0.5

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Restored:
    """What was brought back.

    Attributes:
        objects: how many objects of S3.
        items: how many items of DynamoDB.
        messages: how many messages of queues.
    """

    objects: int
    items: int
    messages: int


class Journal:
    """A context manager: inside it, all that clients change is kept in a folder.

    Nothing that a client was told is lost: an answer leaves after what the request changed is written, and
    after what others changed that it may have seen. What is written at once is one moment of all services.

    Args:
        folder: where it is kept.
        account: the AWS account.
        runs: the Glue runs.
        log: collects what changed.

    Raises:
        StateRefusedError: what is kept there can't be gone on with.
    """

    def __init__(self, folder: Path, account: str, runs: GlueRuns, log: ChangeLog) -> None:
        self._log = log
        self._store = StateStore(folder, MOTO_VERSION)
        self._s3 = KeptS3(account, Contents(folder / "contents"))
        self._dynamodb = KeptDynamoDb(account)
        self._queues = KeptQueues(account)
        self._topics = KeptTopics(account)
        self._glue = KeptGlue(account, runs)
        self._writing = threading.Lock()
        self._ending = threading.Event()
        self._problem: str | None = None
        self._thread = threading.Thread(target=self._look, name="journal", daemon=True)
        self._exits = contextlib.ExitStack()
        self.restored = Restored(0, 0, 0)

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as exits:
            exits.enter_context(self._store)
            self._restore()
            exits.enter_context(watched(self._log))
            self._thread.start()
            exits.callback(self._end)
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    @property
    def problem(self) -> str | None:
        """Why nothing is written any longer; None while all is."""
        return self._problem

    def _restore(self) -> None:
        rows = self._store.rows
        try:
            self._s3.restore(rows("bucket"), rows("object"))
            self._dynamodb.restore(rows("table"), rows("item"))
            self._queues.restore(rows("queue"), rows("message"))
            self._topics.restore(rows("topic"), rows("subscription"))
            self._glue.restore(rows("database"), rows("job"), rows("run"))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise StateRefusedError(
                f"{self._store.folder} holds what can't be read ({type(error).__name__}: {error}); "
                "move it away, or begin anew with --fresh"
            ) from error
        self.restored = Restored(self._s3.object_count, self._dynamodb.item_count, self._queues.message_count)

    def around(self, application: "WSGIApplication") -> "WSGIApplication":
        """Return an application whose answers leave after what they tell of is written."""

        def kept(environ: dict[str, Any], start_response: "StartResponse") -> Iterable[bytes]:
            answer = application(environ, start_response)
            mark_request(self._log, environ)
            self.write()
            if self._problem is not None:
                # The answer that moto gave is of a change that the next start would not know.
                raise StateRefusedError(f"what changes can't be kept: {self._problem}")
            return answer

        return kept

    def write(self) -> None:
        """Write what changed; does nothing where nothing did."""
        if not self._log.waiting or self._problem is not None:
            # Another thread may be at what this one's caller has seen.
            with self._writing:
                return
        with self._writing:
            try:
                with S3_LOCK, SQS_LOCK, DYNAMODB_LOCK:
                    rows = list(self._rows(self._log.take()))
                if rows:
                    self._store.write(rows)
                    self._s3.written()
            except (sqlite3.Error, OSError) as error:
                # From a moment that is whole nothing is lost; half of a later one would be worse.
                self._problem = f"{type(error).__name__}: {error}"
                _logger.error(
                    "what changes can't be kept in %s any longer: %s", self._store.folder, self._problem
                )

    def _rows(self, changes: Changes) -> Iterator[Row]:
        yield from self._s3.rows(changes)
        yield from self._queues.rows(changes)
        yield from self._dynamodb.rows(changes)
        yield from self._topics.rows(changes)
        yield from self._glue.rows(changes)

    def _look(self) -> None:
        while not self._ending.wait(_SECONDS_BETWEEN_LOOKS):
            self.write()

    def _end(self) -> None:
        self._ending.set()
        self._thread.join()
        self.write()
