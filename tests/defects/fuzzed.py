"""Mistakes in reading alerts that the fuzz has to see by itself, in bodies that nobody wrote down."""

from tests.defects.defect import Defect, Edit

SHEET, LEGS, FIELDS = "alerts/formats/sheet.py", "alerts/formats/legs.py", "alerts/formats/fields.py"
INTENTS, STRICT = "alerts/formats/intents.py", "alerts/strict_json.py"


def _slice(part: int) -> tuple[str, ...]:
    name = "test_no_body_becomes_an_order_that_does_not_follow_from_it"
    return (f"tests/fuzz/test_fuzz.py::{name}[{part}]",)


POISON = ("tests/fuzz/test_fuzz.py::test_nobody_trades_on_an_order_with_one_thing_that_is_none",)

FUZZED = (
    Defect(
        "the-first-of-two-quantities",
        "`quantity` and `contracts` said different things, and the first of them was traded.",
        (Edit(SHEET, "if not alike(said[0].value, each.value):", "if alike is None:"),),
        _slice(0),
    ),
    Defect(
        "null-is-the-default-quantity",
        "A plot had no value, `quantity` came as null, and the default quantity of the strategy was bought.",
        (
            Edit(
                LEGS,
                "    given = sheet.given(Role.QUANTITY)\n",
                "    given = [each for each in sheet.given(Role.QUANTITY) if not each.is_empty]\n",
            ),
        ),
        POISON,
    ),
    Defect(
        "a-comma-in-a-number",
        "`1,000` was read as 1000, and `1,5` as 15, ten times what was meant.",
        (
            Edit(
                FIELDS,
                "    if isinstance(value, str) and _NUMERAL.fullmatch(value.strip()):\n",
                '    value = value.replace(",", "") if isinstance(value, str) else value\n'
                "    if isinstance(value, str) and _NUMERAL.fullmatch(value.strip()):\n",
            ),
            Edit(
                LEGS,
                'if isinstance(found.value, str) else ""\n    if re.search',
                'if isinstance(found.value, str) else ""\n    text = text.replace(",", "")\n    if re.search',
            ),
        ),
        POISON,
    ),
    Defect(
        "digits-of-other-scripts",
        "Digits of another script were a number to Python, and a quantity that nobody could read was traded.",
        (Edit(FIELDS, "(e[+-]?\\d{1,2})?\", re.ASCII | re.IGNORECASE)", "(e[+-]?\\d{1,2})?\", re.IGNORECASE)"),),
        POISON,
    ),
    Defect(
        "the-last-of-two-keys",
        "A key stood twice in a body with two values, and the parser took the last of them.",
        (Edit(STRICT, "        _refuse_duplicate(pairs)\n    return", "        pass\n    return"),),
        _slice(0),
    ),
    Defect(
        "what-follows-the-first-object",
        "Two alerts came in one body: the first was traded, the second was not looked at, and nobody was told.",
        (Edit(STRICT, "_DECODER.decode(text)", "_DECODER.raw_decode(text.strip())[0]"),),
        _slice(0),
    ),
    Defect(
        "reduce-only-is-passed-over",
        "An order that could only reduce a position was sent as an entry, and opened one.",
        (
            Edit(
                INTENTS,
                "        return Intent(Act.CLOSE, said.side) if reduce_only else said\n",
                "        return said\n",
            ),
        ),
        _slice(0),
    ),
    Defect(
        "the-first-of-two-sides",
        "`action` said buy and `side` said sell; the first of them was traded.",
        (Edit(INTENTS, "        if side is not sided[0][1]:\n", "        if False:\n"),),
        _slice(0),
    ),
    Defect(
        "the-price-behind-the-at-sign",
        "In the default text the number behind `@` was the quantity, also where `for` says that it is the price.",
        (Edit("alerts/formats/tradingview.py", '"quantity": second or first,', '"quantity": first,'),),
        _slice(0),
    ),
    Defect(
        "a-byte-order-mark-hides-the-alert",
        "A relay put a byte order mark before the body, and every alert of it was refused.",
        (Edit("alerts/decoding.py", "raw.removeprefix(_BOM).decode()", "raw.decode()"),),
        _slice(0),
    ),
    Defect(
        "a-question-is-an-order",
        "`buy?` was bought: what stood beside the letters of a word was left out of it.",
        (
            Edit(
                SHEET,
                "return text if _TAKES_BACK.search(text.strip()) else plain(text)",
                "return plain(text)",
            ),
        ),
        POISON,
    ),
    Defect(
        "a-misspelt-quantity-is-left-out",
        "A template said `quantty: 5`; nobody knew that key, and the default quantity of the strategy was bought.",
        (Edit(LEGS, "        refuse_misspelt(sheet, layout)\n", ""),),
        ("tests/alerts/test_words_in_doubt.py::test_a_key_that_is_misspelt_is_not_left_out_of_an_entry",),
    ),
    Defect(
        "a-placeholder-is-a-name",
        "`{{ticker}}` was not replaced by its platform, and read as if it were what it stands for.",
        (Edit(SHEET, "                _refuse_placeholder(path, key, value)\n", ""),),
        ("tests/alerts/test_foreign_rules.py::test_doubt_is_refused_and_the_field_named",),
    ),
)  # fmt: skip
