-- Why the last start could not go on; the next start takes it back.
CREATE TABLE failure (
    id     INTEGER PRIMARY KEY CHECK (id = 1),
    time   TEXT NOT NULL,
    reason TEXT NOT NULL
) STRICT;
