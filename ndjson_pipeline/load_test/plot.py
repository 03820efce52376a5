"""A load test as a picture: how many files came how far when, and how long they took."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ndjson_pipeline.load_test.following import FileTimes
from ndjson_pipeline.load_test.latencies import STAGES, percentile, seconds_to

# Told apart by colour-blind eyes too, and in print.
_COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#CC79A7")
_PUT_COLOUR = "#222222"
_DASHES = ("-", "--", "-.", ":")


def draw(files: Sequence[FileTimes], title: str, path: Path) -> None:
    """Write the picture.

    Args:
        files: what came of each; not empty.
        title: stands above.
        path: of the PNG.

    Raises:
        OSError: it can't be written.
    """
    # A second or two, and memory, that no other command has to spend.
    from matplotlib.backends.backend_agg import FigureCanvasAgg  # noqa: PLC0415 - told above
    from matplotlib.figure import Figure  # noqa: PLC0415 - told above

    figure = Figure(figsize=(11, 8.5), layout="constrained")
    FigureCanvasAgg(figure)
    over_time, latencies = figure.subplots(2, 1)
    figure.suptitle(title)
    _draw_counts(over_time, files)
    _draw_latencies(latencies, files)
    figure.savefig(path, dpi=110)


def _draw_counts(axes: Any, files: Sequence[FileTimes]) -> None:
    """Draw how many files had come how far, second by second."""
    begin = min(file.put_at for file in files)
    put = sorted((file.put_at - begin).total_seconds() for file in files)
    lines = {"PUT": put} | {
        stage: sorted(
            (reached - begin).total_seconds() for file in files if (reached := of_file(file)) is not None
        )
        for stage, of_file in STAGES.items()
    }
    end = max((seconds[-1] for seconds in lines.values() if seconds), default=0.0)
    for (name, seconds), colour, dash in zip(
        lines.items(), (_PUT_COLOUR, *_COLOURS), ("-", *_DASHES), strict=True
    ):
        if not seconds:
            continue
        # Each line goes on to the end, so that what is missing is seen.
        times = [seconds[0], *seconds, max(end, seconds[-1])]
        counts = [0, *range(1, len(seconds) + 1), len(seconds)]
        axes.step(times, counts, where="post", label=name, color=colour, linestyle=dash, linewidth=2)
    axes.set_xlabel("seconds since the first PUT")
    axes.set_ylabel("files so far")
    axes.set_ylim(bottom=0)
    axes.set_xlim(left=min(0.0, put[0]))
    axes.grid(alpha=0.3)
    _explain(axes)


def _draw_latencies(axes: Any, files: Sequence[FileTimes]) -> None:
    """Draw which share of the files took how long at most, with the percentiles as points."""
    for stage, colour, dash in zip(STAGES, _COLOURS, _DASHES, strict=True):
        seconds = seconds_to(stage, files)
        if not seconds:
            continue
        shares = [100 * (number + 1) / len(seconds) for number in range(len(seconds))]
        axes.step(
            [seconds[0], *seconds],
            [0.0, *shares],
            where="post",
            label=f"PUT to {stage}",
            color=colour,
            linestyle=dash,
            linewidth=2,
        )
        percents = (50, 95, 99)
        axes.plot([percentile(seconds, one) for one in percents], percents, "o", color=colour, markersize=6)
    axes.set_xlabel("seconds from PUT; the points are p50, p95 and p99")
    axes.set_ylabel("% of files")
    axes.set_xlim(left=0)
    axes.set_ylim(0, 102)
    axes.grid(alpha=0.3)
    _explain(axes)


def _explain(axes: Any) -> None:
    """Name the lines, beside them: whatever their shape, none is covered."""
    handles, _ = axes.get_legend_handles_labels()
    if handles:
        axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0))
