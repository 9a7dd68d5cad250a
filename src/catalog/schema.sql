-- The catalog: what the depositor remembers between runs. A restore never needs it.
-- Times are RFC 3339 in UTC with nine digits of a second, so that they sort as text and lose nothing.
PRAGMA user_version = 1;

-- How this file came to be.
CREATE TABLE origin (
    only_row     INTEGER PRIMARY KEY CHECK (only_row = 1),
    begun_at     TEXT NOT NULL,
    -- Why there was none that could go on; NULL for a first.
    because      TEXT
) STRICT;

-- Since when each source is expected to have backups.
CREATE TABLE sources (
    source        TEXT PRIMARY KEY,
    first_seen_at TEXT NOT NULL
) STRICT;

-- One chain of manifests for each source in each place: a vault's name, and its address at the time.
CREATE TABLE chains (
    chain          INTEGER PRIMARY KEY,
    vault          TEXT NOT NULL,
    source         TEXT NOT NULL,
    place          TEXT NOT NULL,
    -- Of the last manifest that was begun to be sealed.
    sequence       INTEGER NOT NULL DEFAULT 0,
    last_backup    TEXT,
    last_manifest  TEXT,
    last_sealed_at TEXT,
    -- JSON: backups begun to be sealed after the last one, of which nobody knows.
    unsure         TEXT NOT NULL DEFAULT '[]',
    -- Why it began although there was one before, until a sealed manifest says so.
    restarted      TEXT,
    UNIQUE (vault, source, place)
) STRICT;

CREATE TABLE backups (
    chain        INTEGER NOT NULL REFERENCES chains ON DELETE CASCADE,
    backup       TEXT NOT NULL,
    sequence     INTEGER NOT NULL,
    manifest     TEXT NOT NULL,
    snapshot_at  TEXT NOT NULL,
    sealed_at    TEXT NOT NULL,
    lock         TEXT NOT NULL,
    locked_until TEXT,
    packed_bytes INTEGER NOT NULL,
    -- JSON: why it looks wiped; [] where it does not.
    suspicions   TEXT NOT NULL,
    PRIMARY KEY (chain, backup)
) STRICT, WITHOUT ROWID;

-- What a place holds, so that it need not be sent again.
CREATE TABLE segments (
    chain        INTEGER NOT NULL REFERENCES chains ON DELETE CASCADE,
    segment      TEXT NOT NULL,
    version      TEXT NOT NULL,
    size         INTEGER NOT NULL,
    blake3       TEXT NOT NULL,
    md5          TEXT NOT NULL,
    lock         TEXT NOT NULL,
    locked_until TEXT,
    PRIMARY KEY (chain, segment)
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    run          INTEGER PRIMARY KEY AUTOINCREMENT,
    source       TEXT NOT NULL,
    backup       TEXT,
    cause        TEXT NOT NULL,
    slot         TEXT,
    attempt      INTEGER,
    pid          INTEGER NOT NULL,
    started_at   TEXT NOT NULL,
    phase        TEXT NOT NULL,
    phase_at     TEXT NOT NULL,
    ended_at     TEXT,
    outcome      TEXT,
    why          TEXT,
    read_bytes   INTEGER NOT NULL DEFAULT 0,
    packed_bytes INTEGER NOT NULL DEFAULT 0,
    sent_bytes   INTEGER NOT NULL DEFAULT 0,
    reused_bytes INTEGER NOT NULL DEFAULT 0,
    row_count    INTEGER NOT NULL DEFAULT 0,
    tables       INTEGER NOT NULL DEFAULT 0,
    segments     INTEGER NOT NULL DEFAULT 0,
    CHECK ((ended_at IS NULL) = (outcome IS NULL))
) STRICT;
CREATE INDEX runs_of_a_source ON runs (source, run);
CREATE INDEX runs_unfinished ON runs (source) WHERE ended_at IS NULL;

-- Each vault's share of a run.
CREATE TABLE shares (
    run          INTEGER NOT NULL REFERENCES runs ON DELETE CASCADE,
    vault        TEXT NOT NULL,
    outcome      TEXT NOT NULL CHECK (outcome IN ('sealed', 'not-due', 'failed')),
    why          TEXT,
    sent_bytes   INTEGER NOT NULL,
    reused_bytes INTEGER NOT NULL,
    sequence     INTEGER,
    locked_until TEXT,
    PRIMARY KEY (run, vault)
) STRICT, WITHOUT ROWID;

-- How many runs ended how: counters that only grow, while the runs themselves are forgotten in time.
CREATE TABLE totals (
    source  TEXT NOT NULL,
    outcome TEXT NOT NULL,
    runs    INTEGER NOT NULL,
    PRIMARY KEY (source, outcome)
) STRICT, WITHOUT ROWID;

-- Slots at which no run began.
CREATE TABLE absences (
    source     TEXT NOT NULL,
    first_slot TEXT NOT NULL,
    last_slot  TEXT NOT NULL,
    slots      INTEGER NOT NULL,
    why        TEXT NOT NULL,
    noted_at   TEXT NOT NULL,
    PRIMARY KEY (source, first_slot)
) STRICT, WITHOUT ROWID;

-- The shape of the last good backup, and of a newer suspect one until somebody accepts it.
CREATE TABLE portraits (
    source   TEXT NOT NULL,
    standing TEXT NOT NULL CHECK (standing IN ('good', 'pending')),
    backup   TEXT NOT NULL,
    portrait TEXT NOT NULL,
    PRIMARY KEY (source, standing)
) STRICT, WITHOUT ROWID;
