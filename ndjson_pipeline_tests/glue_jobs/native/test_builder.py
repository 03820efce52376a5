"""The builder as a resource: what it refuses, what it frees, what memory does to it."""

from collections.abc import Callable

import pytest

from glue_jobs.errors import NativeParserError
from glue_jobs.native.library import Library
from glue_jobs.schema.types import INT64, STRING, list_of, map_of, struct_of
from ndjson_pipeline_tests.glue_jobs.native.oracle import Setting

TYPES = {"a": INT64, "s": STRING, "l": list_of(struct_of({"x": STRING})), "m": map_of(INT64)}
SETTING = Setting(TYPES, TYPES)
LINE = b'{"a":1,"s":"text","l":[{"x":"y"},{"x":1}],"m":{"k":1,"z":"odd"},"new":[1,2]}'


def test_what_does_not_fit_is_not_added(native: Library) -> None:
    with SETTING.open(native) as builder:
        for kept in (b'{"a":"x"}', b'{"new":1}', b'{"a":1', b'{"a":1}\n{"a":2}', b"[]", b""):
            with pytest.raises(NativeParserError, match="does not fit its columns"):
                builder.add(kept, b'{"r":1}')
        assert builder.rows == 0
        builder.add(b'{"a":5}', b'{"r":1}')
        taken = builder.take()
    assert taken.table.column("a").to_pylist() == [5]
    assert taken.rescued is not None and taken.rescued.to_pylist() == ['{"r":1}']


def test_its_size_follows_what_it_holds(native: Library) -> None:
    with SETTING.open(native) as builder:
        assert builder.size == 0
        builder.feed(b'{"s":"' + b"x" * 1000 + b'"}')
        assert 1000 < builder.size < 1200
        builder.feed(b"\n".join([LINE] * 1000))
        held = builder.size
        taken = builder.take()
        assert taken.rescued is not None
        assert builder.size == 0
        assert abs(held - taken.table.nbytes - taken.rescued.nbytes) < 0.2 * held


def test_closing_twice_does_no_harm_and_rows_outlive_it(native: Library) -> None:
    builder = SETTING.open(native)
    builder.feed(b"\n".join([LINE] * 100))
    taken = builder.take()
    builder.feed(LINE)
    builder.close()
    builder.close()
    assert taken.table.column("s").to_pylist() == ["text"] * 100


def test_a_refused_request_for_memory_is_an_error_of_that_builder_alone(
    variant: Callable[..., Library],
) -> None:
    library = variant("NDJSON_REFUSALS")
    grant = library.functions.ndjson_grant
    refused = 0
    for requests in range(10_000):
        grant(requests)
        try:
            builder = SETTING.open(library)
            try:
                builder.feed(b"\n".join([LINE] * 20))
                builder.add(b'{"a":1}', b'{"r":1}')
                rows = builder.take().table.num_rows
                break
            except MemoryError:
                grant(-1)
                with pytest.raises(NativeParserError, match="had no memory before"):
                    builder.take()
                raise
            finally:
                builder.close()
        except MemoryError:
            refused += 1
        finally:
            grant(-1)
    assert rows == 21
    assert refused > 50


def test_without_a_library_it_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("glue_jobs.native.builder.load", lambda: None)
    with pytest.raises(NativeParserError, match="no native parser"):
        SETTING.open()
