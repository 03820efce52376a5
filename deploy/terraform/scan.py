"""Asks checkov about the Terraform; `.checkov.yaml` beside it lists what may be as it is, and why.

checkov pins versions of libraries that the project has newer, so it lives in an environment of its own.
"""

import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).resolve().parents[2]
ENVIRONMENT = PROJECT / "build" / "checkov"
VERSION = "checkov==3.3.30"
CONFIGURATION = Path("deploy/terraform/.checkov.yaml")


def main() -> int:
    """Return checkov's status: 0 where no check fails; where it can't be had it says `NOT DONE`, and 0."""
    checkov = ENVIRONMENT / "bin" / "checkov"
    if not checkov.exists():
        print(f"installing {VERSION} into {ENVIRONMENT.relative_to(PROJECT)}", flush=True)
        subprocess.run([sys.executable, "-m", "venv", str(ENVIRONMENT)], check=True)
        installed = subprocess.run(
            [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet", VERSION],
            check=False,
            capture_output=True,
            text=True,
        )
        if installed.returncode:
            print(f"NOT DONE: {VERSION} can't be installed:\n{installed.stderr[-2000:]}")
            return 0
    return subprocess.run(
        [str(checkov), "--config-file", str(CONFIGURATION)], cwd=PROJECT, check=False
    ).returncode


if __name__ == "__main__":
    sys.exit(main())
