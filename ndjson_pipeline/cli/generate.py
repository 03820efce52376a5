"""The command `generate`."""

import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from lambda_ingest.contract.clock import utc_now
from lambda_ingest.contract.errors import IngestError
from lambda_ingest.contract.records import BYTES_PER_MB
from lambda_ingest.contract.sample_input import BucketSink, FolderSink, GeneratorRequest, Sink, generate
from ndjson_pipeline.deployment.clients import deployment_of
from ndjson_pipeline.deployment.settings import FEED_VARIABLE
from ndjson_pipeline.errors import PipelineError


def run(request_fields: Mapping[str, Any], folder: Path | None, feed: str | None = None) -> None:
    """Generate files into the input bucket of the deployment, or into a folder.

    Args:
        request_fields: what to generate, as the generator's Lambda takes it.
        folder: where to, instead of the bucket.
        feed: whose bucket, empty for the feed without a name; None is what the environment names.

    Raises:
        PipelineError: an option makes no sense.
    """
    console = Console(file=sys.stderr)
    try:
        request = GeneratorRequest.parse(request_fields)
        # What can't be written to is told before a bar is shown.
        sink = _sink(folder, feed)
        with Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=console,
        ) as bars:
            task = bars.add_task("files", total=request.file_count)
            generated = generate(
                request,
                sink,
                clock=utc_now,
                sleep=time.sleep,
                # A person can wait, and end it with Ctrl-C; what is written by then stays.
                remaining_seconds=lambda: float("inf"),
                tell=lambda _name, _size: bars.advance(task),
            )
    except IngestError as error:
        raise PipelineError(str(error)) from error
    where = str(folder) if folder is not None else "the input bucket"
    console.print(
        f"{len(generated.names)} files, {generated.size_bytes / BYTES_PER_MB:.2f} MB, into {where}; "
        f"seed {generated.seed}",
        highlight=False,
    )


def _sink(folder: Path | None, feed: str | None) -> Sink:
    if folder is not None:
        return FolderSink(folder)
    deployment = deployment_of(os.environ if feed is None else {**os.environ, FEED_VARIABLE: feed})
    return BucketSink(
        deployment.s3, bucket=deployment.names.input_bucket, prefix=deployment.settings.input_prefix
    )
