"""Who may send alerts: IP networks, and subjects of client certificates."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

TRADINGVIEW = "tradingview"
"""The word that stands for the addresses which TradingView publishes."""
_NAMED = {TRADINGVIEW: ("52.89.214.238", "34.212.75.30", "54.218.53.128", "52.32.178.7")}
EXPECTED = (
    f"an IP address, a network such as 203.0.113.0/24, {TRADINGVIEW}, or a subject such as CN=Some Platform"
)
"""What an entry may be."""

_MAPPED = IPv6Network("::ffff:0:0/96")
_PORT = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}")
_ATTRIBUTE = re.compile(
    r"\s*([A-Za-z][A-Za-z0-9-]*|[0-9]+(?:\.[0-9]+)+)\s*=((?:[^\\\",+]|\\.)*)([,+]|$)", re.DOTALL
)
_ESCAPE = re.compile(r"\\([0-9A-Fa-f]{2}|.)", re.DOTALL)
_LONGEST = 1024  # characters of a subject
_LONGEST_ADDRESS = 64

Attributes = Mapping[str, Sequence[str]]


class Senders:
    """A list of senders: each entry is an address, a network, `tradingview`, or a subject such as `CN=TradingView`.

    Raises:
        ValueError: an entry is none of these, or there is none.
    """

    def __init__(self, entries: Sequence[str]) -> None:
        if not entries:
            raise ValueError("no sender")
        self._networks: list[IPv4Network | IPv6Network] = []
        self._subjects: list[Attributes] = []
        for entry in entries:
            if "=" in entry:
                self._subjects.append(_wanted(entry))
            else:
                self._networks += [_network(each) for each in _NAMED.get(entry.strip().lower(), (entry,))]
        self._holds = lru_cache(4096)(self._look_up)

    @property
    def has_subjects(self) -> bool:
        """Whether an entry is the subject of a certificate."""
        return bool(self._subjects)

    @property
    def has_addresses(self) -> bool:
        """Whether an entry is an address or a network."""
        return bool(self._networks)

    def holds(self, address: str, subject: str | None = None) -> bool:
        """Whether the sender is one of these.

        Args:
            address: as it was received; a port behind it is left out.
            subject: that of its client certificate, where a trusted proxy has checked one.
        """
        if len(address) > _LONGEST_ADDRESS or (subject is not None and len(subject) > _LONGEST):
            return False  # nothing long is remembered: a sender writes what it likes
        return self._holds(address, subject)

    def _look_up(self, address: str, subject: str | None) -> bool:
        found = _address(address)
        if found is not None and any(found in network for network in self._networks):
            return True
        if subject is None or not self._subjects:
            return False
        given = attributes_of(subject)
        return given is not None and any(
            all(given.get(name) == value for name, value in wanted.items()) for wanted in self._subjects
        )


@dataclass(frozen=True, slots=True)
class SendersBook:
    """Who may send the alerts of each strategy; None: whoever has the secret."""

    default: Senders | None = None
    by_strategy: Mapping[str, Senders] = field(default_factory=dict)

    def for_strategy(self, strategy_name: str) -> Senders | None:
        """Those of this strategy's alerts."""
        return self.by_strategy.get(strategy_name, self.default)


ANYBODY = SendersBook()
"""Whoever has the secret."""


def attributes_of(subject: str) -> Attributes | None:
    """The attributes of a distinguished name as RFC 4514 writes it; None for what is not surely one.

    A type may stand in it several times. That it did is seen: two headers joined into one, of which the sender wrote
    one, never look like one subject.
    """
    if not subject or len(subject) > _LONGEST:
        return None
    found: dict[str, list[str]] = {}
    at, end = 0, ","
    while end:
        match = _ATTRIBUTE.match(subject, at)
        if match is None:
            return None
        try:
            value = _unescaped(match[2].strip())
        except ValueError:
            return None
        found.setdefault(match[1].upper(), []).append(value)
        at, end = match.end(), match[3]
    return found


def _unescaped(value: str) -> str:
    def character(match: re.Match[str]) -> str:
        return match[1] if len(match[1]) == 1 else chr(int(match[1], 16))

    text = _ESCAPE.sub(character, value)
    if not text or not text.isprintable():
        raise ValueError(value)
    return text


def _wanted(entry: str) -> Attributes:
    found = attributes_of(entry)
    if found is None or len(found.get("CN", ())) != 1:  # any other attribute is shared by many certificates
        raise ValueError(entry)
    return found


def _network(entry: str) -> IPv4Network | IPv6Network:
    network = ip_network(entry.strip())  # strict: a bit behind the mask is a typing error
    if isinstance(network, IPv6Network) and network.overlaps(_MAPPED) and network.prefixlen >= 96:
        mapped = network.network_address.ipv4_mapped
        return ip_network(f"{mapped}/{network.prefixlen - 96}")
    return network


def is_address(text: str) -> bool:
    """Return True for an IP address as servers and proxies write it, with a port behind it or without."""
    return len(text) <= _LONGEST_ADDRESS and _address(text) is not None


def _address(text: str) -> IPv4Address | IPv6Address | None:
    """The address of a sender as servers and proxies write it; None where it is none."""
    port = _PORT.fullmatch(text)
    if port is not None:
        text = port[1] or port[2]
    try:
        found = ip_address(text.partition("%")[0])  # of a link-local address, the name of an interface
    except ValueError:
        return None
    return found.ipv4_mapped or found if isinstance(found, IPv6Address) else found
