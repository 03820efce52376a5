"""Names whose spelling says that they are values: dates, ids, numbers, urls and addresses."""

from __future__ import annotations

import re
from typing import Final

# Longer names make no columns in any case.
_LONGEST: Final = 1_000
_SHAPES: Final = re.compile(
    "|".join(
        (
            # 42, an id or a place in a list.
            r"[0-9]+",
            # 2026-01, 2026-01-30, 2026/01/30, 2026-01-30T12:00:00Z.
            r"[0-9]{4}(?P<sign>[-/.])[0-9]{2}(?:(?P=sign)[0-9]{2}(?:[T ][0-9:.,+Z-]*)?)?",
            # 8c9e0f5a-77d1-4d0e-9a53-1b4a2f0c7d11.
            r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
            # 8f3a11c2: words of these letters alone have no digit.
            r"(?=[A-Fa-f]*[0-9])[0-9A-Fa-f]{8,}",
            # 01ARZ3NDEKTSV4RRFFQ69G5FAV.
            r"[0-7][0-9A-HJKMNP-TV-Z]{25}",
            # https://example.com/a, s3://bucket/key.
            r"[A-Za-z][A-Za-z0-9+.-]{0,30}://\S.*",
            # ann@example.com.
            r"[^@\s]{1,100}@[^@\s]{1,200}\.[^@\s.]+",
            # 10.0.0.1, with a port.
            r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}(?::[0-9]{1,5})?",
            # arn:aws:iam::123456789012:role/a.
            r"arn:[^\s:]+:\S+",
        )
    ),
    re.ASCII | re.DOTALL,
)


def is_spelled_like_a_value(name: str) -> bool:
    """Return whether a name is spelled like a date, an id, a whole number, a url or an address."""
    return len(name) <= _LONGEST and _SHAPES.fullmatch(name) is not None
