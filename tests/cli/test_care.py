"""Care for the database and the settings: an error is one line and exit code 2."""

import cli
from domain.states import Phase
from tests.cli.making import json_of


def test_verify_says_what_is_wrong_and_ends_with_1(maker, capsys):
    maker.order("one", Phase.FILLED)
    assert cli.main(["verify"]) == 0
    assert "result   right" in capsys.readouterr().out
    maker.sql("DROP TRIGGER orders_kept", "DELETE FROM orders")
    assert cli.main(["verify"]) == 1
    assert "WRONG    one-1: has 3 events and no row in orders" in capsys.readouterr().out
    assert cli.main(["verify", "--json"]) == 1
    assert json_of(capsys)["problem_count"] == 2


def test_verify_without_a_database_is_an_error_and_makes_none(maker, monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("ORDERS_DB", str(tmp_path / "other.db"))
    assert cli.main(["verify"]) == 2
    assert "no database at" in capsys.readouterr().err
    assert not (tmp_path / "other.db").exists()


def test_archiving_is_off_unless_days_are_said(maker, capsys):
    assert cli.main(["archive"]) == 2
    assert "ARCHIVE_AFTER_DAYS" in capsys.readouterr().err


def test_migrate_makes_the_database(maker, monkeypatch, tmp_path):
    monkeypatch.setenv("ORDERS_DB", str(tmp_path / "new" / "orders.db"))
    assert cli.main(["migrate"]) == 0
    assert cli.main(["orders"]) == 0


def test_a_newer_database_is_one_clear_line(maker, capsys):
    maker.sql(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('orderwatch', 'of_tomorrow', '')"
    )
    assert cli.main(["migrate"]) == 2
    assert "newer Orderwatch" in capsys.readouterr().err


def test_wrong_settings_are_clear_lines_and_exit_code_2(maker, monkeypatch, capsys):
    monkeypatch.setenv("PORT", "eighty")
    assert cli.main(["orders"]) == 2
    assert "PORT" in capsys.readouterr().err
