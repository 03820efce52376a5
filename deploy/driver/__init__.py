"""Packages, deploys and takes away the platform: `python -m deploy.driver --help`."""
