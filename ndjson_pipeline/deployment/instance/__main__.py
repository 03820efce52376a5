"""Makes the DAGSTER_HOME of a deployment ready, before its daemon, its UI and its code servers start."""

import argparse
import os
import sys
from pathlib import Path

from ndjson_pipeline.deployment.feed import Feed
from ndjson_pipeline.deployment.instance.home import LOCAL, PRODUCTION, prepare_home
from ndjson_pipeline.deployment.settings import PipelineSettings
from ndjson_pipeline.errors import SettingsError


def main(arguments: list[str]) -> int:
    """Prepare the home that `--home` or DAGSTER_HOME names; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m ndjson_pipeline.deployment.instance", description=__doc__
    )
    parser.add_argument(
        "--home",
        type=Path,
        default=os.environ.get("DAGSTER_HOME"),
        help="the folder; DAGSTER_HOME where it is left out",
    )
    parser.add_argument("--settings", choices=(LOCAL, PRODUCTION), default=PRODUCTION)
    parser.add_argument(
        "--places",
        action="store_true",
        help="before a code server: also give the pool of its feed (NDJSON_FEED) the places that "
        "GLUE_MAX_CONCURRENT_RUNS says",
    )
    parser.add_argument(
        "--max-concurrent-runs",
        type=int,
        help="before the daemon: how many runs of all feeds together may go at once, where it is more than "
        "the settings say; the places of all feeds, and two a feed",
    )
    options = parser.parse_args(arguments)
    if not options.home:
        parser.error("no folder was named: pass --home, or set DAGSTER_HOME")
    try:
        settings = PipelineSettings.from_environment(os.environ)
    except SettingsError as error:
        parser.error(str(error))
    prepare_home(
        Path(options.home),
        options.settings,
        places={Feed(settings.feed).pool: settings.max_concurrent_runs} if options.places else None,
        max_concurrent_runs=options.max_concurrent_runs,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
