import threading

from glue_jobs.reporting.progress import ProgressWatch, Totals, progress_line


def test_a_line():
    line = progress_line(Totals(40, 1234, 140_000_000), 100, 2.0)
    assert line == "files 40 of 100, 1,234 records, 133.5 MB, 66.8 MB/s"
    assert progress_line(Totals(0, 0, 0), 1, 0.0).endswith("0.0 MB/s")


def test_tells_what_changed_and_the_end():
    seen = iter([Totals(1, 1, 1), Totals(1, 1, 1), Totals(2, 2, 2)])
    lines: list[str] = []
    told_twice = threading.Event()
    totals = Totals(0, 0, 0)

    def look() -> Totals:
        nonlocal totals
        try:
            totals = next(seen)
        except StopIteration:
            told_twice.set()
        return totals

    with ProgressWatch(look, 2, lines.append, interval=0.01):
        assert told_twice.wait(5)
    assert [line.split(",")[0] for line in lines] == ["files 1 of 2", "files 2 of 2"]


def test_trouble_with_progress_is_logged_only(caplog):
    def fail() -> Totals:
        raise OSError

    with ProgressWatch(fail, 1, print, interval=60):
        pass
    assert "progress can't be told: OSError" in caplog.text
