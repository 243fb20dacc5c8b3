"""The tables of the conversation with operators: how far a bot was listened to, the acts, and muted chats."""

CONVERSATION = """
CREATE TABLE telegram_bots (
    bot TEXT PRIMARY KEY,
    next_update INTEGER NOT NULL,
    received_at TEXT,
    ignored INTEGER NOT NULL,
    ignored_at TEXT
) STRICT;
CREATE TABLE telegram_acts (
    act_id TEXT PRIMARY KEY,
    bot TEXT NOT NULL,
    chat_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    arguments_json TEXT NOT NULL,
    asked_at TEXT NOT NULL,
    state TEXT NOT NULL
        CHECK (state IN ('ASKED', 'TAKEN', 'DONE', 'FAILED', 'UNKNOWN', 'DECLINED', 'EXPIRED')),
    pressed_at TEXT,
    ended_at TEXT,
    outcome TEXT NOT NULL,
    told_at TEXT
) STRICT;
CREATE INDEX telegram_acts_unfinished ON telegram_acts (bot, asked_at)
    WHERE state IN ('TAKEN', 'DONE', 'FAILED', 'UNKNOWN') AND told_at IS NULL;
CREATE TABLE telegram_mutes (
    chat_id TEXT PRIMARY KEY,
    until TEXT NOT NULL,
    muted_by TEXT NOT NULL,
    muted_at TEXT NOT NULL
) STRICT;
"""
