"""Query the facts for the entries of a batch: a few queries for all of them."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from domain.ports import FactsQuestion
from domain.risk_facts import Facts
from domain.times import time_text
from persistence.sqlite.queries.rule_facts import (
    Held,
    Stopping,
    account_facts,
    entry_facts,
    facts_from,
    open_orders_in,
)
from persistence.sqlite.queries.statements import statement


def facts_of_all(connection: sqlite3.Connection, questions: Sequence[FactsQuestion]) -> list[Facts]:
    """Return for each question what `entry_facts` would return."""
    found: dict[int, Facts] = {}
    of_client = defaultdict[str, list[int]](list)
    for place, each in enumerate(questions):
        of_client[each.query.client_id].append(place)
    for client_id, places in of_client.items():
        facts = _of_client(connection, client_id, [questions[place] for place in places])
        found.update(zip(places, facts, strict=True))
    return [found[place] for place in range(len(questions))]


def _of_client(
    connection: sqlite3.Connection, client_id: str, questions: Sequence[FactsQuestion]
) -> list[Facts]:
    parameters = (client_id, json.dumps([_asked(each) for each in questions]))
    unusual = {key for (key,) in connection.execute(statement("unusual_symbols"), parameters)}
    opened = defaultdict[int, list[Any]](list)
    for key, *row in connection.execute(statement("open_on_symbols"), parameters):
        opened[key].append(row)
    account = account_facts(connection, client_id)
    return [
        entry_facts(connection, each.query, now=each.now, limits=each.limits, live_allowed=each.live_allowed)
        if key in unusual
        else facts_from(
            connection, each, account, open_orders_in(opened[key], each.query), Held(), Stopping()
        )
        for key, each in enumerate(questions)
    ]


def _asked(each: FactsQuestion) -> list[str]:
    query = each.query
    created_at = time_text(query.created_at or each.now)
    return [query.symbol, query.command_id or "", created_at, query.exchange]
