"""Records that Hypothesis makes up."""

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    ["2020-01-01", "2020-01-01T00:00:00Z", "1", "null", "{}"]
)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "i": st.none() | st.integers(-(2**63), 2**63 - 1),
            "f": st.none() | st.floats(allow_nan=False, allow_infinity=False),
            "b": st.none() | st.booleans(),
            "t": st.none() | TEXT,
            "l": st.none() | st.lists(st.none() | TEXT, max_size=3),
            "n": st.none() | st.lists(st.lists(st.none() | st.integers(0, 5), max_size=3), max_size=3),
            "s": st.none() | st.fixed_dictionaries({"x": st.none() | TEXT, "d.o.t": st.integers(0, 5)}),
        },
    ),
    min_size=1,
    max_size=8,
)

ANY_TEXT = TEXT | st.text(max_size=4)
ANY_NUMBER = st.integers(-(2**70), 2**70) | st.floats(allow_nan=False, allow_infinity=False)
ANY_VALUE = st.recursive(
    st.none() | st.booleans() | ANY_NUMBER | ANY_TEXT,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abAB") | ANY_TEXT, inner, max_size=3)
    ),
    max_leaves=6,
)
ANY_RECORD = st.dictionaries(
    st.sampled_from(["a", "b", "c", "A", "_rescued"]) | ANY_TEXT, ANY_VALUE, max_size=4
)
