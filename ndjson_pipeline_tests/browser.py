"""A browser of the machine, without a window."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

# Set where a browser must be there, so that its absence is a failure and not a skip.
REQUIRED_VARIABLE = "NDJSON_TESTS_REQUIRE_BROWSER"
_COMMANDS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    # Its sandbox refuses root; the only pages it shows are the test's own.
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A container's /dev/shm is small.
    "--disable-dev-shm-usage",
)


@contextmanager
def browser() -> Iterator[Browser]:
    """Start a browser; skip the test where there is none, unless one is required."""
    found = next((path for command in _COMMANDS if (path := shutil.which(command))), None)
    if found is None:
        reason = f"no browser on the PATH: install chromium (looked for {', '.join(_COMMANDS)})"
        if os.environ.get(REQUIRED_VARIABLE):
            pytest.fail(reason)
        pytest.skip(f"{reason}; with {REQUIRED_VARIABLE}=1 this is a failure")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=found, headless=True, args=_ARGUMENTS)
        try:
            yield started
        finally:
            started.close()
