import gzip

import pytest

from glue_jobs.reading import gzip_pieces
from glue_jobs.reading.gzip_pieces import gunzip
from glue_jobs.reading.lines import UnreadableError


def test_a_bomb_ends_early(monkeypatch):
    monkeypatch.setattr(gzip_pieces, "PIECE_BYTES", 10_000)
    packed = gzip.compress(b"\n" * 10_000_000)
    unpacked = 0
    with pytest.raises(UnreadableError, match="unpacks to more than 200 times"):
        for piece in gunzip(iter([packed]), harmless_bytes=50_000):
            unpacked += len(piece)
    assert 50_000 < unpacked <= 200 * len(packed)
