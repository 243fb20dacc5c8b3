"""Replay an alert from its card: first what it would do now, then, with a name and a reason, for good."""

from typing import Protocol

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from console.context import Desk
from console.parameters import BadParameter, Parameters, operator_of
from console.request_parsing import body_of
from domain.errors import InvalidAlert
from domain.replays import Replayed, ReplayRefused, verdict_of

_FIELDS = ("number", "reason", "by")


class AlertReplays(Protocol):
    """Replays kept alerts. Each method raises NotFound, ReplayRefused, InvalidAlert or StoreUnavailable."""

    def preview(self, alert_id: str) -> Replayed:
        """Return what a replay would do at this moment; nothing is kept of it."""

    def replay(self, alert_id: str, number: int, *, by: str, reason: str) -> Replayed:
        """Register the alert anew; the same number again registers nothing more."""


def add_replaying(blueprint: Blueprint, desk: Desk, replays: AlertReplays) -> None:
    """Add the page of a replay to the blueprint."""

    @blueprint.get("/alerts/<alert_id>/replay")
    def replay(alert_id: str) -> ResponseReturnValue:
        return _shown(alert_id)

    @blueprint.post("/alerts/<alert_id>/replay")
    def replay_now(alert_id: str) -> ResponseReturnValue:
        fields = body_of(request, _FIELDS)
        try:
            by, reason = operator_of(fields), fields.required("reason")
            done = replays.replay(alert_id, _number(fields), by=by, reason=reason)
        except BadParameter as error:
            return _shown(alert_id, error.field, error.message), 400
        except (ReplayRefused, InvalidAlert) as error:
            return _shown(alert_id, "", str(error)), 409
        legs = done.receipt.legs
        if len(legs) == 1:
            return redirect(url_for("console.order", command_id=legs[0].command_id), 303)
        return redirect(url_for("console.alerts", _anchor=f"al-{done.receipt.alert_id}"), 303)

    def _shown(alert_id: str, field: str = "", message: str = "") -> str:
        """The page: what the replay would do as things stand now, or why there is none."""
        done, refused = None, None
        try:
            done = replays.preview(alert_id)
        except (ReplayRefused, InvalidAlert) as error:
            refused = str(error)
        return render_template(
            "console/replay.html",
            header=desk.header(desk.clock.now()),
            alert_id=alert_id,
            done=done,
            verdict_of=verdict_of,
            refused=refused,
            trouble=f"{field}: {message}" if field else message,
            field=field,
            given={name: request.form.get(name, "") for name in _FIELDS},
        )


def _number(fields: Parameters) -> int:
    fields.required("number")  # without the one that was shown, a second click would be a second replay
    return fields.number("number", default=1, low=1, high=1_000_000)
