"""The interfaces that the services need from outside, by role. Adapters implement them; tests pass their own."""

from domain.ports.accounts import AccountReads, AccountWrites, ClientReads
from domain.ports.broker import (
    BatchPlacer,
    Broker,
    ClientBroker,
    EquityReader,
    MarkReader,
    MarkSetter,
    OrderLookUp,
    OrderModifier,
    OrderStream,
    QuoteReader,
    StreamSource,
)
from domain.ports.clock import Clock, Ids, Steadiness
from domain.ports.conversation import Button, Channel, ChannelFailed, ConversationStore, Received
from domain.ports.groups import GroupReads, GroupWrites
from domain.ports.heartbeats import CANNOT_BE_READ_AFTER, WAITING, Heartbeat, HeartbeatStore
from domain.ports.matching import ExternalOrders, MatchingReads
from domain.ports.messages import OutboxMessage, OutboxStore, Sender, SendFailed
from domain.ports.notices import NoticeReads, NoticeWrites
from domain.ports.operator_records import OperatorRecords
from domain.ports.orders import AlertWrites, ClaimReads, EntryReads, OrderReads, OrderWrites, Registration
from domain.ports.positions import HoldingReads, HoldingWrites, PositionStore
from domain.ports.protections import ProtectionReads, ProtectionWrites
from domain.ports.read_model import ReadModel, Row, Wanted
from domain.ports.risk import NewFills, RiskReads, RiskState, RiskWrites
from domain.ports.rules import ExposureQuery, FactsQuestion, Halt, RuleFacts, StopWrites
from domain.ports.store import Claimants, Journal, ProcessStore, Store, Writes
from domain.ports.transaction import Transaction

__all__ = [
    "CANNOT_BE_READ_AFTER",
    "WAITING",
    "AccountReads",
    "AccountWrites",
    "AlertWrites",
    "BatchPlacer",
    "Broker",
    "Button",
    "Channel",
    "ChannelFailed",
    "ClaimReads",
    "Claimants",
    "ClientBroker",
    "ClientReads",
    "Clock",
    "ConversationStore",
    "EntryReads",
    "EquityReader",
    "ExposureQuery",
    "ExternalOrders",
    "FactsQuestion",
    "GroupReads",
    "GroupWrites",
    "Halt",
    "Heartbeat",
    "HeartbeatStore",
    "HoldingReads",
    "HoldingWrites",
    "Ids",
    "Journal",
    "MarkReader",
    "MarkSetter",
    "MatchingReads",
    "NewFills",
    "NoticeReads",
    "NoticeWrites",
    "OperatorRecords",
    "OrderLookUp",
    "OrderModifier",
    "OrderReads",
    "OrderStream",
    "OrderWrites",
    "OutboxMessage",
    "OutboxStore",
    "PositionStore",
    "ProcessStore",
    "ProtectionReads",
    "ProtectionWrites",
    "QuoteReader",
    "ReadModel",
    "Received",
    "Registration",
    "RiskReads",
    "RiskState",
    "RiskWrites",
    "Row",
    "RuleFacts",
    "SendFailed",
    "Sender",
    "Steadiness",
    "StopWrites",
    "Store",
    "StreamSource",
    "Transaction",
    "Wanted",
    "Writes",
]
