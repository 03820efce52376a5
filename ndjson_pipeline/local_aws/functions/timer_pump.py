"""A timer that invokes a Lambda function, as a scheduled rule of EventBridge does."""

import logging
import threading
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime

from ndjson_pipeline.local_aws.errors import LocalAwsError
from ndjson_pipeline.local_aws.functions.runtime import LambdaRuntime

_logger = logging.getLogger(__name__)


def scheduled_event(account: str, region: str, rule: str, instant: datetime) -> dict[str, object]:
    """Return the event of a scheduled rule.

    Args:
        account: the AWS account.
        region: its region.
        rule: the rule's name.
        instant: when it fires, aware.
    """
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "detail-type": "Scheduled Event",
        "source": "aws.events",
        "account": account,
        "time": f"{instant.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        "region": region,
        "resources": [f"arn:aws:events:{region}:{account}:rule/{rule}"],
        "detail": {},
    }


class TimerPump:
    """Invokes a function at an interval; a slow invocation delays the next instead of overlapping it.

    Args:
        runtime: what invokes the function.
        function_name: the function; the rule bears its name.
        account: the AWS account, which events carry.
        region: the region, which events carry.
        interval_seconds: from the end of one invocation to the next.
        payload: the event in place of a scheduled rule's.
    """

    def __init__(
        self,
        runtime: LambdaRuntime,
        function_name: str,
        account: str,
        region: str,
        interval_seconds: float,
        payload: Mapping[str, object] | None = None,
    ) -> None:
        self._runtime = runtime
        self._function_name = function_name
        self._account = account
        self._region = region
        self._interval_seconds = interval_seconds
        self._payload = payload
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="timer-pump", daemon=True)

    def start(self) -> None:
        """Begin; the first invocation comes after one interval."""
        self._thread.start()

    def stop(self) -> None:
        """Ask the thread to end after what it is doing; `join` waits for it."""
        self._stopping.set()

    def join(self) -> None:
        """Wait for the thread to end."""
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_seconds):
            event = self._payload
            if event is None:
                event = scheduled_event(self._account, self._region, self._function_name, datetime.now(UTC))
            try:
                invocation = self._runtime.invoke(self._function_name, event)
            except (LocalAwsError, OSError) as error:
                # A timer goes on whatever happens to one invocation.
                _logger.warning("%s not invoked: %s", self._function_name, error)
                continue
            if invocation.function_error is not None and not self._stopping.is_set():
                _logger.warning("%s failed: %s", self._function_name, invocation.payload)
