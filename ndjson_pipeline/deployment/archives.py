"""Zip archives whose bytes follow from what is in them alone."""

import io
import zipfile
from collections.abc import Iterable

from ndjson_pipeline.errors import PipelineError

# Zip cannot hold an earlier instant.
_FIXED_TIME = (1980, 1, 1, 0, 0, 0)
_READABLE_BY_ALL = 0o100644


class PackagingError(PipelineError):
    """Something that belongs into an archive is not there, or is not what it must be."""


def archive(entries: Iterable[tuple[str, bytes]], *, is_compressed: bool = True) -> bytes:
    """Return a zip of the entries, in order of their names, without times and owners.

    Args:
        entries: name and content of each; names have `/` between their parts.
        is_compressed: False where the entries are compressed already, as wheels are.

    Raises:
        PackagingError: two entries have one name.
    """
    method = zipfile.ZIP_DEFLATED if is_compressed else zipfile.ZIP_STORED
    buffer = io.BytesIO()
    last = None
    with zipfile.ZipFile(buffer, "w", method) as target:
        for name, content in sorted(entries):
            if name == last:
                raise PackagingError(f"{name} is in the archive twice; two packages bring the same file")
            information = zipfile.ZipInfo(name, date_time=_FIXED_TIME)
            information.compress_type = method
            # Otherwise the system that it is built on is in it.
            information.create_system = 3
            information.external_attr = _READABLE_BY_ALL << 16
            target.writestr(information, content)
            last = name
    return buffer.getvalue()
