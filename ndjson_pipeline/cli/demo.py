"""The command `demo`."""

import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from lambda_ingest.contract.clock import utc_now
from ndjson_pipeline.cli.fetch import print_fetched
from ndjson_pipeline.errors import PipelineError
from ndjson_pipeline.laptop.dagster_process import daemon_command
from ndjson_pipeline.laptop.demo.display import ProgressDisplay, result_table
from ndjson_pipeline.laptop.demo.input_files import InputFile, files_of_folder, generated_files
from ndjson_pipeline.laptop.demo.run import DEMO_SETTINGS, Progress, run_demo
from ndjson_pipeline.laptop.fetch import Fetched, fetch_dates
from ndjson_pipeline.laptop.platform import LocalPlatform
from ndjson_pipeline.laptop.workspace import check_feeds, definitions_of


def run(
    *,
    files: int,
    file_size_kb: int,
    input_folder: Path | None,
    as_json: bool,
    seed: int,
    timeout: float,
    feed: str = "",
    keep: Path | None = None,
) -> None:
    """Run the demonstration in a folder of its own, which stays only where something went wrong.

    Args:
        files: how many to generate.
        file_size_kb: about how large each is.
        input_folder: has real files instead.
        as_json: whether the result is one JSON object on the standard output.
        seed: draws the records.
        timeout: how many seconds to wait for the end.
        feed: the feed's name, empty for the one that has none.
        keep: a folder that gets the Parquet.

    Raises:
        PipelineError: it failed; the message says where its logs are.
    """
    console = Console(file=sys.stderr if as_json else sys.stdout)
    began = utc_now()
    check_feeds([feed])
    # What can't be read is told before anything is started.
    found = None if input_folder is None else files_of_folder(input_folder, began)
    real = None if found is None else found.files
    if found is not None and found.left_out:
        console.print(found.left_out_text(), highlight=False, soft_wrap=True, markup=False)
    directory = Path(tempfile.mkdtemp(prefix="ndjson-demo-"))
    try:
        with ProgressDisplay(console) as display:
            display.tell(Progress("starting the local AWS and Dagster", files if real is None else len(real)))
            command = daemon_command(definitions_of(directory, [feed]))
            with LocalPlatform(directory, command, settings=DEMO_SETTINGS, feeds=[feed]) as platform:
                inputs = (
                    tuple(generated_files(files, file_size_kb * 1024, began, seed)) if real is None else real
                )
                result = run_demo(platform, inputs, began=began, timeout_seconds=timeout, tell=display.tell)
                kept = None if keep is None else _keep(platform, inputs, keep)
    except PipelineError as error:
        raise PipelineError(f"the demo failed: {error}\nIts logs are in {directory}") from error
    except BaseException:
        shutil.rmtree(directory, ignore_errors=True)
        raise
    shutil.rmtree(directory, ignore_errors=True)
    console.print(result_table(result))
    if kept is None:
        console.print("The Parquet went with the platform; --keep FOLDER keeps it.", highlight=False)
    else:
        print_fetched(console, kept, kept.folder / "*" / "*.parquet")
    if as_json:
        sys.stdout.write(json.dumps(result.to_document()) + "\n")


def _keep(platform: LocalPlatform, files: Sequence[InputFile], folder: Path) -> Fetched:
    dates = sorted({file.date_prefix for file in files if file.record_count})
    return fetch_dates(platform.deployment(), dates, folder)
