"""What a load would do, as it is shown before it is asked for; pure."""

from lambda_ingest.contract.settings import InputSettings
from lambda_ingest.contract.text import printable
from ndjson_pipeline.cli.output import Block, Column, Facts, Line, Listing
from ndjson_pipeline.cli.texts import size_mb
from ndjson_pipeline.desk.overview import megabytes
from ndjson_pipeline.loading.judging import Fate
from ndjson_pipeline.loading.plan import Plan
from ndjson_pipeline.loading.progress_record import LoadState
from ndjson_pipeline.loading.rules import LoadRules

_MOST_DATES = 40
_MOST_NAMES = 20


def plan_blocks(uri: str, plan: Plan, rules: LoadRules, rate: float, state: LoadState | None) -> list[Block]:
    """Return a plan for a person.

    Args:
        uri: what is loaded.
        plan: what was found.
        rules: the deployment's.
        rate: files a second.
        state: of a load that goes on; None where it begins.
    """
    facts = {
        "files": f"{plan.files:,}",
        "to load": f"{plan.to_load:,} files, {size_mb(plan.size_mb)} MB",
        "known already": f"{plan.fates[Fate.KNOWN]:,}",
        "would be refused": f"{plan.fates[Fate.REFUSED] + plan.fates[Fate.UNNAMED]:,}",
        "left alone": f"{plan.fates[Fate.LEFT]:,}",
        "copied or put there": f"{plan.to_copy:,}, {plan.renamed_count:,} of them under a new name",
        "at this rate": f"{_lasts(plan, rate)} at {rate:g} files/s",
        "become about": f"{plan.manifests(rules.max_files):,} manifests",
    }
    if state is not None:
        facts["goes on behind"] = state.after
        facts["where it stopped"] = (
            f"{state.updated_at}, by {state.holder}; {state.sent:,} were loaded by then"
        )
    blocks: list[Block] = [Facts(f"load of {uri}", facts), *_dates(plan)]
    if plan.reasons:
        blocks.append(
            Listing(
                "why others are not loaded",
                [
                    Column("files", is_number=True),
                    Column("what", is_whole=True),
                    Column("why"),
                    Column("such as"),
                ],
                [
                    [
                        f"{count:,}",
                        _said(fate),
                        plan.details[fate, kind],
                        ", ".join(plan.examples[fate, kind]),
                    ]
                    for (fate, kind), count in plan.reasons.most_common()
                ],
            )
        )
    if plan.renamed:
        more = f", the first {_MOST_NAMES}" if plan.renamed_count > _MOST_NAMES else ""
        blocks.append(
            Listing(
                f"new names{more}",
                [Column("is called"), Column("and in the input bucket")],
                [[old, new] for old, new in plan.renamed[:_MOST_NAMES]],
            )
        )
    return blocks + [Line(printable(f"not seen: {one}")) for one in plan.unseen]


def refusal_of(plan: Plan, rules: InputSettings) -> str | None:
    """Say what would be quarantined and what to do; None where nothing would."""
    refused, unnamed = plan.fates[Fate.REFUSED], plan.fates[Fate.UNNAMED]
    if not refused and not unnamed:
        return None
    kinds = [kind for (fate, kind), _ in plan.reasons.most_common() if fate in {Fate.REFUSED, Fate.UNNAMED}]
    advice = []
    if "date out of range" in kinds:
        advice.append(
            f"PARTITION_START_DATE is {rules.partition_start_date}: set it to the first date of the history, "
            "for ingest and for Dagster"
        )
    if "size out of tolerance" in kinds:
        advice.append(
            f"EXPECTED_FILE_SIZE_MB is {rules.expected_file_size_mb:g} within "
            f"{rules.size_tolerance_percent:g} %: 0 switches the size check off"
        )
    if "no date" in kinds:
        advice.append("--date or --date-from modified dates files that lie elsewhere than in the input")
    return (
        f"{refused + unnamed:,} of {plan.files:,} files would be refused ({', '.join(kinds)}), and nothing "
        f"is loaded yet. {'. '.join(advice)}{'. ' if advice else ''}Or pass --skip-refused to leave them "
        "where they are, or --include-refused to have them quarantined"
    )


def _dates(plan: Plan) -> list[Block]:
    days = sorted(plan.dates.items())
    if not days:
        return []
    title = "by date" if len(days) <= _MOST_DATES else f"by date, the first {_MOST_DATES} of {len(days):,}"
    return [
        Listing(
            title,
            [
                Column("date", is_whole=True),
                Column("to load", is_number=True),
                Column("MB", is_number=True),
                Column("known", is_number=True),
                Column("would be refused", is_number=True),
            ],
            [
                [
                    date,
                    f"{day.files[Fate.LOAD]:,}",
                    size_mb(megabytes(day.size_bytes)),
                    f"{day.files[Fate.KNOWN]:,}",
                    f"{day.files[Fate.REFUSED]:,}",
                ]
                for date, day in days[:_MOST_DATES]
            ],
        )
    ]


def _said(fate: Fate) -> str:
    return {Fate.UNNAMED: "refused", Fate.LEFT: "left alone"}.get(fate, fate.value)


def _lasts(plan: Plan, rate: float) -> str:
    hours = plan.hours(rate)
    if hours >= 1:
        return f"{hours:,.1f} hours"
    return f"{hours * 60:.0f} minutes" if hours * 60 >= 1 else f"{hours * 3600:.0f} seconds"
