"""What every registered broker keeps, so that nothing else has to know which brokers there are."""

import inspect
import socket
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any, Protocol
from zoneinfo import ZoneInfo

import pytest
from pydantic import BaseModel, ValidationError

import trading_bot
from app import container
from broker import registry
from broker.description import AnyBroker, BrokerDescription, BrokerSetup, registered
from broker.registry import BROKERS
from broker.test_mode import BrokerWithTestMode
from config.brokers import AccountSettings, SharedSettings
from config.checking import Problems, SettingsError, checked
from config.fields import Secret, Text
from config.model import Service, environment_model
from config.settings import read_settings
from domain import ports
from domain.broker_capabilities import BrokerLimits, BrokerTraits, Capability, IdClass
from domain.broker_reports import OrderRef
from domain.enums import TestMode
from domain.errors import NotFound, Refused
from tests.contract.broker_contract import a_command
from tests.support import FakeBroker, ManualClock

INTERFACES: dict[Capability, type] = {
    Capability.MODIFY: ports.OrderModifier,
    Capability.LOOK_UP: ports.OrderLookUp,
    Capability.QUOTES: ports.QuoteReader,
    Capability.STREAM: ports.StreamSource,
    Capability.BATCHES: ports.BatchPlacer,
    Capability.SET_MARK: ports.MarkSetter,
    Capability.EQUITY: ports.EquityReader,
    Capability.MARKS: ports.MarkReader,
}
SOME_VALUES = ("U1", "https://127.0.0.1:9/api", "wss://127.0.0.1:9/ws", "50", "protected", "true")


@pytest.fixture(params=list(BROKERS.values()), ids=list(BROKERS))
def described(request: pytest.FixtureRequest) -> AnyBroker:
    return request.param


@pytest.fixture(autouse=True)
def _without_a_network(monkeypatch: pytest.MonkeyPatch) -> None:
    def connect(*_: object) -> None:
        raise AssertionError("somebody was called")

    monkeypatch.setattr(socket.socket, "connect", connect)


def accepts(model: type[BaseModel], field: str, value: object) -> bool:
    try:
        model.model_validate({field: value})
    except ValidationError:
        return False
    return True


def all_set(model: type[AccountSettings]) -> AccountSettings:
    """An account with a value for each setting."""
    given = {
        field: next(value for value in SOME_VALUES if accepts(model, field, value))
        for field in model.model_fields
    }
    return model.model_validate(given)


def as_needed(model: type[AccountSettings]) -> AccountSettings:
    """An account with what it must have, and nothing else."""
    whole, account = all_set(model), model()
    while missing := list(account.missing()):
        account = account.model_copy(update={field: getattr(whole, field) for field in missing})
    return account


def setup_of(described: AnyBroker, account: AccountSettings, folder: Path) -> BrokerSetup[Any, Any]:
    return BrokerSetup(
        client_id="alice",
        account=account,
        shared=described.shared(),
        clock=ManualClock(),
        orders_db=folder / "orders.db",
        zone=ZoneInfo("Asia/Kolkata"),
        deadline_seconds=15.0,
        acceptance_horizon_seconds=7.0,
        market_protection_percent=Decimal(3),
        exit_waits=lambda: False,
    )


def methods(interface: type) -> dict[str, Callable[..., object]]:
    return {name: value for name, value in vars(interface).items() if callable(value) and name[0] != "_"}


def implements(made: object, interface: type) -> bool:
    """Whether each method is there and takes the same arguments; it may take more that have defaults."""
    for name, wanted in methods(interface).items():
        found = inspect.signature(getattr(made, name)).parameters
        expected = dict(list(inspect.signature(wanted).parameters.items())[1:])
        more = [each for name_, each in found.items() if name_ not in expected]
        if not expected.keys() <= found.keys() or any(each.default is each.empty for each in more):
            return False
    return True


# settings -----------------------------------------------------------------------------------------------------


def test_nothing_set_is_valid_but_may_miss_something(described):
    assert set(described.account().missing()) <= described.account.model_fields.keys()
    assert not list(all_set(described.account).missing())
    assert not list(described.shared().problems(Path("data/orders.db")))


def test_no_two_settings_have_one_name():
    every = [
        f"{each.name}_{field}"
        for each in BROKERS.values()
        for model in (each.account, each.shared)
        for field in model.model_fields
    ]
    assert len(set(every)) == len(every)
    assert not set(every) & Service.model_fields.keys()


def test_a_bad_value_is_named_with_what_was_expected(described):
    for model in (described.account, described.shared):
        for field in model.model_fields:
            problems = Problems()
            checked(environment_model(BROKERS), {f"{described.name}_{field}": []}, problems, str.upper)
            with pytest.raises(SettingsError) as caught:
                problems.raise_any()
            [line] = caught.value.problems
            assert (
                line.startswith(f"{described.name.upper()}_{field.upper()}: got ") and ", expected " in line
            )


def test_what_is_secret_is_never_shown(described):
    for field, info in described.account.model_fields.items():
        if any(word in field for word in ("secret", "password", "token")):
            assert "SecretStr" in repr(info.annotation), field


def test_a_real_broker_knows_users(described):
    assert described.knows_users or not described.is_real  # else two clients could trade one account
    account = all_set(described.account)
    number = "U1 (sandbox)" if account.is_sandbox else "U1"  # no rows of trials are taken for real ones
    assert account.user == (number if described.knows_users else None)


# the broker itself --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("made_of", [all_set, as_needed])
def test_what_is_built_is_what_was_described_and_nobody_is_called(described, tmp_path, made_of):
    account = made_of(described.account)
    built = described.build(setup_of(described, account, tmp_path))
    traits = built.port.traits
    plain = replace(
        traits,
        account="",
        acceptance_horizon=described.traits.acceptance_horizon,
        is_real=described.traits.is_real,
    )
    assert plain == described.traits
    assert traits.is_real == (described.is_real and not account.is_sandbox)
    assert traits.account == (account.user or "alice")
    assert traits.acceptance_horizon == (7.0 if described.is_real else 0.0)
    assert implements(built.port, ports.Broker)
    assert built.capabilities <= described.capabilities
    if made_of is all_set:
        assert built.capabilities == described.capabilities
    for capability in built.capabilities:
        assert implements(getattr(built, capability.value), INTERFACES[capability])


def test_every_capability_has_an_interface():
    assert INTERFACES.keys() == set(Capability)
    assert all(issubclass(each, Protocol) and methods(each) for each in INTERFACES.values())


def test_an_order_in_test_mode_is_answered_without_the_broker(described, tmp_path):
    built = described.build(setup_of(described, as_needed(described.account), tmp_path))
    connected = described.connect(setup_of(described, as_needed(described.account), tmp_path))
    assert isinstance(connected.port, BrokerWithTestMode)
    assert type(connected.port.decorated) is type(built.port)
    assert connected.capabilities == built.capabilities
    command = a_command(test_mode=TestMode.SUCCESS)
    number = connected.port.place(command).broker_order_id
    book = connected.port.read_book([OrderRef(command.client_order_id, number, command)])
    assert book.by_id.keys() == {number}


def test_an_adapter_itself_refuses_an_order_in_test_mode(described, tmp_path):
    built = described.build(setup_of(described, as_needed(described.account), tmp_path))
    with pytest.raises(Refused) as caught:
        built.port.place(a_command(test_mode=TestMode.SUCCESS))
    assert caught.value.code == "TEST_MODE"


# the registry -------------------------------------------------------------------------------------------------


def test_every_folder_with_a_description_is_registered():
    folders = {file.parent.name for file in Path(registry.__file__).parent.glob("*/description.py")}
    assert folders == {each.build.__module__.split(".")[1] for each in BROKERS.values()}


def test_two_brokers_of_one_name_are_refused(described):
    with pytest.raises(ValueError, match="one name"):
        registered(described, described)


class AcmeAccount(AccountSettings):
    user_field = "login"

    login: Text | None = None
    api_key: Secret | None = None

    def missing(self) -> list[str]:
        return [field for field in ("login", "api_key") if getattr(self, field) is None]


class AcmeBroker(FakeBroker):
    def __init__(self) -> None:
        super().__init__(ManualClock(), is_real=True)
        self.traits = replace(TRAITS, account="A1")


TRAITS = BrokerTraits(name="acme", is_real=True, id_class=IdClass.C1)
ACME = BrokerDescription(
    traits=TRAITS,
    capabilities=frozenset(),
    limits=BrokerLimits(),
    account=AcmeAccount,
    shared=SharedSettings,
    build=lambda setup: ports.ClientBroker(AcmeBroker()),
)
WITH_ACME = registered(*BROKERS.values(), ACME)
SECRETS = {"WEBHOOK_SECRET": "knock-knock-who-is-there", "CONSOLE_TOKEN": "open-sesame-please"}


def test_a_new_broker_needs_its_description_alone():
    environ = {**SECRETS, "BROKER": "Acme", "ACME_LOGIN": "A1", "ACME_API_KEY": "k"}
    client = read_settings(WITH_ACME, environ, dotenv_path=None).default_client
    assert client.account == AcmeAccount.model_validate({"login": "A1", "api_key": "k"})
    assert (str(client.broker_account), client.exits_are_off) == ("A1 at acme", True)
    assert {"acme_login", "acme_api_key"} <= environment_model(WITH_ACME).model_fields.keys()


def test_a_new_broker_is_served_and_asked_for_what_it_can_do(tmp_path, monkeypatch):
    monkeypatch.setattr(container, "BROKERS", WITH_ACME)
    environ = {"ORDERS_DB": str(tmp_path / "o.db"), "BROKER": "acme", "ACME_LOGIN": "A1", "ACME_API_KEY": "k"}
    services = container.build_services(read_settings(WITH_ACME, SECRETS | environ, dotenv_path=None))
    assert services.engine("watcher").clients == ("default",)
    assert services.brokers["default"].port.traits.name == "acme"
    with pytest.raises(NotFound, match="no simulated market"):
        container.OperatorActions(services).set_mark("default", "NFO", "NIFTY", Decimal(1))
    assert trading_bot._order_updates(services, watcher=None) == []


@pytest.mark.parametrize(
    ("given", "problems"),
    [
        (
            {"BROKER": "acme", "ACME_LOGIN": "A1"},
            ("ACME_API_KEY: not set, but the client 'default' trades at acme",),
        ),
        ({"ACME_KEY": "k"}, ("ACME_KEY: unknown, did you mean ACME_API_KEY?",)),
        (
            {"BROKER": "acne"},
            ("BROKER: got 'acne', expected paper, shoonya, flattrade, zebu, zerodha, dhan, alpaca or acme",),
        ),
    ],
)
def test_what_is_wrong_with_its_settings_is_said_as_of_all_others(given, problems):
    with pytest.raises(SettingsError) as caught:
        read_settings(WITH_ACME, SECRETS | given, dotenv_path=None)
    assert caught.value.problems == problems
