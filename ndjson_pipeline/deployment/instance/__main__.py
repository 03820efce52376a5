"""Makes the DAGSTER_HOME of a deployment ready, before its daemon and UI start."""

import argparse
import os
import sys
from pathlib import Path

from ndjson_pipeline.deployment.instance.home import LOCAL, PRODUCTION, prepare_home


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
    options = parser.parse_args(arguments)
    if not options.home:
        parser.error("no folder was named: pass --home, or set DAGSTER_HOME")
    prepare_home(Path(options.home), options.settings)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
