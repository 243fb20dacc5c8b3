"""Adopt units of the account that no strategy holds. See `domain.adoption_rules` for what is allowed."""

import logging
from collections.abc import Mapping
from dataclasses import replace

from domain.adoption import Adoption, AdoptionRequest, check_request
from domain.adoption_rules import adopted
from domain.errors import NotFound
from domain.limits import ClientPolicy
from domain.notices import Notice, NoticeKind
from domain.ports import Clock, Transaction, Writes

log = logging.getLogger(__name__)


def adopt(
    store: Writes, clients: Mapping[str, ClientPolicy], request: AdoptionRequest, *, clock: Clock
) -> Adoption:
    """Make units that no strategy holds a holding of the named strategy, record that for good, and notify of it.

    The request is judged and written in one transaction: of two requests for the same units the second finds none.

    Raises:
        NotFound: no such client.
        InvalidAdoption: the request is not valid as it is; names the field.
        AdoptionNotPossible: the adoption is not possible at present; names the field, and what to do.
        StoreUnavailable: nothing was stored.
    """
    if request.client_id not in clients:
        raise NotFound(f"no client {request.client_id!r}")
    wanted = _in_our_letters(request)
    check_request(wanted)
    limits = clients[wanted.client_id].limits.for_strategy(wanted.strategy_name)

    def work(tx: Transaction) -> Adoption:
        now = clock.now()
        facts = tx.adoption_facts(wanted.client_id, wanted.symbol, now)
        adoption = adopted(wanted, facts, now=now, max_age=limits.positions_max_age_seconds)
        tx.keep_adoption(adoption)
        text = f"{adoption.means}. By {adoption.by}: {adoption.reason}"
        notice = Notice(
            NoticeKind.ADOPTED, adoption.client_id, symbol=adoption.symbol, detail=text, by=adoption.by
        )
        tx.notify(notice)
        return adoption

    done = store.write(work)
    log.info("client %s: %s. By %s: %s", done.client_id, done.means, done.by, done.reason)
    return done


def _in_our_letters(request: AdoptionRequest) -> AdoptionRequest:
    """Write the names as alerts are stored: no blanks around; symbol, exchange and product in capitals."""
    return replace(
        request,
        symbol=request.symbol.strip().upper(),
        strategy_name=request.strategy_name.strip(),
        exchange=None if request.exchange is None else request.exchange.strip().upper(),
        product=None if request.product is None else request.product.strip().upper(),
    )
