"""Dagster's SQLite storages in a process of tests: what each would do anew is done once.

Nothing of Dagster's is imported with this module: what shares engines has to come before that.
"""

from typing import Any


def share_migrations() -> None:
    """Let each further storage take what another has read.

    A new storage notes the newest migration as its own, and one that is opened is held against it. For that
    Alembic loads all of them, some ninety modules, each time: most of what a storage's making takes.
    """
    from alembic.script import ScriptDirectory  # noqa: PLC0415

    read = ScriptDirectory.from_config
    kept: dict[str | None, ScriptDirectory] = {}

    def from_config(config: Any) -> ScriptDirectory:
        place = config.get_main_option("script_location")
        if place not in kept:
            kept[place] = read(config)
        return kept[place]

    ScriptDirectory.from_config = staticmethod(from_config)  # type: ignore[assignment]


def share_engines() -> None:
    """Have one engine a database, which keeps no connection and so may outlive its use.

    Each access makes one otherwise, which compiles each statement anew. It has to come before Dagster is
    imported, which takes the function from SQLAlchemy.
    """
    import sqlalchemy  # noqa: PLC0415

    make, kept = sqlalchemy.create_engine, {}

    def create_engine(url: str, **settings: Any) -> Any:
        if not str(url).startswith("sqlite:///") or settings.get("poolclass") is not sqlalchemy.NullPool:
            return make(url, **settings)
        key = (url, repr(sorted(settings.items(), key=lambda each: each[0])))
        if key not in kept:
            kept[key] = make(url, **settings)
        return kept[key]

    sqlalchemy.create_engine = create_engine  # type: ignore[assignment]
