-- Images that are nearly the same as another one, which stands for them.
CREATE TABLE duplicates (
    sample   INTEGER PRIMARY KEY,          -- the image's number in the pool
    kept     INTEGER NOT NULL,             -- that of the other
    distance REAL NOT NULL,                -- to the model, as a share of the radius of the clusters
    epoch    INTEGER NOT NULL              -- whose model found it
) STRICT;
