"""A disk with no room for more than the database has."""

import persistence.sqlite.database


def fill_the_disk(monkeypatch) -> None:
    """Let no database grow from now on; `monkeypatch.undo()` makes room again."""
    connect = persistence.sqlite.database.connect

    def cramped(path, **options):
        connection = connect(path, **options)
        (pages,) = connection.execute("PRAGMA page_count").fetchone()
        connection.execute(f"PRAGMA max_page_count={pages}")
        return connection

    monkeypatch.setattr(persistence.sqlite.database, "connect", cramped)
