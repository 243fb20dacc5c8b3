"""Mistakes in reading the alerts of platforms: prices, sides, sizes, and damage that was read too kindly."""

from tests.defects.defect import Defect, Edit

RULES = "tests/alerts/test_foreign_rules.py"
GUARDS = "alerts/formats/guards.py"
PROTECTED = "tests/alerts/test_foreign_protection.py"
REACH, REACHED = "use_cases/reach_target.py", "tests/engine/test_reaching_targets.py"
REGISTER, FANNED = "use_cases/register_alert.py", "tests/test_fan_out.py"
REVERSALS = "tests/alerts/test_foreign_reversals.py"
ORDINARY = "tests/alerts/test_ordinary_keys.py"
KEYS = "alerts/formats/keys.py"
WORDS, LEFT_OUT = "alerts/formats/words.py", "tests/alerts/test_nothing_left_out.py"
EXITS = "alerts/formats/exits.py"
LEGS_OF_EXITS = "tests/alerts/test_legs_of_exits.py"
INTENTS, LEGS = "alerts/formats/intents.py", "alerts/formats/legs.py"
TEXT = "alerts/formats/tradingview.py"

PLATFORMS = (
    Defect(
        "size-in-money-is-units",
        "`amount: 50` beside two positions was dollars, and 50 coins were bought.",
        (Edit(INTENTS, "    return after != before and number_at(size) == abs(after - before)", "    return True"),),
        ("tests/alerts/test_sizes_by_positions.py::test_any_other_size_without_a_unit_stays_refused",),
    ),
    Defect(
        "empty-position-hides-another",
        "`sentiment` was empty, `market_position` beside it was flat and not looked at: an exit was entered.",
        (Edit(INTENTS, "in sheet.every(role) if (sign :=", "in sheet.every(role)[:1] if (sign :="),),
        (f"{LEFT_OUT}::test_no_empty_field_hides_a_position_and_two_words_for_one_agree",),
    ),
    Defect(
        "leg-of-an-exit-is-an-entry",
        "`event: take_profit` beside a sell was a word that nobody knew, and the exit was entered.",
        (Edit(INTENTS, "            doubts.append(each)\n", "            pass\n"),),
        (f"{LEGS_OF_EXITS}::test_a_word_for_a_leg_of_an_exit_is_never_entered",),
    ),
    Defect(
        "position-of-nothing-is-an-entry",
        "`net_position: 0` stood beside the sell that closed a long, and a short was opened.",
        (Edit(EXITS, "    return size == 0 or side is None", "    return side is None"),
         Edit(EXITS, "or (size > 0) is not (side is Side.BUY)", "or (size > 0 and side is not Side.BUY)")),
        (f"{LEGS_OF_EXITS}::test_a_sell_that_leads_to_no_short_is_not_entered",),
    ),
    Defect(
        "client-of-another-platform-is-unread",
        "The alert named one of the strategy's clients, and all of them traded it.",
        (
            Edit(
                "alerts/formats/of_layout.py",
                "client_of=lambda body: _client_of(body.reading)",
                "client_of=lambda _: None",
            ),
        ),
        ("tests/alerts/test_named_clients.py::test_of_several_clients_the_named_one_alone_trades",),
    ),
    Defect(
        "position-of-another-platform-is-unread",
        "A stop beside it made the alert one of TradersPost, which calls the position otherwise: an exit was entered.",
        (Edit(WORDS, "    Role.POSITION, Role.PREVIOUS, Role.POSITION_SIZE,", "    Role.POSITION_SIZE,"),),
        (f"{LEFT_OUT}::test_an_order_that_leads_to_no_position_is_an_exit_whatever_stands_beside_it",),
    ),
    Defect(
        "order-type-of-another-platform-is-unread",
        "`orderType: LIMIT` beside an `apikey` was not OpenAlgo's name for it: the order went at market.",
        (Edit(WORDS, "Role.ORDER_TYPE, Role.LIMIT, Role.TRIGGER,\n    Role.PRICE", "Role.PRICE"),),
        (f"{LEFT_OUT}::test_openalgo_and_kite_read_the_kind_of_an_order_under_any_usual_name",),
    ),
    Defect(
        "notice-of-a-broker-is-an-order",
        "A broker's postback of a filled order came to the webhook, and the order was sent once more.",
        (
            Edit(
                "alerts/formats/of_layout.py",
                "        refuse_notice_of_a_broker(sheet, layout)\n",
                "        refuse_notice_of_a_broker(Sheet([], {}), layout)\n",
            ),
        ),
        ("tests/alerts/test_broker_notices.py::test_a_notice_about_an_order_is_no_order",),
    ),
    Defect(
        "reference-price-is-a-limit",
        "The close of the bar was sent as a limit price: the market ran away, and nothing was filled.",
        (Edit(LEGS, "if limit is None and ((named in _LIMITED)", "if limit is None and ((order_type in _LIMITED)"),),
        (f"{RULES}::test_a_price_is_a_reference_unless_the_alert_itself_names_a_limit_order",),
    ),
    Defect(
        "exit-of-a-short-is-an-entry",
        "The buy that closed a short was taken for an entry: the account was long instead of flat.",
        (Edit(INTENTS, "Intent(Act.FLAT, said.side)\n    if previous", "said\n    if previous"),),
        (f"{RULES}::test_the_positions_tell_an_entry_from_an_exit",),
    ),
    Defect(
        "partial-exit-is-an-entry",
        "A sell that reduced a long was taken for a short entry beside it.",
        (
            Edit(
                INTENTS,
                "    return Intent(Act.CLOSE, said.side)\n\n\n",
                "    return said\n\n\n",
            ),
        ),
        (f"{RULES}::test_the_positions_tell_an_entry_from_an_exit",),
    ),
    Defect(
        "reversal-is-an-entry",
        "The order of a reversal, old and new contracts together, was entered as if nothing had been held.",
        (Edit(INTENTS, "        return Intent(Act.REVERSE, said.side)\n", "        return said\n"),),
        (f"{REVERSALS}::test_a_reversal_closes_all_and_then_enters_the_new_position",),
    ),
    Defect(
        "reversal-enters-old-and-new",
        "The exit closed the old position, and the entry was of the order's whole quantity: too much was opened.",
        (Edit(LEGS, "intent.size or size", "size or intent.size"),),
        (f"{REVERSALS}::test_exit_and_entry_lead_from_the_old_position_to_the_new_one",),
    ),
    Defect(
        "size-of-a-reversal-is-believed",
        "An order of the new position alone was read as a reversal, though its numbers did not add up.",
        (Edit(INTENTS, "    if quantity != abs(after) + abs(before):\n", "    if False:\n"),),
        (f"{REVERSALS}::test_no_order_that_is_not_both_positions_turns",),
    ),
    Defect(
        "own-quantity-turns-the-position",
        "`quantity: 50` was the sender's own; beside the chart's position of 1 it was read as a reversal of 49.",
        (
            Edit(
                INTENTS,
                "    if after is None or before is None or quantity is None:\n",
                "    before = (quantity or 0) - abs(after or 0)\n    if after is None or quantity is None:\n",
            ),
        ),
        (f"{REVERSALS}::test_a_reversal_whose_new_size_is_not_certain_is_refused",),
    ),
    Defect(
        "stop-that-is-off-is-watched",
        "`use_stop_loss` was false; the stop beside it was watched all the same, and closed the position.",
        (Edit(GUARDS, "        if found.asks or is_off:\n", "        if found.asks:\n"),),
        (f"{PROTECTED}::test_a_level_whose_unit_could_be_another_is_refused",),
    ),
    Defect(
        "exit-of-a-reversal-is-of-its-group",
        "Nothing was held, so the exit ended unsent, and the entry was stopped as one leg of an incomplete spread.",
        (
            Edit(
                "use_cases/leg_groups.py",
                "        and leg.execution_type is ExecutionType.ENTRY\n",
                "",
            ),
        ),
        ("tests/engine/test_reversals.py::test_the_entry_goes_alone_where_nothing_is_held",),
    ),
    Defect(
        "lots-are-units",
        "`size: 50` was dollars on that platform, and 50 contracts were bought.",
        (Edit(LEGS, "is_units = unit is not None or layout.size_is_units", "is_units = True"),),
        (f"{RULES}::test_doubt_is_refused_and_the_field_named",),
    ),
    Defect(
        "null-quantity-takes-the-default",
        "A placeholder had no value, and the default quantity was traded instead.",
        (Edit(LEGS, "if given else None", "if given and not given[0].is_empty else None"),),
        (f"{RULES}::test_doubt_is_refused_and_the_field_named",),
    ),
    Defect(
        "stop-is-left-out",
        "The alert asked for a stop; the entry was sent without one, and nobody was told.",
        (Edit(INTENTS, "entry and traits.protects and not _is_read(path, found, read)", "False"),),
        (f"{RULES}::test_doubt_is_refused_and_the_field_named",),
    ),
    Defect(
        "placeholder-is-traded",
        "Placeholders that the platform had not replaced arrived as text, and the rest of the alert was traded.",
        (Edit("alerts/formats/sheet.py", '    if "{{" in value or ', "    if "),),
        (f"{RULES}::test_doubt_is_refused_and_the_field_named",),
    ),
    Defect(
        "second-order-of-a-text-is-dropped",
        "A text had two orders in it; the first one was traded, and the second was never heard of.",
        (
            Edit(TEXT, "    if len(orders) > 1 or", "    if"),
            Edit(TEXT, "[(side, first, second, symbol)] = orders", "side, first, second, symbol = orders[0]"),
        ),
        (f"{RULES}::test_what_holds_several_commands_or_uncertain_damage_is_refused",),
    ),
    Defect(
        "separators-are-mixed",
        "A comma instead of a semicolon made two fields one: half of the alert went into a value.",
        (Edit("alerts/reading.py", "        if _ANOTHER_PAIR.search(value):\n", "        if False:\n"),),
        (f"{RULES}::test_what_holds_several_commands_or_uncertain_damage_is_refused",),
    ),
    Defect(
        "key-of-a-foreign-alert-shows-the-secret",
        "The keys that were not read were kept with the alert, and a template had the secret among them.",
        (Edit("alerts/receiver.py", "        if alert.unread:  #", "        if not alert.unread:  #"),),
        ("tests/test_composition.py::test_what_was_repaired_and_not_read_is_kept_with_the_alert",),
    ),
    Defect(
        "one-ordinary-word-clears-a-key",
        "`order_volume_ma_lots` counted as an average of the volume, and the default quantity was traded instead.",
        (Edit(KEYS, "is_about and (about | ordinary.BESIDE | ordinary.ABOUT.keys()).issuperset(others)", "is_about"),),
        (f"{ORDINARY}::test_no_word_of_the_market_clears_a_word_of_an_order",),
    ),
    Defect(
        "close-of-a-position-is-a-price",
        "`candle.close_position` was taken for the close of a bar, and the exit was entered.",
        (Edit(KEYS, "    if not ordinary.BEHIND_CLOSE.issuperset(behind):\n", "    if False:\n"),),
        (f"{ORDINARY}::test_what_may_ask_for_something_stays_suspected",),
    ),
    Defect(
        "flat-anywhere-is-a-state",
        "`bias: flat` beside a sell was passed over like a trend that is flat: a short was opened instead of an exit.",
        (Edit(KEYS, '(traits.is_state and found.word() == "flat")', '(found.word() == "flat")'),),
        (f"{ORDINARY}::test_a_word_that_closes_is_passed_over_only_where_it_is_said_of_the_market",),
    ),
    Defect(
        "switch-of-a-close-is-a-price",
        "`session_close: true` was read as a price, and an exit at the end of the session was entered.",
        (Edit(KEYS, 'closes=words[-1:] == ("close",) and ordinary.BARS.isdisjoint(words)', "closes=False"),),
        (f"{ORDINARY}::test_a_word_that_closes_is_passed_over_only_where_it_is_said_of_the_market",),
    ),
    Defect(
        "volume-of-the-bar-fills-an-entry",
        "What an exit may pass over was passed over in an entry: `volume` was its size, and the default was traded.",
        (Edit(LEGS, "    if is_entry and asked is None and size is None and intent.size is None:\n",
              "    if False:\n"),),
        (f"{ORDINARY}::test_the_volume_of_the_bar_keeps_no_exit_back_and_fills_no_entry",),
    ),
    Defect(
        "fraction-of-a-stop-is-percent",
        "`stop_loss_pct: 0.02` meant two percent: the stop stood at 0.02 % and was met by the first price.",
        (Edit(GUARDS, "    if number < 1 and not is_said:\n", "    if False:\n"),),
        (f"{PROTECTED}::test_a_level_whose_unit_could_be_another_is_refused",),
    ),
    Defect(
        "percent-of-the-margin-is-of-the-price",
        "A stop of 20 % beside a leverage of 10 was watched at 20 % of the price: the margin was gone before it.",
        (Edit(GUARDS, 'leverage.word() not in ("1", "1x")', "False"),),
        (f"{PROTECTED}::test_a_level_whose_unit_could_be_another_is_refused",),
    ),
    Defect(
        "second-level-of-a-stop-is-left-out",
        "Two stops contradicted each other; the first one was taken, and nobody was told.",
        (
            Edit(
                GUARDS,
                "if levels.setdefault(guard.part, level) != level:",
                "if not levels.setdefault(guard.part, level):",
            ),
        ),
        (f"{PROTECTED}::test_a_level_whose_unit_could_be_another_is_refused",),
    ),
    Defect(
        "limit-of-a-stop-is-left-out",
        "A stop-limit was watched as a stop at market, at a price that its sender had excluded.",
        (
            Edit(GUARDS, '_KINDS = {"stop": Part.STOP,', '_KINDS = {"stop": Part.STOP, "stoplimit": Part.STOP,'),
            Edit(
                INTENTS,
                "    if path in read or (found.is_nested",
                '    if path in read or path.startswith("stoploss.") or (found.is_nested',
            ),
        ),
        (f"{PROTECTED}::test_a_stop_that_could_be_another_is_refused",),
    ),
    Defect(
        "levels-of-a-sell-that-exits-protect-a-short",
        "OctoBot's sell with a stop was an exit; its stop was taken for that of a short.",
        (Edit("alerts/formats/pairs.py", 'guards_where={"signal": frozenset(["buy"])}', "guards_where={}"),),
        (f"{PROTECTED}::test_the_stop_price_of_octobot_protects_an_order_to_buy_and_triggers_a_stop_order",),
    ),
    Defect(
        "target-is-an-order",
        "The position to reach was ordered as if nothing were held: 100 became 150.",
        (Edit(REACH, "_held(leg, there, alert.strategy_name))", "ZERO)"),),
        (f"{REACHED}::test_what_is_held_decides_what_leads_to_the_target",),
    ),
    Defect(
        "target-by-an-old-read",
        "The broker had not been read for an hour; the way to the position was reckoned all the same.",
        (Edit(REACH, "    if abs(age) > limit:\n", "    if False:\n"),),
        (f"{REACHED}::test_nothing_is_traded_where_the_positions_were_not_read_lately",),
    ),
    Defect(
        "target-beside-an-open-order",
        "An entry was still open when the next target came: its units were not counted, and ordered again.",
        (Edit(REACH, "is open there, and has to end first\" if mine else None", "\" if False else None"),),
        (f"{REACHED}::test_nothing_is_traded_while_an_order_of_the_strategy_is_open",),
    ),
    Defect(
        "short-stance-is-long",
        "`stance: short, qty: 2` was read by the sign of its number alone: a long of 2 was opened.",
        (Edit(INTENTS, "next(iter(sides), None) or (Side.BUY", "(Side.BUY"),),
        ("tests/alerts/test_foreign_targets.py::test_a_size_that_is_the_position_to_reach_is_no_quantity_of_an_order",),
    ),
    Defect(
        "any-secret-trades-all-accounts",
        "The secret of a client that the strategy does not trade for opened positions in the accounts of all others.",
        (Edit("alerts/sharing.py", "wanted is not None and wanted not in clients", "False"),),
        ("tests/alerts/test_sharing.py::test_nobody_trades_accounts_of_a_strategy_that_is_not_its_own",),
    ),
    Defect(
        "one-account-stops-all",
        "One of five accounts could not trade the alert's quantity, and the other four traded nothing.",
        (
            Edit(
                REGISTER,
                "done = tx.attempt(partial(self._share, tx, alert, share, delivery, place, before))",
                "done = self._share(tx, alert, share, delivery, place, before)",
            ),
        ),
        (f"{FANNED}::test_half_of_an_odd_quantity_is_refused_for_that_client_alone",),
    ),
    Defect(
        "share-of-an-exit-is-dropped",
        "Half of an exit of 3 was no whole unit: that account kept what it held, and the others went flat.",
        (Edit("domain/alert.py", "if leg.kind in (LegKind.EXIT, LegKind.TARGET):", "if leg.kind is LegKind.TARGET:"),),
        (f"{FANNED}::test_no_share_of_an_exit_is_lost",),
    ),
    Defect(
        "accepted-though-one-account-trades-nothing",
        "An account had no leg of the alert, and the answer to its sender was `accepted`.",
        (Edit(REGISTER, "Outcome.ACCEPTED if is_whole else Outcome.PARTIALLY_BLOCKED", "Outcome.ACCEPTED"),),
        (f"{FANNED}::test_what_a_client_does_not_trade_is_in_the_answer",),
    ),
    Defect(
        "accounts-are-one-spread",
        "A leg was cancelled in one account, and the legs of another one were stopped as parts of its spread.",
        (Edit("use_cases/leg_groups.py", "        and leg.client_id == order.client_id\n", ""),),
        (f"{FANNED}::test_what_ends_a_leg_of_one_client_ends_none_of_another",),
    ),
    Defect(
        "multiplier-is-left-out",
        "Each account traded the alert's own quantity, whatever its multiplier said.",
        (Edit("domain/alert.py", "found = quantity * share.multiplier", "found = quantity"),),
        (f"{FANNED}::test_each_leg_is_there_once_for_each_client_by_its_multiple",),
    ),
    Defect(
        "blocked-leg-of-another-account",
        "A leg was blocked, and by its number in the alert the wrong leg of its account was taken for it.",
        (
            Edit(
                "use_cases/register_group.py",
                "blocks[index] = answer\n",
                "blocks[order.leg_index] = answer\n",
            ),
        ),
        (f"{FANNED}::test_a_spread_is_kept_together_within_one_client",),
    ),
    Defect(
        "target-against-its-own-order",
        "The alert said buy, the strategy held more than the chart: a sell was sent, though nothing had asked for one.",
        (Edit(REACH, "    if leg.order_side not in (None, way):\n", "    if False:\n"),),
        (f"{REACHED}::test_nothing_is_traded_against_the_side_that_the_alert_names",),
    ),
    Defect(
        "exit-opens-a-target",
        "`stance: flat` with a size of 2 was read as a position of 2 to reach: an exit opened a long.",
        (Edit(INTENTS, "    if said.act is not Act.ENTRY or _is_set(", "    if _is_set("),),
        ("tests/alerts/test_foreign_targets.py::test_a_position_to_reach_is_certain_and_alone",),
    ),
    Defect(
        "words-of-any-length",
        "The words of a quarter of a megabyte were looked through for an order before anybody knew who had sent it.",
        (Edit("alerts/formats/notice.py", "    if len(reading.said) > MAX_TEXT:", "    if False:"),),
        ("tests/alerts/test_before_authentication.py::test_words_are_looked_for_in_no_more_text_than_a_platform_sends",),
    ),
)  # fmt: skip
