-- Where the groups of the newest list that has any were centred: the next epoch's groups go on from there. One row.
CREATE TABLE centroids (
    epoch    INTEGER PRIMARY KEY REFERENCES epochs (epoch),
    distance TEXT NOT NULL,                -- the word of the config
    dims     INTEGER NOT NULL CHECK (dims > 0),
    content  BLOB NOT NULL CHECK (length(content) % (4 * dims) = 0)  -- rows of 32-bit floats, little end first
) STRICT;
