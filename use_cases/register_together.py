"""Register several alerts in one transaction: the plain ones with one statement a table, any other one alone.

A plain alert is a single entry that no other alert of the batch can have an influence on, that no limit counts, and
that brings no protection. Everything of it is prepared before the transaction begins. In the transaction the rules
judge it by the facts there, as they judge any order. Where they let it pass, it is written beside its neighbours.
Where they don't, where its key was used before, and where the common statement fails, it is registered alone, exactly
as it would be without a batch.
"""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from blockers.instruments import unfit
from blockers.pipeline import judge, question
from domain.alert import Alert, Delivery, ParsedAlert
from domain.enums import ExecutionType, Outcome
from domain.ids import alert_key, content_hash, intent_key
from domain.limits import ClientPolicy
from domain.order_events import register
from domain.ports import FactsQuestion, Registration, Transaction
from domain.receipt import Receipt
from domain.tighter import limits_of
from use_cases.register_alert import ACTOR, RegisterAlert, story_of
from use_cases.reject_alert import unknown_client

AlertDelivery = tuple[ParsedAlert, Delivery]
Result = Receipt | Exception
"""What registering one alert returned or raised."""


class _Plan(NamedTuple):
    """A plain alert, ready to be judged and written."""

    registration: Registration
    asked: FactsQuestion
    policy: ClientPolicy

    @property
    def key(self) -> str:
        return self.registration.alert.idempotency_key

    @property
    def receipt(self) -> Receipt:
        return Receipt(self.registration.alert.alert_id, Outcome.ACCEPTED, (self.registration.change.after,))


class Prepared(NamedTuple):
    """An alert of a batch, with its plan where it is plain."""

    alert: ParsedAlert
    delivery: Delivery
    plan: _Plan | None


class RegisterTogether:
    """Registers the alerts of a batch in their order. Each succeeds or fails by itself."""

    def __init__(self, clients: Mapping[str, ClientPolicy], register_alert: RegisterAlert) -> None:
        self._clients = clients
        self._register_alert = register_alert

    # before the transaction ---------------------------------------------------------------------------------

    def prepare(self, alerts: Sequence[AlertDelivery]) -> list[Prepared]:
        """Prepare the rows and events of the plain alerts."""
        seen: set[tuple[str, str]] = set()  # keys, and the clients' symbols, of the alerts before
        prepared = []
        for alert, delivery in alerts:
            content = content_hash(alert)
            key = alert_key(alert, content)
            groups = [(share.client_id, share.legs or alert.legs) for share in alert.shares]
            groups = groups or [(alert.client_id, alert.legs)]
            touched = {(client, leg.symbol) for client, legs in groups for leg in legs} | {("", key)}
            is_plain = seen.isdisjoint(touched) and self._is_plain(alert)
            plan = self._plan(alert, delivery, key, content) if is_plain else None
            prepared.append(Prepared(alert, delivery, plan))
            seen |= touched
        return prepared

    def _is_plain(self, alert: ParsedAlert) -> bool:
        policy = self._clients.get(alert.client_id)
        if (
            alert.shares
            or policy is None
            or len(alert.legs) != 1
            or alert.execution_type is not ExecutionType.ENTRY
        ):
            return False
        if policy.strategy(alert.strategy_name).protecting(alert.legs[0].protection) is not None:
            return False
        if unfit(alert.legs[0]) is not None or alert.legs[0].template is not None:
            return False
        name = alert.strategy_name
        return not limits_of(policy.limits, name, alert.legs[0].symbol).counts_orders

    def _plan(self, alert: ParsedAlert, delivery: Delivery, key: str, content: str) -> _Plan:
        policy = self._clients[alert.client_id]
        intent = intent_key(key, 0, 0)
        order = self._register_alert.order_of_entry(alert, delivery, intent)
        row = Alert(
            alert_id=order.alert_id,
            client_id=alert.client_id,
            delivery=delivery,
            outcome=Outcome.ACCEPTED,
            idempotency_key=key,
            content_hash=content,
            signal_id=alert.signal_id,
            strategy_name=alert.strategy_name,
            execution_type=alert.execution_type,
            context_json=story_of(alert),
        )
        change = register(order, at=order.created_at, actor=ACTOR)
        asked = question(order, policy, order.created_at)
        return _Plan(Registration(row, change, intent), asked, policy)

    # in the transaction -------------------------------------------------------------------------------------

    def __call__(self, tx: Transaction, batch: Sequence[Prepared]) -> list[Result]:
        """Register the batch; return what registering each alert returned or raised."""
        judged = tx.attempt(lambda: _passed(tx, [each.plan for each in batch if each.plan is not None]))
        # What is known of one client cannot be read: each by itself, so that it stops no other.
        passed = set[str]() if isinstance(judged, Exception) else judged
        results: list[Result] = []
        beside: list[Prepared] = []  # plain alerts that follow each other
        for each in batch:
            if each.plan is not None and each.plan.key in passed:
                beside.append(each)
                continue
            results += self._write(tx, beside)
            beside = []
            results.append(self._alone(tx, each))
        return results + self._write(tx, beside)

    def _write(self, tx: Transaction, beside: Sequence[Prepared]) -> list[Result]:
        plans = [each.plan for each in beside if each.plan is not None]
        if not plans:
            return []
        written = tx.attempt(lambda: tx.add_registrations([plan.registration for plan in plans]))
        if isinstance(written, Exception):  # one of them is to blame: each by itself
            return [self._alone(tx, each) for each in beside]
        return [plan.receipt for plan in plans]

    def _alone(self, tx: Transaction, each: Prepared) -> Result:
        client_id = each.alert.client_id
        if client_id not in self._clients:
            return unknown_client(client_id)
        return tx.attempt(lambda: self._register_alert(tx, each.alert, each.delivery))


def _passed(tx: Transaction, plans: Sequence[_Plan]) -> set[str]:
    """The keys of the plans that are new, and that the rules let pass without a wait.

    The facts are read before anything of the batch is written. That makes no difference, because a plan shares neither
    its key nor its symbol with an alert before it.
    """
    used = tx.accepted_among([plan.key for plan in plans])
    new = [plan for plan in plans if plan.key not in used]
    facts = tx.facts_of_all([plan.asked for plan in new])
    return {
        plan.key
        for plan, known in zip(new, facts, strict=True)
        if judge(plan.registration.change.after, plan.policy, known) is None
    }
