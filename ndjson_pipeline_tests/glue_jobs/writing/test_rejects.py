import gzip
import json

from glue_jobs.reading.lines import Rejected
from glue_jobs.writing import upload
from glue_jobs.writing.rejects import RejectsWriter


def test_many_rejected_records_go_in_parts(lake, monkeypatch):
    monkeypatch.setattr(upload, "PART_BYTES", 5 * 1_048_576)
    writer = RejectsWriter(lake.client, lake.quarantine, "rejected/x.gz", "s3://m/1")
    raw = bytes(range(256)) * 40
    for number in range(1000):
        writer.write(Rejected(number, 0, "bad", raw + number.to_bytes(4) * 1000), "s3://i/1")
    assert writer.finish() == "rejected/x.gz"
    lines = gzip.decompress(lake.get(lake.quarantine, "rejected/x.gz")).splitlines()
    assert [json.loads(line)["line_number"] for line in lines] == list(range(1000))
