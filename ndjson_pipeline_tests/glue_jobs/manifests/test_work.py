from dataclasses import replace

import pytest

from glue_jobs.manifests.work import ManifestWork, named
from glue_jobs.reporting.report import FileNote
from glue_jobs.schema.columns import Columns
from glue_jobs.task import PartResult, PartTask
from lambda_ingest.contract.keys import ManifestName
from lambda_ingest.contract.manifest import Manifest, ManifestFile
from ndjson_pipeline_tests.glue_jobs.conftest import NOW

FILES = tuple(ManifestFile(f"s3://i/{number}", 1_000, "e") for number in range(10))
TASK = PartTask("s3://m/1", 0, FILES, "o", "out", "snappy", NOW, Columns(), False, "q", "rejected/1", None)


def work_of(**more) -> ManifestWork:
    name = ManifestName("2026-01-30", 1, "00000000")
    work = ManifestWork("s3://m/1", manifest=Manifest(name, "2026-01-30T00:00:00.000000Z", FILES))
    work.parts[0] = replace(PartResult(TASK, rejects_key="rejected/1"), **more)
    return work


def error_of(work: ManifestWork, most: float) -> str | None:
    work.check([TASK], most)
    return work.error


LOST = {
    "records_read": 45_001,
    "records_written": 45_000,
    "records_rejected": 1,
    "rejected_bytes": 1_000,
    "unreadable": (FileNote("s3://i/7", "an array of JSON, expected lines"),),
}


def test_a_lost_file_weighs_as_a_file():
    """By records it is one of 45,001."""
    assert error_of(work_of(**LOST), 0.1) is None
    error = error_of(work_of(**LOST), 0.099)
    assert error.startswith("1,000 of 10,000 bytes rejected, more than the 0.099 of all")
    assert "s3://q/rejected/1" in error
    assert error.endswith("files that could not be read on: s3://i/7: an array of JSON, expected lines")


def test_records_count_as_well():
    numbers = {"records_read": 10, "records_written": 8, "records_rejected": 2, "rejected_bytes": 3}
    assert error_of(work_of(**numbers), 0.2) is None
    assert error_of(work_of(**numbers), 0.1).startswith("2 of 10 records rejected, more than the 0.1 of all")


def test_files_that_are_missing_have_no_bytes_to_reject():
    missing = tuple(FileNote(file.uri, "gone") for file in FILES[1:])
    work = work_of(records_read=2, records_written=1, records_rejected=1, rejected_bytes=501, missing=missing)
    assert (work.file_bytes, work.rejected_bytes) == (1_000, 501)
    assert error_of(work, 0.5).startswith("501 of 1,000 bytes")


@pytest.mark.parametrize("most", [0.0, 1.0])
def test_all_may_be_rejected_or_nothing(most):
    """What a packed file holds is estimated, and never more than the file."""
    work = work_of(records_read=1, records_rejected=1, rejected_bytes=99_999)
    assert work.outcome().rejected_bytes == 10_000
    assert (error_of(work, most) is None) == (most == 1.0)
    assert error_of(work_of(records_read=1, records_written=1), most) is None


def test_of_many_files_the_first_are_named():
    notes = [FileNote(f"s3://i/{number:02}", "bad\nname") for number in range(30)]
    assert named(notes[:2]) == "s3://i/00: bad\\nname; s3://i/01: bad\\nname"
    assert named(notes).endswith("s3://i/19: bad\\nname; and 10 more")
