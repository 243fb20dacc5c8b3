"""Parse the query and the body of a request.

A name that the route does not know is refused: a misspelt field must not be ignored. A request is parsed whole before
anything is changed.
"""

import json
from collections import Counter
from collections.abc import Collection
from decimal import Decimal
from difflib import get_close_matches

from flask import Request

from console.parameters import BadParameter, Parameters

_MAX_SHOWN = 60  # characters of an unknown name that an error shows


def query_of(request: Request, names: Collection[str]) -> Parameters:
    """Parse the query's parameters.

    Raises:
        BadParameter: a parameter has an unknown name, or is given twice.
    """
    for name, values in request.args.lists():
        _check_name(name, names, times=len(values))
    return Parameters(request.args)


def body_of(request: Request, names: Collection[str]) -> Parameters:
    """Parse the fields of a JSON object or of a form. JSON numbers with a fraction become exact decimals.

    A body that begins with a brace is JSON whatever its content type is, because `curl -d` calls everything a form.
    An empty text in a form counts as not given, because forms send their empty fields.

    Raises:
        BadParameter: the body is neither JSON nor a form, a field has an unknown name or is given twice, or fields
            are in the query, where they would be ignored.
    """
    for name in request.args:
        raise BadParameter(_short(name), "expected in the body of the request, not in its address")
    if request.is_json or _begins_with_brace(request):
        return Parameters(_json_fields(request, names))
    for name, values in request.form.lists():
        _check_name(name, names, times=len(values))
    if request.files or (request.get_data() and not request.form):
        raise BadParameter("", "expected a JSON object, or a form")
    return Parameters({name: text for name, text in request.form.items() if text.strip()})


def is_form(request: Request) -> bool:
    """True when `body_of` parses the body as a form. Its sender is a page, which needs a page in return."""
    types = ("application/x-www-form-urlencoded", "multipart/form-data")
    return request.mimetype in types and not _begins_with_brace(request)


def _begins_with_brace(request: Request) -> bool:
    return request.get_data().removeprefix(b"\xef\xbb\xbf").lstrip().startswith(b"{")


def _json_fields(request: Request, names: Collection[str]) -> dict[str, object]:
    def once(pairs: list[tuple[str, object]]) -> dict[str, object]:
        for name, times in Counter(name for name, _ in pairs).items():
            if times > 1:
                raise BadParameter(_short(name), "is given twice")
        return dict(pairs)

    try:
        fields = json.loads(request.get_data(), parse_float=Decimal, object_pairs_hook=once)
    except (ValueError, RecursionError):
        fields = None
    if not isinstance(fields, dict):
        raise BadParameter("", "expected a JSON object")
    for name in fields:
        _check_name(name, names)
    return fields


def _check_name(name: str, names: Collection[str], *, times: int = 1) -> None:
    if name not in names:
        near = get_close_matches(_short(name), names, n=1)
        meant = f"did you mean {near[0]}?" if near else f"expected one of {', '.join(names)}"
        raise BadParameter(_short(name), f"is not known here; {meant}", "UNKNOWN_PARAMETER")
    if times > 1:
        raise BadParameter(name, "is given twice")


def _short(name: str) -> str:
    return name[:_MAX_SHOWN]
