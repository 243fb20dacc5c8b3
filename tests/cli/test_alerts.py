"""Alerts that the operator posts, from a file or again: what the service gets, and what is printed of its answer."""

import hashlib
import hmac
import json
import time

import cli
from domain.alert import Alert, Delivery
from domain.enums import Outcome
from persistence.database import open_database
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


def kept(maker, raw_body: str, name: str, outcome: Outcome = Outcome.REJECTED, id_: str = "kept") -> None:
    delivery = Delivery(maker.clock.now(), "127.0.0.1", raw_body, name)
    maker.store.write(lambda tx: tx.add_alert(Alert(id_, "default", delivery, outcome)))


def test_a_kept_alert_is_shown_first_and_registered_once_it_is_confirmed(maker, capsys, monkeypatch):
    kept(maker, "strategy=S;ticker=NSE:INFY;side=sell;quantity=4;product=MIS;key=***", "usual-fields")
    answers = iter(["n", "y"])
    monkeypatch.setattr("builtins.input", lambda _: next(answers))
    assert cli.main(["replay", "kept", "--reason", "typed it wrong"]) == 1
    said = capsys.readouterr().out
    assert "would: SELL 4 INFY of S for default" in said and "nothing was registered" in said
    assert cli.main(["replay", "kept", "--reason", "typed it wrong"]) == 0
    alert_id = capsys.readouterr().out.split("registered as alert ")[1].split(":")[0]
    row = open_database(maker.path).kept_alert(alert_id)
    assert row is not None and row["remote_addr"].startswith("cli:")
    replay = json.loads(row["context_json"])["replay"]
    asked = {"alert_id": "kept", "by": row["remote_addr"], "reason": "typed it wrong", "number": 1}
    assert replay == asked


def test_an_alert_that_is_not_there_or_must_not_be_replayed_is_one_clear_line(maker, capsys):
    assert cli.main(["replay", "unknown", "--reason", "x", "--yes"]) == 2
    assert capsys.readouterr().err == "orderwatch: no alert unknown\n"
    kept(maker, "{}", "native", Outcome.INFO)
    assert cli.main(["replay", "kept", "--reason", "x", "--yes"]) == 2
    assert capsys.readouterr().err == "orderwatch: kept is not replayed: it asks for no order\n"


def test_a_kept_alert_of_a_users_own_dialect_is_read_without_its_masked_secret(maker, tmp_path, capsys):
    (tmp_path / "config" / "formats").mkdir(parents=True)
    (tmp_path / "config" / "formats" / "coinbot.toml").write_text('needs = "bot"\nsecret = "pass"\n')
    kept(maker, '{"bot": 1, "pass": "***", "note": "***"}', "coinbot")
    assert cli.main(["replay", "kept", "--reason", "x", "--yes"]) == 2
    assert "a part of its body beside the secret is masked" in capsys.readouterr().err
    kept(maker, '{"bot": 1, "pass": "***"}', "coinbot", id_="other")
    assert cli.main(["replay", "other", "--reason", "x", "--yes"]) == 2
    assert "masked" not in capsys.readouterr().err  # it is read, and lacks what an alert needs


def test_an_alert_is_signed_with_the_time_where_signatures_need_one(maker, service, tmp_path, monkeypatch):
    monkeypatch.setenv("WEBHOOK_SIGNATURE_NEEDS_TIME", "true")
    (tmp_path / "alert.json").write_bytes(b"{}")
    began = int(time.time())
    assert cli.main(["alert", "alert.json"]) == 0
    [(_, headers, _)] = service.posts
    stamp, _, rest = headers["X-Signature"].removeprefix("t=").partition(",")
    assert began <= int(stamp) <= time.time()
    assert rest == f"sha256={hmac.new(SECRET.encode(), stamp.encode() + b'.{}', hashlib.sha256).hexdigest()}"
