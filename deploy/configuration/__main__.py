"""Writes docs/configuration.md: `python -m deploy.configuration`."""

import sys

from deploy.configuration.page import PAGE, page

PAGE.write_text(page())
sys.stdout.write(f"{PAGE}\n")
