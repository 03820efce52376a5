"""Lines of output on their way to CloudWatch Logs."""

import logging
import queue
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

if TYPE_CHECKING:
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_logs.type_defs import InputLogEventTypeDef

# The service takes at most 10,000 events and 1 MiB in a call, and 256 KiB in one event.
_EVENTS_PER_CALL = 500
_CHARACTERS_PER_EVENT = 60_000
_SECONDS_BETWEEN_CALLS = 0.3

_logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LogLine:
    """One line of output.

    Attributes:
        group: the log group.
        stream: the stream in it.
        text: the line without its end.
        timestamp_ms: when it was read, in milliseconds since 1970.
    """

    group: str
    stream: str
    text: str
    timestamp_ms: int


class LogShipper:
    """Sends lines in the background, a few times a second; a line that cannot be sent is logged."""

    def __init__(self, client: "CloudWatchLogsClient") -> None:
        self._client = client
        self._lines: queue.SimpleQueue[LogLine | None] = queue.SimpleQueue()
        self._known_streams: set[tuple[str, str]] = set()
        self._thread = threading.Thread(target=self._run, name="log-shipper", daemon=True)

    def start(self) -> None:
        """Begin sending."""
        self._thread.start()

    def stop(self) -> None:
        """Send what is left, then end."""
        self._lines.put(None)
        self._thread.join()

    def ship(self, group: str, stream: str, text: str) -> None:
        """Queue one line."""
        self._lines.put(LogLine(group, stream, text, int(time.time() * 1000)))

    def _run(self) -> None:
        going_on = True
        while going_on:
            batch, going_on = self._collect()
            for (group, stream), lines in batch.items():
                self._send(group, stream, lines)
            if going_on:
                time.sleep(_SECONDS_BETWEEN_CALLS)

    def _collect(self) -> tuple[dict[tuple[str, str], list[LogLine]], bool]:
        batch: dict[tuple[str, str], list[LogLine]] = defaultdict(list)
        line = self._lines.get()
        while line is not None:
            batch[line.group, line.stream].append(line)
            if self._lines.empty():
                return batch, True
            line = self._lines.get()
        return batch, False

    def _send(self, group: str, stream: str, lines: list[LogLine]) -> None:
        try:
            self._ensure_stream(group, stream)
            for start in range(0, len(lines), _EVENTS_PER_CALL):
                self._client.put_log_events(
                    logGroupName=group,
                    logStreamName=stream,
                    logEvents=[_event(line) for line in lines[start : start + _EVENTS_PER_CALL]],
                )
        except (BotoCoreError, ClientError) as error:
            # The lines are in a file as well, and a log must not fail what it tells about.
            _logger.warning("%d lines for log stream %s of %s not sent: %s", len(lines), stream, group, error)

    def _ensure_stream(self, group: str, stream: str) -> None:
        if (group, stream) in self._known_streams:
            return
        try:
            self._client.create_log_group(logGroupName=group)
        except self._client.exceptions.ResourceAlreadyExistsException:
            _logger.debug("log group %s exists", group)
        try:
            self._client.create_log_stream(logGroupName=group, logStreamName=stream)
        except self._client.exceptions.ResourceAlreadyExistsException:
            _logger.debug("log stream %s exists", stream)
        self._known_streams.add((group, stream))


def _event(line: LogLine) -> "InputLogEventTypeDef":
    # The service refuses an empty message.
    text = line.text[:_CHARACTERS_PER_EVENT] or " "
    return {"timestamp": line.timestamp_ms, "message": text}
