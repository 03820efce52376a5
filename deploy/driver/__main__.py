"""The driver's command line."""

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from deploy.driver.commands import RealCommands
from deploy.driver.errors import DeployError
from deploy.driver.packages import BUILD, make_packages, table
from ndjson_pipeline.errors import PipelineError


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m deploy.driver", description=__doc__)
    steps = parser.add_subparsers(dest="step", required=True)
    package = steps.add_parser("package", help="write all that a deployment brings into a folder")
    package.add_argument("--folder", type=Path, default=BUILD)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Do a step; return the exit status."""
    options = _parser().parse_args(arguments)
    commands = RealCommands(os.environ)
    try:
        print(table(make_packages(options.folder.resolve(), commands)))
    except (DeployError, PipelineError) as error:
        print(f"{options.step}: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
