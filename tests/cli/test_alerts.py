"""Alerts that the operator posts, from a file or again: what the service gets, and what is printed of its answer."""

import hashlib
import hmac
import json

import pytest

import cli
from domain.alert import Alert, Delivery
from domain.enums import Outcome
from tests.cli.making import SECRET


def test_an_alert_is_posted_as_it_stands_and_signed(maker, service, tmp_path, capsys):
    body = b'{"legs": [] }\n'
    (tmp_path / "alert.json").write_bytes(body)
    assert cli.main(["alert", "alert.json"]) == 0
    [(path, headers, sent)] = service.posts
    assert (path, sent) == ("/webhook", body)
    assert headers["X-Signature"] == f"sha256={hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()}"
    assert capsys.readouterr().out == '200 {"status": "accepted"}\n'


def test_an_alert_that_is_not_accepted_ends_with_1(maker, service, tmp_path):
    (tmp_path / "alert.json").write_bytes(b"{}")
    service.status = 400
    assert cli.main(["alert", "alert.json", "--format", "native", "--url", service.url]) == 1
    assert service.posts[0][0] == "/webhook/native"


def test_a_service_that_is_not_there_is_one_clear_line(maker, tmp_path, capsys, monkeypatch):
    (tmp_path / "alert.json").write_bytes(b"{}")
    monkeypatch.setenv("PORT", "1")
    assert cli.main(["alert", "alert.json"]) == 2
    assert capsys.readouterr().err.startswith("orderwatch: ")


def test_a_file_that_is_not_there_is_one_clear_line(maker, capsys):
    assert cli.main(["alert", "missing.json"]) == 2
    assert "missing.json" in capsys.readouterr().err


@pytest.mark.parametrize(("signal_id", "says"), [("s1", "is used up"), (None, "within 60 s")])
def test_a_kept_alert_is_posted_again_and_told_of_duplicates(maker, service, capsys, signal_id, says):
    delivery = Delivery(maker.clock.now(), "127.0.0.1", '{"a": 1}', "native")
    kept = Alert("kept", "default", delivery, Outcome.ACCEPTED, "key", signal_id=signal_id)
    maker.store.write(lambda tx: tx.add_alert(kept))
    assert cli.main(["replay", "kept"]) == 0
    assert [(path, body) for path, _, body in service.posts] == [("/webhook/native", b'{"a": 1}')]
    assert says in capsys.readouterr().err
    assert cli.main(["replay", "unknown"]) == 2


def test_a_dry_run_prints_what_the_alert_would_do_and_posts_nothing(maker, service, tmp_path, capsys):
    (tmp_path / "alert.txt").write_bytes(b"strategy=S;ticker=NSE:INFY;side=sell;quantity=4;product=MIS")
    before = maker.path.read_bytes()
    assert cli.main(["alert", "alert.txt", "--dry-run"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(leg["side"], leg["symbol"], leg["quantity"]) for leg in told["legs"]] == [("SELL", "INFY", 4)]
    (tmp_path / "alert.txt").write_bytes(b"strategy=S;ticker=NSE:INFY;side=perhaps")
    assert cli.main(["alert", "alert.txt", "--dry-run", "--format", "auto"]) == 1
    assert json.loads(capsys.readouterr().out)["error"]["field"] == "side"
    assert (service.posts, maker.path.read_bytes()) == ([], before)


def test_a_kept_alert_of_a_users_own_dialect_is_posted_without_its_masked_secret(maker, service, tmp_path):
    (tmp_path / "config" / "formats").mkdir(parents=True)
    (tmp_path / "config" / "formats" / "coinbot.toml").write_text('needs = "bot"\nsecret = "pass"\n')
    delivery = Delivery(maker.clock.now(), "127.0.0.1", '{"bot": 1, "pass": "***"}', "coinbot")
    kept = Alert("kept", "default", delivery, Outcome.REJECTED)
    maker.store.write(lambda tx: tx.add_alert(kept))
    assert cli.main(["replay", "kept"]) == 0
    assert [(path, body) for path, _, body in service.posts] == [
        ("/webhook/coinbot", b'{"bot": 1, "pass": ""}')
    ]
