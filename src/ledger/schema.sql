-- The ledger of a gleaner run, version 1. Times are ISO 8601 in UTC, durations are seconds, digests are SHA-256.

-- What was asked for. A new row whenever the service starts with another config, seed or pool.
CREATE TABLE runs (
    run           INTEGER PRIMARY KEY,
    started       TEXT NOT NULL,
    seed          TEXT NOT NULL,           -- decimal text: an unsigned 64-bit number does not fit INTEGER
    policy        TEXT NOT NULL,
    config_digest TEXT NOT NULL,
    pool_digest   TEXT NOT NULL,
    config_text   TEXT NOT NULL
) STRICT;

-- A row makes the epoch's list true; the rest is filled in when its training is over.
CREATE TABLE epochs (
    epoch         INTEGER PRIMARY KEY CHECK (epoch >= 0),
    run           INTEGER NOT NULL REFERENCES runs (run),
    committed     TEXT NOT NULL,
    status        TEXT NOT NULL DEFAULT 'committed' CHECK (status IN ('committed', 'trained', 'skipped')),
    size          INTEGER NOT NULL,        -- rows of the list, by stratum:
    size_initial  INTEGER NOT NULL,
    size_uniform  INTEGER NOT NULL,
    size_mined    INTEGER NOT NULL,
    size_extra    INTEGER NOT NULL,
    size_full     INTEGER NOT NULL,
    scanned       INTEGER NOT NULL,        -- images looked at to choose this list
    mined         INTEGER NOT NULL,        -- of those, found not confidently right
    clusters      INTEGER NOT NULL,
    skipped       INTEGER NOT NULL,        -- images left out because they could not be read
    scan_forwards INTEGER NOT NULL,
    forward_ratio REAL NOT NULL,           -- the cost of one scoring forward, in training visits
    scan_s        REAL NOT NULL,
    cluster_s     REAL NOT NULL,
    select_s      REAL NOT NULL,
    train_visits  INTEGER NOT NULL DEFAULT 0,
    train_s       REAL,                    -- from start to end of the training step, as the service saw it
    step_s        REAL,                    -- the trainer's own account
    cost          REAL NOT NULL GENERATED ALWAYS AS (train_visits + forward_ratio * scan_forwards) VIRTUAL
) STRICT;

-- The files of an epoch's list.
CREATE TABLE lists (
    epoch  INTEGER NOT NULL REFERENCES epochs (epoch),
    name   TEXT NOT NULL,
    digest TEXT NOT NULL,
    PRIMARY KEY (epoch, name)
) STRICT, WITHOUT ROWID;

-- Which samples.parquet belongs to this ledger: one row.
CREATE TABLE samples_file (
    id      INTEGER PRIMARY KEY CHECK (id = 1),
    written TEXT NOT NULL,
    rows    INTEGER NOT NULL,
    digest  TEXT NOT NULL
) STRICT;

-- Every checkpoint that was met, by content.
CREATE TABLE checkpoints (
    id                  INTEGER PRIMARY KEY,
    epoch               INTEGER NOT NULL CHECK (epoch >= 0),
    path                TEXT NOT NULL,
    digest              TEXT NOT NULL,
    status              TEXT NOT NULL CHECK (status IN ('accepted', 'rejected', 'skipped')),
    reason              TEXT,
    seen_at             TEXT NOT NULL,
    validation_accuracy REAL,
    validation_loss     REAL,
    validation_images   INTEGER,
    validation_s        REAL
) STRICT;
CREATE UNIQUE INDEX checkpoint_content ON checkpoints (epoch, digest);
CREATE UNIQUE INDEX one_accepted_checkpoint ON checkpoints (epoch) WHERE status = 'accepted';
CREATE INDEX checkpoint_digest ON checkpoints (digest);

CREATE TABLE events (
    id   INTEGER PRIMARY KEY,
    time TEXT NOT NULL,
    kind TEXT NOT NULL,
    text TEXT NOT NULL
) STRICT;

-- How the run ended: one row, or none while it goes on.
CREATE TABLE outcome (
    id            INTEGER PRIMARY KEY CHECK (id = 1),
    stopped       TEXT NOT NULL,
    reason        TEXT NOT NULL,
    best_epoch    INTEGER,
    best_accuracy REAL,
    test_accuracy REAL
) STRICT;

-- For people: one line an epoch.
CREATE VIEW progress AS
SELECT epochs.epoch, epochs.status, epochs.size, epochs.mined, epochs.scanned, checkpoints.validation_accuracy,
       checkpoints.validation_loss, epochs.cost, sum(epochs.cost) OVER (ORDER BY epochs.epoch) AS cost_so_far
FROM epochs LEFT JOIN checkpoints ON checkpoints.epoch = epochs.epoch AND checkpoints.status = 'accepted'
ORDER BY epochs.epoch;
