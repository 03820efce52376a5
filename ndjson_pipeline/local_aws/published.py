"""What is published to topics, as lines of a file, so that a person sees it: a laptop has no mail."""

import contextlib
import json
import logging
import threading
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import moto.sns.models

from ndjson_pipeline.local_aws.hooks import told

FILE = "published.jsonl"
# What is older lies in one file beside it, and what is older than that is gone.
_MOST_BYTES = 2_000_000

_logger = logging.getLogger(__name__)


@contextlib.contextmanager
def published_to(path: Path, clock: Callable[[], datetime]) -> Iterator[None]:
    """Append each message that is published to a file, until the end of the block.

    A line is a JSON object: `time`, `topic` (its name), `subject`, `message` as it was published.

    Args:
        path: the file.
        clock: the time.
    """
    lock = threading.Lock()

    def append(topic: Any, message: str, subject: str | None = None, *_: Any, **__: Any) -> None:
        line = json.dumps(
            {"time": clock().isoformat(), "topic": topic.name, "subject": subject, "message": message}
        )
        try:
            with lock:
                if path.exists() and path.stat().st_size > _MOST_BYTES:
                    path.replace(path.with_suffix(".1.jsonl"))
                with path.open("a") as file:
                    file.write(f"{line}\n")
        except OSError as error:
            _logger.warning("what was published to %s is not in %s: %s", topic.name, path, error)

    with told(moto.sns.models.Topic, "publish", append):
        yield
