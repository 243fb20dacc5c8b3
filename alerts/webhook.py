"""Serve POST /webhook with Flask: alerts in, durable legs out. No broker and no message channel is called from here."""

from flask import Blueprint, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from alerts.receiver import AlertReceiver, Answer, Refused, Request, answer_to_error
from alerts.responses import error_json

PATHS = ("/webhook", "/webhook/<name>", "/webhook/<name>/<path:token>")  # a secret may hold slashes
OTHER_METHODS = ("GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS")


def create_webhook(
    receiver: AlertReceiver, *, max_bytes: int, certificate_key: str | None = None
) -> Blueprint:
    """Create the blueprint that receives alerts. A body larger than `max_bytes` is refused.

    `certificate_key`: where a request's environ has the subject of its sender's certificate, if it was checked.
    """
    webhook = _Webhook(receiver, max_bytes, certificate_key)
    blueprint = Blueprint("webhook", __name__)
    for path in PATHS:
        blueprint.add_url_rule(
            path,
            "receive",
            webhook.receive,
            methods=["POST"],
            strict_slashes=False,
            provide_automatic_options=False,
        )
        blueprint.add_url_rule(
            path,
            "refuse",
            _refuse_method,
            methods=OTHER_METHODS,
            strict_slashes=False,
            provide_automatic_options=False,
        )
    blueprint.register_error_handler(Refused, lambda refused: _response(refused.answer))
    blueprint.register_error_handler(HTTPException, _answer_http)
    blueprint.register_error_handler(Exception, lambda error: _response(answer_to_error(error)))
    return blueprint


class _Webhook:
    def __init__(self, receiver: AlertReceiver, max_bytes: int, certificate_key: str | None) -> None:
        self._receiver = receiver
        self._max_bytes = max_bytes
        self._certificate_key = certificate_key

    def receive(self, name: str | None = None, token: str | None = None) -> Response:
        """Process one delivery; the answer says what became of it."""
        sender = request.remote_addr or "unknown"
        received_at = self._receiver.admit(sender)
        raw = self._read_body()
        key = self._certificate_key
        certificate = None if key is None else request.environ.get(key)
        asked = Request(sender, name, token, request.headers.get("X-Signature"), certificate)
        return _response(self._receiver.settle(self._receiver.read(asked, raw, received_at)))

    def _read_body(self) -> bytes:
        # The limit applies to a chunked body too, which announces no length.
        request.max_content_length = self._max_bytes
        try:
            return request.get_data(cache=False)
        except HTTPException:
            raise
        except Exception as error:  # cut short, or malformed chunks: each server raises its own errors
            raise Refused(400, "UNREADABLE", "expected a complete body, got part of one", "body") from error


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, answer.headers, content_type="application/json")


def _refuse_method(**_: str) -> Response:
    message = f"expected POST, got {request.method}"
    return _response(Answer(405, error_json("METHOD_NOT_ALLOWED", message), (("Allow", "POST"),)))


def _answer_http(error: HTTPException) -> Response:
    if isinstance(error, RequestEntityTooLarge):
        return _response(Answer(413, error_json("TOO_LARGE", "expected a smaller body", "body")))
    return _response(Answer(error.code or 500, error_json("HTTP_ERROR", error.description or error.name)))
