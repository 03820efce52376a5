"""What a file's bytes become, whatever they are packed and encoded in."""

import gzip
import io
import lzma
import random
import tarfile
import zlib

import pytest
from backports import zstd
from hypothesis import given, settings
from hypothesis import strategies as st

from glue_jobs.reading import unpacking
from glue_jobs.reading.content import content_of
from glue_jobs.reading.kinds import Packing
from glue_jobs.reading.lines import UnreadableError
from glue_jobs.reading.unpacking import Progress, unpack
from ndjson_pipeline_tests.glue_jobs.reading.packed import ENCODERS, PACKERS, snappy
from ndjson_pipeline_tests.glue_jobs.reading.texts import cut


def lines_of(count):
    chance = random.Random(1)
    return b"".join(b'{"a":"%032x"}\n' % chance.getrandbits(128) for _ in range(count))


LINES = lines_of(3000)


def text_of(data):
    return b"".join(content_of(iter([data])))


def failing(pieces):
    """Return what came, and why no more did."""
    found = []
    with pytest.raises(UnreadableError) as caught:
        for piece in content_of(iter(pieces)):
            found.append(piece)
    return b"".join(found), str(caught.value)


@pytest.mark.parametrize("packer", PACKERS)
@settings(deadline=None, max_examples=30)
@given(
    st.lists(st.binary(max_size=40).map(lambda data: b'{"' + data), min_size=1, max_size=4),
    st.integers(0, 10**6),
)
def test_packed_once_or_in_parts_and_cut_anywhere_it_is_the_same(packer, parts, seed):
    packed = b"".join(map(PACKERS[packer], parts))
    assert b"".join(content_of(iter(cut(packed, seed)))) == b"".join(parts)


@pytest.mark.parametrize("packer", PACKERS)
def test_what_comes_before_damage_is_kept(packer):
    # Some of them pack blocks of 64 KB, and bzip2 even larger ones.
    lines = lines_of(50_000 if packer == "bzip2" else 10_000)
    packed = PACKERS[packer](lines)
    half = len(packed) // 2
    found, reason = failing([packed[:half]])
    assert reason == f"{packer.split()[0]} cut short"
    assert lines.startswith(found)
    assert len(found) > len(lines) / 4
    found, reason = failing([PACKERS[packer](LINES[:50_000]) + b"no more" * 9])
    name = packer.split()[0]
    assert reason == ("damaged snappy" if name == "snappy" else f"{name} with other data behind it")
    assert found == LINES[:50_000]


def test_zeros_may_follow():
    for packing in ("gzip", "xz"):
        assert text_of(PACKERS[packing](LINES) + bytes(100)) == LINES


@pytest.mark.parametrize("packer", PACKERS)
def test_white_space_may_follow(packer):
    packed = PACKERS[packer](LINES)
    for pieces in ([packed + b"\r\n"], [packed, b" ", b"\n"], [packed, b"\n", packed]):
        assert b"".join(content_of(iter(pieces))) == LINES * (2 if pieces[-1] is packed else 1)


@pytest.mark.parametrize("packer", PACKERS)
def test_what_begins_like_another_part_is_one_that_is_cut_short(packer):
    packed = PACKERS[packer](LINES)
    for size in (1, 3, len(packed) - 1):
        assert failing([packed + packed[:size]])[1] == f"{packer.split()[0]} cut short"


def tar_of(content, kind):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=kind) as archive:
        member = tarfile.TarInfo("a.ndjson")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    return made.getvalue()


def without_ustar(archive):
    """An archive as tar wrote it before POSIX: its header has no mark."""
    header = bytearray(archive[:512])
    header[257:] = bytes(512 - 257)
    header[148:156] = b" " * 8
    header[148:156] = b"%06o\0 " % sum(header)
    return bytes(header) + archive[512:]


@pytest.mark.parametrize("kind", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_an_archive_is_one_reject_whatever_wrote_it(kind):
    archive = tar_of(LINES, kind)
    for data in (archive, without_ustar(archive), gzip.compress(without_ustar(archive), mtime=0)):
        found, said = failing([data])
        assert (found, said.split(",")[0].removesuffix(" within gzip")) == (b"", "a tar archive")


def test_chunks_of_snappy_that_are_for_others_are_left_out():
    packed = snappy(b'{"a":1}')
    assert text_of(packed + b"\xfe\x02\0\0xx" + packed + b"\x80\x01\0\0y") == b'{"a":1}{"a":1}'
    assert failing([packed + b"\x02\x01\0\0y"])[1] == "damaged snappy"
    assert failing([packed[:-1] + bytes([packed[-1] ^ 1])])[1] == "damaged snappy"
    assert failing([packed + b"\xfe\x05\0\0x"])[1] == "snappy cut short"


@pytest.mark.parametrize("packing", [Packing.GZIP, Packing.ZSTD, Packing.BZIP2, Packing.XZ, Packing.LZ4])
def test_a_bomb_ends_early(packing, monkeypatch):
    monkeypatch.setattr(unpacking, "PIECE_BYTES", 10_000)
    packed = PACKERS[packing.value](b"\n" * 10_000_000)
    unpacked = 0
    with pytest.raises(UnreadableError, match="unpacks to more than 200 times"):
        for piece in unpack(iter([packed]), packing, Progress(), harmless_bytes=50_000):
            unpacked += len(piece)
    assert unpacked <= max(50_000, 200 * len(packed)) + 10_000


def test_what_takes_too_much_memory_to_unpack_is_refused():
    packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: 30})
    packed = packer.compress(LINES) + packer.flush()
    assert "more memory" in failing([packed])[1]
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 512 * 1_048_576}]
    # The size of its dictionary is what its header says.
    small = [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": 4096}]
    packed = lzma.compress(b"{}", filters=small)
    assert text_of(packed) == b"{}"
    assert filters[0]["dict_size"] > unpacking._XZ_MEMORY_BYTES
    header = bytearray(packed)
    assert header[14:17] == b"\x21\x01\x00"
    header[16] = 37
    header[20:24] = zlib.crc32(bytes(header[12:20])).to_bytes(4, "little")
    assert "more memory" in failing([bytes(header)])[1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (gzip.compress(gzip.compress(LINES, mtime=0), mtime=0), "packed twice: gzip within gzip"),
        (zstd.compress(lzma.compress(LINES)), "packed twice: xz within zstd"),
        (b"PK\x03\x04" + bytes(100), "a zip archive"),
        (b"x" * 257 + b"ustar\x0000", "a tar archive"),
        (gzip.compress(b"x" * 257 + b"ustar  \0" + bytes(300), mtime=0), "a tar archive within gzip"),
        (b"PAR1\x15\x04", "Parquet"),
        (b"Obj\x01\x04\x14", "Avro"),
        (b"ORC\n\x03", "ORC"),
        (b"\x89LZO\0\r\n\x1a\n", "lzop"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "a 7z archive"),
        (b"Rar!\x1a\x07\x01\0", "a RAR archive"),
        (b"%PDF-1.7\n", "PDF"),
        (b"\x82SNAPPY\0\0\0\0\1", "snappy in Java's own frames"),
        (b"\xff\xff\xff\xff\x88\x01\0\0\x10\0\0\0\0\0", "Arrow"),
        (b"MZ\x90\0\x03\0\0\0\x04\0\0\0", "a program (Windows)"),
        (b"\x89PNG\r\n\x1a\n", "an image (PNG)"),
        (b'<?xml version="1.0"?><a/>', "XML or HTML"),
        (b"\n <!DOCTYPE html><html>", "XML or HTML"),
        (b"\x80\xea0\x1c" + b'{"a":1}\n' + b"\xfe\x08" * 50, "snappy without frames"),
        ('{"a":1}\n'.encode("utf-16-le"), "UTF-16 or UTF-32 without its mark"),
        ('{"a":1}\n'.encode("utf-16-be"), "UTF-16 or UTF-32 without its mark"),
        ('\n \r\n {"a":1}\n'.encode("utf-16-le"), "UTF-16 or UTF-32 without its mark"),
        ('\n \r\n {"a":1}\n'.encode("utf-16-be"), "UTF-16 or UTF-32 without its mark"),
        ('\n{"a":1}\n'.encode("utf-32-le"), "UTF-16 or UTF-32 without its mark"),
        ('\n{"a":1}\n'.encode("utf-32-be"), "UTF-16 or UTF-32 without its mark"),
        # By chance it begins as an array does.
        (b"[y" + random.Random(3).randbytes(4094), "binary data"),
        (random.Random(1).randbytes(4096), "binary data"),
        (random.Random(2).randbytes(300), "binary data"),
        (bytes(1000), "binary data"),
    ],
)
def test_what_is_not_read_is_told_by_its_first_bytes(data, reason):
    found, said = failing([data])
    assert not found
    assert said.startswith(reason)
    assert failing([data[:1], data[1:]]) == (found, said)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b'{"a":"\0"}\n' * 5,
        b'\0\0\n{"a":1}\n',
        b"a,b\n1,2\n",
        "déjà vu\n".encode("latin-1"),
        b'\xff\n{"a":1}',
        b"BZhello\n",
        b'ORC,1\n{"a":1}',
        b'PK\n{"a":1}',
        b"\x1e{}",
    ],
)
def test_lines_with_odd_bytes_are_lines(data):
    assert text_of(data) == data


@pytest.mark.parametrize("encoder", ENCODERS)
@settings(deadline=None, max_examples=30)
@given(st.text(max_size=200), st.integers(0, 10**6))
def test_a_mark_tells_the_encoding(encoder, text, seed):
    data = ENCODERS[encoder](text)
    assert b"".join(content_of(iter(cut(data, seed)))) == text.encode()
    assert text_of(gzip.compress(data)) == text.encode()


def test_an_unpaired_surrogate_is_its_line_s_fault():
    data = b"\xff\xfe" + '{"a":1}\n'.encode("utf-16-le") + b"\x00\xd8" + '\n{"b":2}'.encode("utf-16-le")
    assert text_of(data) == b'{"a":1}\n\xed\xa0\x80\n{"b":2}'


def test_what_is_no_text_of_its_encoding_ends_the_file():
    text = '{"a":1}\n'.encode("utf-16-le")
    assert failing([b"\xff\xfe" + text + b"x"]) == (b'{"a":1}\n', "UTF-16-LE cut short within a character")
    text = '{"a":1}\n'.encode("utf-32-be") * 20_000
    found, reason = failing([b"\0\0\xfe\xff" + text + b"\xff" * 40])
    assert reason == "damaged UTF-32-BE"
    assert len(found) > 100_000
