"""The Glue job: NDJSON files that manifests list become Parquet."""

import sys
from pathlib import Path

_HERE = Path(__file__).resolve().parent
if (_HERE / "__init__.py").exists():
    # Run by hand from the source tree, Python looks for modules beside this file, where names such as schema
    # would hide others; the package is found from the folder above. On Glue it comes in a zip.
    sys.path[0] = str(_HERE.parent)


def main(argv: list[str]) -> None:
    """Run the job.

    Args:
        argv: the arguments after the script's name.

    Raises:
        glue_jobs.errors.GlueJobError: the run failed; the message says why.
    """
    from glue_jobs.entry import run_from_arguments  # noqa: PLC0415 - the path above comes first
    from glue_jobs.reporting.log import set_up_log  # noqa: PLC0415 - likewise

    set_up_log()
    run_from_arguments(argv)


if __name__ == "__main__":
    main(sys.argv[1:])
