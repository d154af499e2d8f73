"""Uses an installed emm1 from Python, from the command line and from DuckDB alone: ``python try_wheel.py FOLDER``.

FOLDER has the packages in ``packages``. What is printed is the same on every machine.
"""

import sys
from pathlib import Path

ITEM = 7
folder = Path(sys.argv[1])
sys.path.insert(0, str(folder / "packages"))

import duckdb  # noqa: E402
import numpy as np  # noqa: E402

import emm1  # noqa: E402
from emm1.__main__ import main  # noqa: E402

emm1.write_sample(folder / "sample", scale=0.001, embeddings=96, seed=1)
vectors = folder / "sample" / "embeddings" / "text.npy"
with emm1.build(folder / "sample", folder / "emm1.duckdb") as store:
    store.add_embeddings("text", vectors, dataset="100m", modality="text")
    rows = store.sql("SELECT count(*), sum(encord_text_id) FROM groups").fetchall()
    by_name = store.sql("SELECT id, score FROM nearest('text', embedding('text', ?), k := 5)", params=[ITEM]).fetchall()

query = np.load(vectors)[np.load(vectors.with_name("text.ids.npy")) == ITEM][0]
found = emm1.Embeddings(vectors).search(query, k=5)
assert [*zip(found.ids.tolist(), found.scores.tolist(), strict=True)] == by_name, (found, by_name)

alone = duckdb.connect(config={"allow_unsigned_extensions": "true"})
alone.load_extension(str(Path(emm1.__file__).with_name("emm1.duckdb_extension")))
by_file = alone.execute(
    "SELECT unnest(emm1_topk(?, emm1_vector(?, ?), 5, 'cosine'), recursive := true)", [str(vectors), str(vectors), ITEM]
).fetchall()
assert [row[1:] for row in by_file] == by_name, (by_file, by_name)

print(rows, by_name, sep="\n", flush=True)
sys.argv = ["emm1", "search", str(folder / "emm1.duckdb"), "text", "--id", str(ITEM), "-k", "5", "--format", "csv"]
main()
