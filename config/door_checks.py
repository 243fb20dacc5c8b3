"""Check the settings that say who may send alerts: secrets, senders, proxies and signatures."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from config.checking import Problems
from config.clients import NamedAccount
from config.door import no_secret
from config.model import Environment
from config.strategies import StrategyTables
from domain.senders import SendersBook

_SHORTEST_SECRET = 16  # characters, where whoever guesses the secret trades with real money
_SKEW = 10  # seconds that a sender's clock may be ahead of ours


class _Given(NamedTuple):
    """A secret that the operator has set, and what it opens."""

    name: str
    value: str
    is_real: bool
    is_live: bool


def senders_of(env: Environment, strategies: StrategyTables) -> SendersBook:
    """Who may send each strategy's alerts: the strategy's own list, else that of `[default]`, else WEBHOOK_SENDERS."""
    return SendersBook(strategies.senders.default or env.webhook_senders, strategies.senders.by_strategy)


def check_door(
    env: Environment, accounts: Sequence[NamedAccount], strategies: StrategyTables, problems: Problems
) -> None:
    """Record what would let in the wrong senders, or nobody."""
    given = list(_given(env, accounts, strategies))
    for each in given:
        known = no_secret(each.value, is_real=each.is_real)
        if known is not None:
            problems.add(each.name, known)
        elif each.is_live and len(each.value) < _SHORTEST_SECRET:
            problems.add(
                each.name, f"too short, expected {_SHORTEST_SECRET} characters or more: orders are live"
            )
    first: dict[str, str] = {}
    strategy_names = {each.name for each in strategies.secrets.values()}
    for each in given:
        other = first.setdefault(each.value, each.name)
        if other != each.name and each.name in strategy_names:
            problems.add(each.name, f"the same as {other}, expected a secret that stands nowhere else")
    _check_proxies(env, strategies, problems)
    _check_signatures(env, problems)


def _given(
    env: Environment, accounts: Sequence[NamedAccount], strategies: StrategyTables
) -> Iterator[_Given]:
    any_real, any_live = any(each.is_real for each in accounts), any(each.is_live for each in accounts)
    for each in accounts:
        if each.account.webhook_secret is not None:
            value = each.account.webhook_secret.get_secret_value()
            yield _Given(each.name_of("webhook_secret"), value, each.is_real, each.is_live)
    if env.console_token is not None:
        yield _Given("CONSOLE_TOKEN", env.console_token.get_secret_value(), any_real, any_live)
    for value, name in strategies.secrets.values():
        yield _Given(name, value, any_real, any_live)


def _check_proxies(env: Environment, strategies: StrategyTables, problems: Problems) -> None:
    if not env.trusted_proxies:
        for field in ("trusted_proxy_addresses", "webhook_certificate_header"):
            if getattr(env, field) is not None:
                problems.add(
                    field.upper(), "has no effect, expected TRUSTED_PROXIES to say how many proxies there are"
                )
    header = env.webhook_certificate_header
    if header is not None and env.trusted_proxy_addresses is None:
        problems.add(
            "TRUSTED_PROXY_ADDRESSES",
            "not set, expected the proxy's addresses with WEBHOOK_CERTIFICATE_HEADER",
        )
    if (header is not None and header.lower().startswith("x-forwarded-")) or (
        header and header.lower() == "x-signature"
    ):
        problems.add(
            "WEBHOOK_CERTIFICATE_HEADER", f"got {header!r}, expected a header that means nothing else"
        )
    lists = [("WEBHOOK_SENDERS", env.webhook_senders), ("senders of [default]", strategies.senders.default)]
    lists += [
        (f"senders of [strategies.{name}]", each) for name, each in strategies.senders.by_strategy.items()
    ]
    named = [name for name, each in lists if each is not None and each.has_subjects]
    if named and header is None:
        problems.add(
            "WEBHOOK_CERTIFICATE_HEADER",
            f"not set, expected it with the subject of a certificate in {named[0]}",
        )
    if header is not None and not named:
        problems.add(
            "WEBHOOK_CERTIFICATE_HEADER",
            "has no effect, expected a subject such as CN=TradingView Webhooks in senders",
        )


def _check_signatures(env: Environment, problems: Problems) -> None:
    """A signature that is taken must be one whose repeat is still known: repeats are duplicates within the window."""
    asked = env.webhook_signature_needs_time or "webhook_replay_seconds" in env.model_fields_set
    if asked and env.webhook_replay_seconds + _SKEW > env.dedup_window_seconds:
        problems.add(
            "WEBHOOK_REPLAY_SECONDS",
            f"got {env.webhook_replay_seconds:g}, expected {_SKEW} less than DEDUP_WINDOW_SECONDS "
            f"({env.dedup_window_seconds:g}) or less: within that a repeat is known as a duplicate",
        )
