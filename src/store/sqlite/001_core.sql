-- Values of the server itself, such as its secret.
CREATE TABLE server (
    name  TEXT PRIMARY KEY,
    value BLOB NOT NULL
) STRICT, WITHOUT ROWID;

-- roster_epoch tells an account from an earlier one of the same name.
CREATE TABLE account (
    id             INTEGER PRIMARY KEY AUTOINCREMENT,
    jid            TEXT NOT NULL UNIQUE,
    roster_epoch   INTEGER NOT NULL DEFAULT (abs(random() / 2)),
    roster_version INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE scram_key (
    account    INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    hash       TEXT NOT NULL,
    iterations INTEGER NOT NULL,
    salt       BLOB NOT NULL,
    stored_key BLOB NOT NULL,
    server_key BLOB NOT NULL,
    PRIMARY KEY (account, hash)
) STRICT, WITHOUT ROWID;

-- groups is a JSON array of texts.
CREATE TABLE contact (
    account      INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    jid          TEXT NOT NULL,
    name         TEXT,
    groups       TEXT NOT NULL,
    subscription TEXT NOT NULL,
    ask          INTEGER NOT NULL,
    approved     INTEGER NOT NULL,
    PRIMARY KEY (account, jid)
) STRICT, WITHOUT ROWID;

CREATE INDEX contact_by_jid ON contact (jid);

-- Presences of type subscribe that their addressee has not answered.
CREATE TABLE pending_request (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    sender  TEXT NOT NULL,
    stanza  TEXT NOT NULL,
    UNIQUE (account, sender)
) STRICT;

CREATE INDEX pending_request_by_sender ON pending_request (sender);

-- at: microseconds since 1970. digest: tells apart what was sent in the same microsecond.
CREATE TABLE offline_message (
    id      INTEGER PRIMARY KEY AUTOINCREMENT,
    account INTEGER NOT NULL REFERENCES account (id) ON DELETE CASCADE,
    at      INTEGER NOT NULL,
    digest  BLOB NOT NULL,
    stanza  TEXT NOT NULL,
    UNIQUE (account, at, digest)
) STRICT;
