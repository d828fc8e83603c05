"""Write the attention weights of the alignment diagram, from lesson 05.

    python -m docs.alignment_weights

Runs the lesson, some minutes, and writes diagrams/alignment.json.
"""

import json
import runpy

import numpy as np

from diagrams.alignment import FILE

ROWS = 20, 25  # of the lesson's held-out dates


def measured():
    """Run the lesson; return what alignment.json holds."""
    lesson = runpy.run_path("tutorials/05_attention.py")
    found, dates = lesson["found"], []
    for row in ROWS:
        source, target = (
            lesson[name].tokens(
                ids[row : row + 1, : np.count_nonzero(ids[row])]
            )
            for name, ids in (
                ("read", lesson["source_test"]),
                ("write", found.ids),
            )
        )
        (source,), (target,) = source, target
        weights = found.attention[row, : len(target), : len(source)]
        dates.append(
            {
                "source": source,
                "target": target,
                "weights": weights.astype("float64").round(3).tolist(),
            }
        )
    return {
        "lesson": "05_attention",
        "model": "BahdanauSeq2Seq",
        "seed": lesson["SEED"],
        "epochs": lesson["EPOCHS"],
        "dates": dates,
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(measured(), ensure_ascii=False), "utf-8")
