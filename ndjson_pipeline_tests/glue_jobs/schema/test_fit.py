import pyarrow as pa

from glue_jobs.schema.fit import has_odd_doubles


def test_odd_doubles_are_seen_however_deep():
    assert has_odd_doubles(pa.table({"x": [[{"a": 1.0}], [{"a": -(2.0**60)}]]}))
    assert has_odd_doubles(pa.table({"x": [1.0, float("nan")]}))
    assert has_odd_doubles(pa.table({"x": [float("nan")]}))
    assert not has_odd_doubles(pa.table({"x": [1.5, None], "n": [2**60, 1]}))
    assert not has_odd_doubles(pa.table({"x": pa.array([None], pa.float64())}))
