-- The journal's tables, version 1. README.md beside this file tells what they promise.
-- Times are milliseconds since 1970 in UTC. A pipeline is "namespace/name".

CREATE TABLE event (
    sequence    INTEGER PRIMARY KEY,
    pipeline    TEXT NOT NULL,
    environment TEXT NOT NULL,
    digest      TEXT NOT NULL,
    peer        TEXT NOT NULL,
    body        BLOB NOT NULL,
    received    INTEGER NOT NULL,
    verdict     TEXT NOT NULL,
    reasons     TEXT NOT NULL,
    promotions  TEXT NOT NULL     -- ids, one blank between
) STRICT;
-- Serves "the newest of this pipeline" and "is this digest known" with one tree to keep.
CREATE INDEX event_by_pipeline ON event (pipeline, sequence);

CREATE TABLE evidence (
    pipeline          TEXT NOT NULL,
    environment       TEXT NOT NULL,
    target            TEXT NOT NULL,
    revision          TEXT NOT NULL,
    previous_revision TEXT NOT NULL,
    event_time        INTEGER NOT NULL,
    seen              INTEGER NOT NULL,
    digest            TEXT NOT NULL,
    PRIMARY KEY (pipeline, environment, target)
) STRICT, WITHOUT ROWID;

CREATE TABLE promotion (
    sequence          INTEGER PRIMARY KEY,
    id                TEXT NOT NULL UNIQUE,
    pipeline          TEXT NOT NULL,
    environment       TEXT NOT NULL,
    target            TEXT NOT NULL,
    revision          TEXT NOT NULL,
    previous_revision TEXT NOT NULL,
    ordinal           INTEGER NOT NULL,
    phase             TEXT NOT NULL,
    reason            TEXT NOT NULL,
    strategy          TEXT NOT NULL,
    actor             TEXT NOT NULL,
    event             BLOB NOT NULL,
    attempt           INTEGER NOT NULL,
    created           INTEGER NOT NULL,
    updated           INTEGER NOT NULL,
    not_before        INTEGER NOT NULL,
    summary           TEXT NOT NULL,
    location          TEXT NOT NULL,
    external_id       TEXT NOT NULL,
    details           TEXT NOT NULL
) STRICT;
CREATE INDEX promotion_by_scope ON promotion (pipeline, environment, target, sequence);

CREATE TABLE transition (
    sequence   INTEGER PRIMARY KEY,
    promotion  INTEGER NOT NULL,  -- promotion.sequence
    from_phase TEXT,              -- null for the first
    to_phase   TEXT NOT NULL,
    at         INTEGER NOT NULL,
    reason     TEXT NOT NULL,
    actor      TEXT NOT NULL,
    attempt    INTEGER NOT NULL
) STRICT;
CREATE INDEX transition_by_promotion ON transition (promotion, sequence);

-- Written when the daemon asks whether the disk takes writes again.
CREATE TABLE probe (one INTEGER PRIMARY KEY CHECK (one = 1), tries INTEGER NOT NULL) STRICT;
INSERT INTO probe VALUES (1, 0);
