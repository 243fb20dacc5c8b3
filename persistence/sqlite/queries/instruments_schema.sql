CREATE TABLE instruments (
    exchange TEXT NOT NULL,
    symbol TEXT NOT NULL,
    token TEXT NOT NULL,
    kind TEXT NOT NULL,
    underlying TEXT NOT NULL,
    expiry TEXT,
    strike TEXT,
    lot TEXT,
    tick TEXT,
    freeze TEXT,
    multiplier TEXT,
    series TEXT NOT NULL,
    key TEXT NOT NULL,
    called TEXT NOT NULL,
    number INTEGER NOT NULL,
    PRIMARY KEY (key, number)
) STRICT, WITHOUT ROWID;
CREATE TABLE expiries (
    root TEXT NOT NULL,
    is_option INTEGER NOT NULL,
    expiry TEXT NOT NULL,
    exchange TEXT NOT NULL
) STRICT;
CREATE TABLE master (
    broker TEXT NOT NULL,
    day TEXT NOT NULL,
    loaded_at TEXT NOT NULL,
    counts_json TEXT NOT NULL,
    unreadable INTEGER NOT NULL,
    examples_json TEXT NOT NULL,
    source TEXT NOT NULL
) STRICT;
