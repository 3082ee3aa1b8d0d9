-- Images whose label is probably wrong when the epoch's list was made, and how many of them were kept off it.
ALTER TABLE epochs ADD COLUMN suspects INTEGER NOT NULL DEFAULT 0;
ALTER TABLE epochs ADD COLUMN kept_out INTEGER NOT NULL DEFAULT 0;

-- What a person has said of images, as the newest list honours it.
CREATE TABLE reviews (
    sample    INTEGER PRIMARY KEY,         -- the image's number in the pool
    verdict   TEXT NOT NULL CHECK (verdict IN ('keep', 'drop', 'relabel')),
    new_label INTEGER CHECK ((new_label IS NOT NULL) = (verdict = 'relabel'))
) STRICT;
