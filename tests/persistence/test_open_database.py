"""orders.db is opened by its URL, in one place, and SQLite's errors stay inside."""

import sqlite3
from datetime import UTC, datetime
from pathlib import Path

import pytest

from app.settings import load_settings
from config.settings import SettingsError
from domain.errors import StoreUnavailable
from domain.states import Phase
from persistence.database import open_database
from persistence.errors import UnknownDatabase
from tests.persistence.making import Maker, StepClock

NOW = datetime(2026, 11, 21, 9, 15, tzinfo=UTC)


@pytest.mark.parametrize("form", ["{}", "sqlite:///{}"])
def test_a_path_and_a_url_name_the_same_file(tmp_path: Path, form: str):
    path = tmp_path / "orders.db"
    open_database(form.format(path)).migrate()
    assert path.exists()
    assert open_database(path).exists()


def test_three_slashes_name_a_path_below_the_working_directory(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    open_database("sqlite:///data/orders.db").migrate()
    assert (tmp_path / "data" / "orders.db").exists()


@pytest.mark.parametrize("url", ["mysql://host/orders", "postgresql://host/orders", "sqlite://orders.db", ""])
def test_another_scheme_is_refused_by_the_settings_name_with_what_was_expected(url: str):
    with pytest.raises(UnknownDatabase) as refused:
        open_database(url, setting="DATABASE_URL")
    assert str(refused.value) == (
        f"DATABASE_URL: got {url!r}, expected the path of a database file, or sqlite:///path"
    )


def test_a_password_in_a_url_is_not_shown():
    with pytest.raises(UnknownDatabase) as refused:
        open_database("postgresql://me:s3cret@host/orders")
    assert "s3cret" not in str(refused.value)


def test_the_setting_takes_a_url_and_refuses_another_scheme(tmp_path: Path):
    secrets = {"WEBHOOK_SECRET": "w" * 20, "CONSOLE_TOKEN": "t" * 20}
    url = f"sqlite:///{tmp_path}/orders.db"
    assert load_settings({"ORDERS_DB": url, **secrets}, dotenv_path=None).orders_db == tmp_path / "orders.db"
    with pytest.raises(SettingsError) as refused:
        load_settings({"ORDERS_DB": "postgresql://me:s3cret@host/orders", **secrets}, dotenv_path=None)
    [problem] = refused.value.problems
    assert problem == (
        "ORDERS_DB: got 'postgresql://***@host/orders', expected the path of a database file, or sqlite:///path"
    )


def test_reading_creates_no_database_and_its_error_is_the_stores(tmp_path: Path):
    database = open_database(tmp_path / "orders.db")
    for read in (
        lambda: database.orders({}, limit=1),
        lambda: database.strategies("default"),
        lambda: database.kept_alert("a"),
        database.verify,
    ):
        with pytest.raises(StoreUnavailable):
            read()
    assert database.find_story("x") == ([], None)
    assert not list(tmp_path.iterdir())


def test_a_journal_does_each_write(tmp_path: Path):
    path, seen = tmp_path / "orders.db", []

    def journal(write, work):
        seen.append(work)
        return write(work)

    database = open_database(path)
    database.migrate()
    store = database.store(clock=StepClock(), render=lambda notice: "", journal=journal)
    assert store.write(lambda tx: 1) == 1 and len(seen) == 1


def test_the_event_chain_is_covered_by_one_call(tmp_path: Path):
    maker = Maker(tmp_path / "orders.db")
    maker.order("a1", Phase.FILLED)
    open_database(maker.path).checkpoint_events(NOW)
    with sqlite3.connect(maker.path) as connection:
        [(count,)] = connection.execute("SELECT count(*) FROM event_checkpoints").fetchall()
    assert count >= 1
