"""The commands of `schema` that only look."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from glue_jobs.schema.contract import SchemaContract
from glue_jobs.schema.document import CHANGED_BY_HAND
from lambda_ingest.contract.errors import ContractError
from lambda_ingest.contract.keys import ManifestName
from ndjson_pipeline.cli.failures import UsageError
from ndjson_pipeline.cli.output import Block, Column, Facts, Line, Listing
from ndjson_pipeline.cli.session import Session
from ndjson_pipeline.cli.texts import instant, or_dash
from ndjson_pipeline.desk.schema.contract import (
    Room,
    column_rows,
    limits_of,
    read_contract,
    room_of,
    store_of,
    waiting_hints,
)
from ndjson_pipeline.desk.schema.differences import differences
from ndjson_pipeline.desk.schema.versions import version_of

if TYPE_CHECKING:
    from ndjson_pipeline.glue.older_output import OlderDates

NO_CONTRACT = (
    "There is no schema contract yet: the first file that is converted writes it. `ndjson-pipeline schema "
    "set` declares types before."
)
_TAKEN_BACK = "The bucket keeps no object of version {}; it was made from the newest one and its history."
_MOST_NAMED = 5
_LONGEST_TYPE = 300


def run_show(session: Session, version: int | None, limit: int) -> None:
    """Show the contract.

    Raises:
        UnknownVersionError: there is no such version, or it can't be had any more.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    desk = session.desk
    with session.output.progress("reading the schema contract"):
        current = read_contract(desk)
        uri = store_of(desk).uri
        found = version_of(desk, current, current.version if version is None else version)
        limits = limits_of(desk)
    contract, room = found.contract, room_of(found.contract, limits)
    rows, hints = column_rows(contract), waiting_hints(contract)
    document = {
        "contract": uri,
        "version": contract.version,
        "newest_version": current.version,
        "generation": contract.generation,
        "is_taken_back": found.is_taken_back,
        "written_at": _written_at(contract),
        "has_rescued": contract.has_rescued,
        "columns": [vars(row) for row in rows],
        "hints": dict(contract.hints),
        "waiting_hints": hints,
        "room": {**vars(room), "warning": room.warning},
    }
    if not contract.version:
        session.output.show(document, [Line(NO_CONTRACT)])
        return
    blocks: list[Block] = [
        Facts(
            "the schema contract",
            {
                "lies at": uri,
                "version": f"{contract.version}, of {instant(_written_at(contract))}"
                + ("" if contract.version == current.version else f"; the newest is {current.version}"),
                "generation": f"{contract.generation} (changes of columns by hand)",
                **_room_facts(room),
            },
        ),
        Listing(
            "columns",
            [
                Column("path"),
                Column("type"),
                Column("since", is_whole=True),
                Column("changed by hand"),
            ],
            [
                [
                    row.path,
                    row.type[:_LONGEST_TYPE],
                    "the job's own"
                    if row.since_version is None
                    else f"v{row.since_version} {instant(row.since)}",
                    row.changed[:_LONGEST_TYPE] if row.changed else "-",
                ]
                for row in rows[:limit]
            ],
        ),
    ]
    if len(rows) > limit:
        blocks.append(Line(f"{len(rows) - limit:,} more columns are not shown: --limit, or --json."))
    if hints:
        blocks.append(
            Listing(
                "hints of places without a column",
                [Column("path"), Column("type when it comes")],
                [[path, "no column" if text == "none" else text] for path, text in hints.items()],
            )
        )
    blocks += [Line(text) for text in (room.warning,) if text is not None]
    if found.is_taken_back:
        blocks.append(Line(_TAKEN_BACK.format(contract.version)))
    session.output.show(document, blocks)


def run_history(session: Session, limit: int, *, with_dates: bool) -> None:
    """Show what each version came from, and which dates are older than the last change by hand.

    Raises:
        SchemaUnreadableError: what lies there is no contract.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    desk = session.desk
    with session.output.progress("reading the schema contract") as tell:
        contract = read_contract(desk)
        older = None
        if contract.generation and with_dates:
            # It loads Dagster, which takes a second.
            from ndjson_pipeline.desk.schema.rebuild import MOST_DATES, dates_left  # noqa: PLC0415

            tell("looking at the output of each date")
            older = dates_left(desk, MOST_DATES)
    entries = list(reversed(contract.history))
    document = {
        "contract": store_of(desk).uri,
        "version": contract.version,
        "generation": contract.generation,
        "versions": [dict(entry) for entry in entries],
        "older_dates": None
        if older is None
        else {"dates": list(older.dates), "seen": older.dates_seen, "go_on_before": older.go_on_before},
    }
    if not contract.version:
        session.output.show(document, [Line(NO_CONTRACT)])
        return
    blocks: list[Block] = [
        Listing(
            f"versions of {store_of(desk).uri}",
            [
                Column("version", is_number=True),
                Column("when", is_whole=True),
                Column("what"),
                Column("by"),
            ],
            [
                [str(entry["version"]), instant(entry.get("written_at")), _what(entry), _by(entry)]
                for entry in entries[:limit]
            ],
        )
    ]
    if len(entries) > limit:
        blocks.append(Line(f"{len(entries) - limit:,} earlier versions are not shown: --limit, or --json."))
    session.output.show(document, [*blocks, *(Line(text) for text in _older_lines(contract, older))])


def run_diff(session: Session, one: int | None, other: int | None) -> None:
    """Show what differs between two versions.

    Raises:
        UsageError: there is nothing to compare.
        UnknownVersionError: a version is none, or can't be had any more.
        ClientError, BotoCoreError: AWS refused or failed.
    """
    desk = session.desk
    with session.output.progress("reading versions of the schema contract"):
        current = read_contract(desk)
        if not current.version and not (one or other):
            session.output.show({"from": 0, "to": 0, "differences": []}, [Line(NO_CONTRACT)])
            return
        later = current.version if other is None else other
        earlier = later - 1 if one is None else one
        if earlier < 0:
            raise UsageError("there is no version before 0: name two, such as `schema diff 1 3`")
        first, second = version_of(desk, current, earlier), version_of(desk, current, later)
    found = differences(first.contract, second.contract)
    blocks: list[Block] = [
        Listing(
            f"from version {earlier} to version {later}",
            [Column("what", is_whole=True), Column("path"), Column("before"), Column("after")],
            [
                [
                    each.what.value,
                    each.path,
                    (each.before or "-")[:_LONGEST_TYPE],
                    (each.after or "-")[:_LONGEST_TYPE],
                ]
                for each in found
            ],
            empty="nothing differs",
        )
    ]
    blocks += [
        Line(_TAKEN_BACK.format(each.contract.version)) for each in (first, second) if each.is_taken_back
    ]
    session.output.show(
        {
            "from": earlier,
            "to": later,
            "is_taken_back": first.is_taken_back or second.is_taken_back,
            "differences": [
                {"what": each.what.value, "path": each.path, "before": each.before, "after": each.after}
                for each in found
            ],
        },
        blocks,
    )


def _room_facts(room: Room) -> dict[str, str]:
    widest = f"`{room.widest}`" if room.widest else "the record"
    return {
        "columns": f"{room.columns:,} of {room.max_columns:,}, counted at the leaves "
        f"({room.columns / room.max_columns:.1%})",
        "widest object": f"{widest}: {room.members:,} of {room.max_members:,} members",
    }


def _written_at(contract: SchemaContract) -> str | None:
    written = contract.history[-1].get("written_at") if contract.history else None
    return None if written is None else str(written)


def _what(entry: Mapping[str, Any]) -> str:
    if entry["kind"] == CHANGED_BY_HAND:
        return f"{entry['path']}: {entry['change'][:_LONGEST_TYPE]}"
    added = [*entry["added"], *(["_rescued"] if entry.get("adds_rescued") is True else [])]
    if not added:
        return "-"
    more = f" and {len(added) - _MOST_NAMED:,} more" if len(added) > _MOST_NAMED else ""
    return f"added {', '.join(added[:_MOST_NAMED])}{more}"


def _by(entry: Mapping[str, Any]) -> str:
    if entry["kind"] == CHANGED_BY_HAND:
        return f"{entry['by']}: {entry['reason']}"
    manifests = entry.get("manifests")
    names = [_short(path) for path in manifests] if isinstance(manifests, list) else []
    more = f" and {len(names) - 1:,} more" if len(names) > 1 else ""
    run = entry.get("job_run_id")
    return f"{f'Glue run {run}, ' if isinstance(run, str) else ''}{names[0] if names else '-'}{more}"


def _short(path: object) -> str:
    try:
        name = ManifestName.from_uri(str(path))
    except ContractError:
        return str(path)
    return f"{name.date_prefix}/{name.sequence:06d}-{name.digest}"


def _older_lines(contract: SchemaContract, older: "OlderDates | None") -> list[str]:
    if not contract.generation:
        return ["No column was changed by hand, so no date is older than a change."]
    if older is None:
        return ["Dates were not looked at: leave out --no-dates."]
    seen = f"of the {or_dash(older.dates_seen)} dates that were looked at"
    if not older.dates:
        lines = [f"Each file {seen} follows generation {contract.generation}."]
    else:
        lines = [
            f"{len(older.dates)} {seen} hold files of an older generation: {', '.join(older.dates)}. "
            "`ndjson-pipeline schema rebuild` converts them again."
        ]
    if older.go_on_before is not None:
        lines.append(f"Dates before {older.go_on_before} were not looked at: there are too many files.")
    return lines
