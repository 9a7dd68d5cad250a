-- Version 2: what a watcher remembers between its looks. A depositor's catalog has these tables too, empty.
PRAGMA user_version = 2;

-- Each sealed backup that was seen, by the vault's address at the time.
CREATE TABLE sightings (
    source       TEXT NOT NULL,
    place        TEXT NOT NULL,
    backup       TEXT NOT NULL,
    vault        TEXT NOT NULL,
    manifest     TEXT NOT NULL,
    sequence     INTEGER NOT NULL,
    snapshot_at  TEXT NOT NULL,
    -- The server's clock when the seal was put.
    sealed_at    TEXT NOT NULL,
    took_ms      INTEGER NOT NULL,
    packed_bytes INTEGER NOT NULL,
    lock         TEXT NOT NULL,
    locked_until TEXT,
    -- JSON: why it looks wiped; [] where it does not.
    suspicions   TEXT NOT NULL,
    -- What the last look that could tell made of it.
    standing     TEXT NOT NULL CHECK (standing IN ('unverified', 'listed', 'confirmed', 'failed', 'lapsed')),
    first_seen   TEXT NOT NULL,
    confirmed_at TEXT,
    proven_at    TEXT,
    gone_at      TEXT,
    PRIMARY KEY (source, place, backup)
) STRICT, WITHOUT ROWID;
CREATE INDEX sightings_by_time ON sightings (source, place, sealed_at);

-- What the last look at a source in a vault came to.
CREATE TABLE rounds (
    source           TEXT NOT NULL,
    place            TEXT NOT NULL,
    vault            TEXT NOT NULL,
    -- When the last one ended that could look at everything it was asked to.
    confirmed_at     TEXT,
    -- When the last one ended that read the locks of every backup.
    all_confirmed_at TEXT,
    -- Since when looks have not been complete, and why; both NULL where the last one was.
    unverified_since TEXT,
    unverified_why   TEXT,
    -- JSON: of each finding its kind, its object, and what was found.
    findings         TEXT NOT NULL,
    clock_skew_secs  INTEGER,
    PRIMARY KEY (source, place),
    CHECK ((unverified_since IS NULL) = (unverified_why IS NULL))
) STRICT, WITHOUT ROWID;

CREATE TABLE drills (
    source   TEXT NOT NULL,
    drill    TEXT NOT NULL,
    ended_at TEXT NOT NULL,
    outcome  TEXT NOT NULL,
    -- BLAKE3 of the manifest that was restored; NULL where none was found.
    manifest TEXT,
    -- The report as JSON.
    report   TEXT NOT NULL,
    PRIMARY KEY (source, drill)
) STRICT, WITHOUT ROWID;
CREATE INDEX drills_by_time ON drills (source, ended_at);
