"""Handle the forms of an order's page. A form with an error is shown again with what was typed and what is wrong."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from console.api import story_of
from console.context import Desk
from console.parameters import BadParameter, Parameters
from console.request_parsing import body_of
from console.story import story_lines
from domain.errors import ConcurrentUpdate, InvalidResolution

RESOLVE, CANCEL = "resolve", "cancel"


@dataclass(frozen=True, slots=True)
class OrderForm:
    """A form of the page: the function that carries it out, and the names of its fields."""

    carry_out: Callable[[str, Parameters], None]
    fields: tuple[str, ...]


def add_order_forms(blueprint: Blueprint, desk: Desk, forms: Mapping[str, OrderForm]) -> None:
    """Add the one route to which the page posts all its forms.

    The route is the page's own address, so that the page can still be refreshed and reloaded when a form was shown
    again. The field `wish` says which form it is.
    """

    names = tuple(dict.fromkeys(["wish", *(name for form in forms.values() for name in form.fields)]))

    @blueprint.post("/orders/<command_id>")
    def post_form(command_id: str) -> ResponseReturnValue:
        fields = body_of(request, names)
        wish = fields.text("wish") or RESOLVE
        form = forms.get(wish)
        if form is None:
            raise BadParameter("wish", f"expected {' or '.join(forms)}")
        try:
            form.carry_out(command_id, fields)
        except (BadParameter, InvalidResolution) as error:
            return _again(wish, form, command_id, error.field, error.message), 400
        except ConcurrentUpdate as error:
            return _again(wish, form, command_id, "command_id", str(error)), 409
        return redirect(url_for("console.order", command_id=command_id), 303)

    def _again(wish: str, form: OrderForm, command_id: str, field: str, message: str) -> str:
        story = story_of(desk, command_id)
        return render_template(
            "console/order.html",
            header=desk.header(desk.clock.now()),
            lines=story_lines(story),
            trouble={"wish": wish, "field": field, "message": message},
            given={name: request.form.get(name, "") for name in form.fields},
            **story,
        )
