"""The command `generate`."""

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
from ndjson_pipeline.deployment.clients import current_deployment
from ndjson_pipeline.errors import PipelineError


def run(request_fields: Mapping[str, Any], folder: Path | None) -> None:
    """Generate files into the input bucket of the deployment, or into a folder.

    Raises:
        PipelineError: an option makes no sense.
    """
    console = Console(file=sys.stderr)
    try:
        request = GeneratorRequest.parse(request_fields)
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
                _sink(folder),
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


def _sink(folder: Path | None) -> Sink:
    if folder is not None:
        return FolderSink(folder)
    deployment = current_deployment()
    return BucketSink(
        deployment.s3, bucket=deployment.names.input_bucket, prefix=deployment.settings.input_prefix
    )
