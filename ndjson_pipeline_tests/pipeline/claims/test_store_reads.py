"""Reads of manifest records from a table that holds other rows too."""

from typing import Any

import pytest

from lambda_ingest.contract.records import ManifestStatus
from ndjson_pipeline.errors import RecordFormatError
from ndjson_pipeline_tests.pipeline.harness import DATE, ManifestTable, make_name

PENDING = ManifestStatus.PENDING

ROWS_OF_OTHER_SHAPES: list[dict[str, Any]] = [
    {"file_key": "MANIFEST", "manifest_path": "s3://b/manifests/x.json"},
    {"file_key": "MANIFEST#manifest-of-an-older-tool.json"},
    {"file_key": f"MANIFEST#{make_name(999_001).filename}"},
    {"file_key": f"MANIFEST#{make_name(999_002).filename}", "manifest_path": "nowhere"},
    {"file_key": "2026-01-30-a.ndjson", "file_path": "s3://b/a"},
]


@pytest.fixture
def clean(manifests: ManifestTable) -> ManifestTable:
    """A table of this test alone, with rows of other shapes in the status index."""
    for row in ROWS_OF_OTHER_SHAPES:
        manifests.put_item(date_prefix=DATE, status="pending", file_count=1, **row)
    return manifests


def test_reads_by_status_skip_rows_of_other_shapes_with_a_warning(
    clean: ManifestTable, caplog: pytest.LogCaptureFixture
) -> None:
    names = {clean.commit(1), clean.commit(2)}
    clean.commit(3, status="completed")
    found = clean.store().with_status(PENDING, 100)
    assert {record.name for record in found} == names
    for row in ROWS_OF_OTHER_SHAPES:
        assert f"{DATE} / {row['file_key']}" in caplog.text


def test_reads_by_date_skip_rows_of_other_shapes_with_a_warning(
    clean: ManifestTable, caplog: pytest.LogCaptureFixture
) -> None:
    names = [clean.commit(sequence) for sequence in (3, 1, 2)]
    clean.commit(4, "2026-01-29")
    clean.put_item(date_prefix=DATE, file_key=f"MANIFEST#{make_name(5).filename}", status="unknown")
    assert [record.name for record in clean.store().of_date(DATE)] == sorted(names)
    assert make_name(5).filename in caplog.text


def test_reads_by_status_return_no_more_than_asked_for(manifests: ManifestTable) -> None:
    for sequence in range(1, 6):
        manifests.commit(sequence)
    assert len(manifests.store().with_status(PENDING, 3)) == 3


def test_a_read_of_a_row_of_another_shape_names_it(manifests: ManifestTable) -> None:
    name = manifests.commit(1, status="unknown")
    with pytest.raises(RecordFormatError, match=name.filename):
        manifests.store().read(name)


def test_many_rows_of_other_shapes_are_counted_and_the_first_named(
    manifests: ManifestTable, caplog: pytest.LogCaptureFixture
) -> None:
    for sequence in range(1, 41):
        manifests.commit(sequence, attempt="1")
    sound = manifests.commit(41)
    assert [record.name for record in manifests.store().with_status(PENDING, 100)] == [sound]
    assert caplog.text.count("Skipped a row of another shape") == 20
    assert "Skipped 40 rows of other shapes" in caplog.text


def test_totals_of_another_shape_count_as_none(
    manifests: ManifestTable, caplog: pytest.LogCaptureFixture
) -> None:
    manifests.put_item(date_prefix=f"TOTALS#{DATE}", file_key="TOTALS", manifests="many")
    assert manifests.store().totals(DATE).manifests == 0
    assert "have another shape" in caplog.text


def test_a_failed_record_that_changed_its_shape_since_the_index_showed_it_is_passed_over(
    manifests: ManifestTable,
) -> None:
    name = manifests.commit(1, status="unknown")
    assert manifests.store().failed_of(DATE, 10, [name]) == []
