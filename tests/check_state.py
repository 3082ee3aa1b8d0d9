"""Reads what the test `write_files_for_inspection` wrote, with pyarrow and sqlite3: check_state.py FOLDER.

The expected values are written out by hand beside the ones in samples.rs. With a state folder as second argument, the
ledger in it is opened with Python's sqlite3, too.
"""

import math
import sqlite3
import sys

import pyarrow as pa
import pyarrow.parquet as pq

folder = sys.argv[1]

samples = pq.read_table(f"{folder}/samples.parquet")
print(samples.schema)
assert samples.schema.field("path").type == pa.string(), "paths are text"
assert samples.schema.field("label").type == pa.uint32()
assert samples.schema.field("visits").type == pa.uint32()
assert samples.schema.field("last_trained").type == pa.int32()
assert samples.schema.field("margin").type == pa.float32()
assert samples.num_rows == 150_000
rows = samples.slice(0, 4).to_pylist()
nothing = dict.fromkeys(("predicted", "p_label", "confidence", "margin", "loss", "cluster", "last_trained", "last_scored"))
assert rows[0] == {**nothing, "path": "/pool/0.png", "label": 0, "visits": 2, "last_trained": 6}, rows[0]
loss = rows[1].pop("loss")
assert math.isclose(loss, math.log(4), rel_tol=1e-6), loss
assert rows[1] == {"path": "/pool/1.png", "label": 1, "visits": 0, "last_trained": None, "last_scored": 5, "predicted": 3,
                   "p_label": 0.25, "confidence": 0.5, "margin": -0.25, "cluster": None}, rows[1]
assert (rows[2]["predicted"], rows[2]["cluster"], rows[2]["loss"], rows[2]["last_scored"]) == (2**32 - 2, 63, math.inf, 0)
assert rows[3] == {**nothing, "path": "/pool/3.png", "label": 3, "visits": 0}, rows[3]
assert samples["path"].to_pylist() == [f"/pool/{i}.png" for i in range(150_000)]
assert samples["label"].to_pylist() == [i % 10 for i in range(150_000)]

raw = pq.read_table(f"{folder}/bytes.parquet")
assert raw.schema.field("path").type == pa.binary() and raw["path"].to_pylist() == [b"/\xe9"] * 3

scores = pq.read_table(f"{folder}/scores.parquet")
print(scores.schema)
assert scores.column_names == ["path", "label", "predicted", "confidence", "margin", "loss", "p_label", "embedding"]
assert scores.schema.field("embedding").type == pa.list_(pa.field("element", pa.float32(), nullable=False))
assert scores.num_rows == 200_000
assert scores["path"].to_pylist() == [f"/pool/{i}.png" for i in range(200_000)]
assert scores["label"].to_pylist() == [i % 10 for i in range(200_000)]
assert scores["margin"].to_pylist() == [-0.25 if i % 7 else None for i in range(200_000)]
assert scores["predicted"].to_pylist() == [3 if i % 7 else None for i in range(200_000)]
assert scores["embedding"].to_pylist() == [
    [i % 1000, i % 1000 + 0.5, -(i % 1000)] if i % 7 else None for i in range(200_000)
]

if len(sys.argv) > 2:
    ledger = sqlite3.connect(f"file:{sys.argv[2]}/ledger.sqlite?mode=ro", uri=True)
    assert ledger.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    for table in ("runs", "epochs", "lists", "checkpoints", "events", "outcome", "samples_file", "progress"):
        print(table, ledger.execute(f"SELECT * FROM {table} LIMIT 2").fetchall())
print("all well")
