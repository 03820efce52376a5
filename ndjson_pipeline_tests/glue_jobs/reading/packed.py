"""Bytes packed in all the ways that are read."""

import bz2
import gzip
import lzma

import cramjam
import lz4.frame
from backports import zstd

SKIPPABLE = b"\x50\x2a\x4d\x18\x03\x00\x00\x00abc"


def snappy(data):
    return bytes(cramjam.snappy.compress(data))


PACKERS = {
    "gzip": lambda data: gzip.compress(data, mtime=0),
    "zstd": zstd.compress,
    "bzip2": bz2.compress,
    "xz": lzma.compress,
    "lz4": lz4.frame.compress,
    "snappy": snappy,
    "zstd after what is skipped": lambda data: SKIPPABLE + zstd.compress(data),
    "lz4 after what is skipped": lambda data: SKIPPABLE + lz4.frame.compress(data),
}
ENCODERS = {
    "utf-16, little end first": lambda text: b"\xff\xfe" + text.encode("utf-16-le"),
    "utf-16, big end first": lambda text: b"\xfe\xff" + text.encode("utf-16-be"),
    "utf-32, little end first": lambda text: b"\xff\xfe\0\0" + text.encode("utf-32-le"),
    "utf-32, big end first": lambda text: b"\0\0\xfe\xff" + text.encode("utf-32-be"),
}
