"""What the explorations tried, for the summary at the end of a run."""

# The property under which a test's report has its figures, on the way from a lane to the summary.
FIGURE = "figure"
FIGURES: list[str] = []


def tried(what: str, count: int, unit: str) -> None:
    """Note how much of something was tried."""
    FIGURES.append(f"{count:>7,} {unit}: {what}")
