"""Mistakes about who may send alerts: whose secret came, from where, and when it was signed."""

from tests.defects.defect import Defect, Edit

RECEIVER, PROXIES, CHECKS = "alerts/receiver.py", "app/proxies.py", "config/door_checks.py"
TESTS = "tests/app/test_who_may_send.py"
FROM = f"{TESTS}::test_a_strategys_alerts_come_from_its_senders_alone"

SENDERS = (
    Defect(
        "strangers-use-up-the-platforms-deliveries",
        "All users of a platform share four addresses; what others sent from them counted against our user's alerts.",
        (
            Edit(
                RECEIVER,
                "wait = self._admission.strangers.wait(request.sender)",
                "wait = self._admission.deliveries.wait(request.sender)",
            ),
        ),
        (f"{TESTS}::test_what_strangers_send_from_the_platforms_address_stops_no_right_alert",),
    ),
    Defect(
        "the-name-in-the-alert-wins-over-its-secret",
        "Who knew the secret of one strategy wrote the name of another one into the alert, and traded that.",
        (
            Edit(
                "alerts/sharing.py",
                "if book.owner is None or alert.strategy_name == book.owner:",
                "if book.owner is None or alert.strategy_name:",
            ),
        ),
        (f"{TESTS}::test_its_secret_wins_over_the_name_in_the_alert_and_the_story_says_so",),
    ),
    Defect(
        "a-strategys-secret-trades-any-account",
        "The secret of one strategy opened every client that an alert named.",
        (
            Edit(
                "alerts/auth.py",
                "return client_id is None or client_id in self.clients",
                "return client_id is None or self.strategy_name is not None or client_id in self.clients",
            ),
        ),
        (f"{TESTS}::test_a_strategys_clients_trade_it_and_no_other_may_be_named",),
    ),
    Defect(
        "a-clients-secret-goes-round-the-list",
        "The list of senders was asked only where the strategy's own secret came, so the common one went round it.",
        (
            Edit(
                RECEIVER,
                "            self._check_sender(alert.strategy_name, request)\n",
                "            if identity.strategy_name is not None:\n"
                "                self._check_sender(alert.strategy_name, request)\n",
            ),
        ),
        (FROM,),
    ),
    Defect(
        "whoever-connects-is-the-proxy",
        "The port could be reached past the proxy, and whoever did so wrote the platform's address into a header.",
        (Edit(PROXIES, "(self._addresses is None or self._addresses.holds(peer))", "bool(peer)"),),
        (FROM,),
    ),
    Defect(
        "an-unreadable-way-is-the-proxys-own",
        "A sender wrote half a quotation into X-Forwarded-For: it counted as the proxy itself, which was on the list.",
        (Edit(PROXIES, "if len(hops) >= self._hops else UNKNOWN", "if len(hops) >= self._hops else peer"),),
        ("tests/app/test_proxies.py::test_what_a_sender_writes_never_makes_it_the_proxy",),
    ),
    Defect(
        "a-certificate-by-any-way",
        "The subject of a certificate was believed also where more proxies than ours had forwarded the request.",
        (Edit(PROXIES, " and len(hops) == self._hops\n", " and bool(hops)\n"),),
        (FROM,),
    ),
    Defect(
        "a-header-with-an-underscore",
        "The proxy set its header anew and let one with underscores through, which counts as the same one behind it.",
        (Edit("app/wsgi_handoff.py", ' or b"_" in name:', ":"),),
        (FROM,),
    ),
    Defect(
        "a-name-inside-another",
        "The subject was searched for the platform's name, which anybody can have written into a field of his own.",
        (
            Edit(
                "domain/senders.py",
                "all(given.get(name) == value for name, value in wanted.items())",
                'all(f"{name}={value[0]}" in subject for name, value in wanted.items())',
            ),
        ),
        (FROM,),
    ),
    Defect(
        "the-time-is-not-signed",
        "The time stood beside the signature and was not covered by it: whoever had seen an alert sent it anew.",
        (
            Edit(
                "domain/credentials.py",
                'body if stamp is None else stamp.encode() + b"." + body',
                'body if stamp is None else b"." + body',
            ),
        ),
        (f"{TESTS}::test_a_signature_covers_its_time",),
    ),
    Defect(
        "a-replay-window-longer-than-repeats-are-known",
        "Signatures were good for five minutes, repeats known for one: a captured alert sent again traded twice.",
        (
            Edit(
                CHECKS,
                "    if asked and env.webhook_replay_seconds",
                "    if not asked and env.webhook_replay_seconds",
            ),
        ),
        ("tests/config/test_door.py::test_a_replay_window_is_no_longer_than_repeats_are_known",),
    ),
    Defect(
        "the-secret-of-the-example",
        "The example file was copied as it stood, and its secret opened the account to everybody who has the program.",
        (
            Edit(
                "config/door.py", "    if is_published(value):\n", "    if is_published(value) and is_real:\n"
            ),
        ),
        ("tests/config/test_door.py::test_the_secret_of_an_example_opens_nothing",),
    ),
    Defect(
        "a-secret-with-something-before-it-is-kept",
        "Secrets were looked for as whole words: one with a letter before it was stored as it stood.",
        (Edit("alerts/masking.py", "elif len(word) > self._shortest:", "elif len(word) > 1_000_000:"),),
        ("tests/alerts/test_masking.py::test_one_of_many_is_hidden_however_it_is_spelt",),
    ),
)
