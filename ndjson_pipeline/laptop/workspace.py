"""The code locations of a laptop's Dagster: one a feed, in a workspace file that is written for them."""

from collections.abc import Sequence
from pathlib import Path

from ndjson_pipeline.deployment.names import feed_problem, location_name
from ndjson_pipeline.errors import SettingsError

_DEFINITIONS = """\"\"\"The code location of one feed.\"\"\"

from ndjson_pipeline.definitions import build_defs

defs = build_defs(feed={feed!r})
"""
_LOCATION = """\
  - python_file:
      relative_path: {file}
      attribute: defs
      location_name: {location}
"""


def check_feeds(feeds: Sequence[str]) -> None:
    """Do nothing where feeds can be beside each other.

    Args:
        feeds: their names; an empty one is the feed that has none.

    Raises:
        SettingsError: a name makes no sense, or is there twice.
    """
    for feed in feeds:
        if problem := feed_problem(feed):
            raise SettingsError(f"The feed's name {problem}.")
        if feeds.count(feed) > 1:
            raise SettingsError(f"The feed {feed!r} is named twice; each is there once.")


def definitions_of(folder: Path, feeds: Sequence[str]) -> Path:
    """Return where Dagster finds the code locations of feeds, each by the name that it has everywhere.

    Args:
        folder: where a workspace file is written.
        feeds: their names; an empty one is the feed that has none.
    """
    return write_workspace(folder / "workspace", feeds)


def write_workspace(folder: Path, feeds: Sequence[str]) -> Path:
    """Write a workspace file with a code location for each feed, and return its path.

    Args:
        folder: where it goes, with a file beside it for each feed.
        feeds: their names; an empty one is the feed that has none.
    """
    folder.mkdir(parents=True, exist_ok=True)
    locations = []
    for feed in feeds:
        file = f"{location_name(feed).replace('-', '_')}_location.py"
        (folder / file).write_text(_DEFINITIONS.format(feed=feed))
        locations.append(_LOCATION.format(file=file, location=location_name(feed)))
    path = folder / "workspace.yaml"
    path.write_text("load_from:\n" + "".join(locations))
    return path
