-- Sessions that outlive the process. id: 16 bytes, big-endian. Counters are modulo 2^32.
-- resume_seconds: NULL for one that cannot be resumed. recent: 8 bytes a message, big-endian.
CREATE TABLE session (
    id             BLOB PRIMARY KEY,
    jid            TEXT NOT NULL,
    managed        INTEGER NOT NULL DEFAULT 0,
    handled        INTEGER NOT NULL DEFAULT 0,
    acked          INTEGER NOT NULL DEFAULT 0,
    resume_seconds INTEGER,
    ended          INTEGER NOT NULL DEFAULT 0,
    priority       INTEGER,
    presence       TEXT,
    presence_at    INTEGER,
    carbons        INTEGER NOT NULL DEFAULT 0,
    interested     INTEGER NOT NULL DEFAULT 0,
    inactive       INTEGER NOT NULL DEFAULT 0,
    notes          TEXT NOT NULL DEFAULT '',
    recent         BLOB NOT NULL DEFAULT x''
) STRICT, WITHOUT ROWID;

-- What their clients have not acknowledged. session: 16 zero bytes for stanzas without a place.
-- at: microseconds since 1970. copies: the same for all copies of one message; original: that
-- message, where this one only wraps it; arrived: another copy has arrived.
CREATE TABLE session_stanza (
    session  BLOB NOT NULL,
    number   INTEGER NOT NULL,
    at       INTEGER NOT NULL,
    stanza   TEXT NOT NULL,
    copies   INTEGER,
    original TEXT,
    arrived  INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (session, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX session_stanza_by_copies ON session_stanza (copies) WHERE copies IS NOT NULL;
