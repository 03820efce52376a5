"""Runs the local AWS until it is told to end."""

import argparse
import json
import logging
import os
import signal
import sys
import threading
from dataclasses import asdict
from pathlib import Path

from ndjson_pipeline.local_aws.errors import LocalAwsError
from ndjson_pipeline.local_aws.server.server import LocalAws
from ndjson_pipeline.local_aws.settings import LocalAwsSettings
from ndjson_pipeline.local_aws.state.journal import Restored

# Once what changes can't be kept, nothing is answered any longer.
_SECONDS_BETWEEN_LOOKS = 0.5

_logger = logging.getLogger(__name__)


def main(arguments: list[str]) -> int:
    """Run until SIGTERM, SIGINT or the end of standard input; print one line of JSON when ready."""
    parser = argparse.ArgumentParser(prog="python -m ndjson_pipeline.local_aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0 for any free port")
    parser.add_argument("--directory", type=Path, required=True, help="for logs and Glue runs")
    parser.add_argument("--settings", default="{}", help="JSON object of LocalAwsSettings' attributes")
    parser.add_argument("--state", type=Path, help="where what clients change is kept")
    parser.add_argument(
        "--ignore-stdin", action="store_true", help="go on after the end of standard input, as under nohup"
    )
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(levelname)s %(name)s %(message)s"
    )
    ending = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda _number, _frame: ending.set())
    if not options.ignore_stdin:
        threading.Thread(target=_await_end_of_input, args=(ending,), daemon=True).start()
    try:
        settings = LocalAwsSettings.from_json(options.settings)
        with LocalAws(
            options.port, directory=options.directory, settings=settings, state=options.state
        ) as aws:
            restored = Restored(0, 0, 0) if aws.journal is None else aws.journal.restored
            ready = {
                "endpoint_url": aws.endpoint_url,
                # To the standard output alone: whoever starts the server gets them, and no log.
                "access_key_id": aws.credentials.access_key_id,
                "secret_access_key": aws.credentials.secret_access_key,
                "account": aws.names.account,
                "environment": aws.names.environment,
                "region": settings.region,
                "directory": str(aws.directory),
                "process_id": os.getpid(),
                "restored": asdict(restored),
            }
            sys.stdout.write(json.dumps(ready) + "\n")
            sys.stdout.flush()
            while not ending.wait(_SECONDS_BETWEEN_LOOKS):
                if aws.journal is not None and aws.journal.problem is not None:
                    return 1
    except LocalAwsError as error:
        _logger.error("%s", error)
        return 1
    return 0


def _await_end_of_input(ending: threading.Event) -> None:
    while os.read(0, 4096):
        pass
    _logger.info("standard input has ended, and so does the local AWS")
    ending.set()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
