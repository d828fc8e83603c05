"""Write the results of a run as JSON, and print them as a table."""

import json
import math
import numbers
import platform
import sys
from pathlib import Path

import keras

from keras_seq.training.resume import replace_file


def write_results(path, results):
    """Write results as UTF-8 JSON, with six significant digits per float.

    The file is replaced in one step: a failed write leaves the old file.

    Args:
        path: Path or str of the file.
        results: dict of str, bool, None, finite numbers, and dicts of these.
    Raises:
        ValueError: if a value has another type, or is NaN or infinite.
    Example:
        >>> import pathlib, tempfile
        >>> path = pathlib.Path(tempfile.mkdtemp(), "results.json")
        >>> write_results(path, {"loss": 1 / 3})
        >>> print(path.read_text().strip())
        {
          "loss": 0.333333
        }
    """
    clean = {key: rounded(key, value) for key, value in results.items()}
    text = json.dumps(clean, ensure_ascii=False, indent=2) + "\n"
    replace_file(Path(path), lambda file: file.write_text(text, "utf-8"))


def rounded(name, value):
    """Return a value of the results as JSON should show it."""
    if isinstance(value, dict):
        return {k: rounded(f"{name}[{k!r}]", v) for k, v in value.items()}
    if value is None or isinstance(value, (str, bool)):
        return value
    if isinstance(value, numbers.Integral):
        return int(value)
    if hasattr(value, "dtype") and not getattr(value, "shape", None):
        value = float(value)  # a bfloat16 scalar is not a numbers.Real
    if isinstance(value, numbers.Real) and math.isfinite(value):
        return float(f"{value:.6g}")
    raise ValueError(
        f"`{name}` must be a finite number. Received {name}={value!r}."
    )


def table(*columns):
    """Format dicts of metrics, baselines and expectations as aligned text."""
    rows = [("metric", "value", "baseline", "expected")]
    for name in dict.fromkeys(name for column in columns for name in column):
        rows.append((name, *(shown(column.get(name)) for column in columns)))
    w = [max(len(row[i]) for row in rows) for i in range(4)]
    line = f"{{:<{w[0]}}}  {{:>{w[1]}}}  {{:>{w[2]}}}  {{:>{w[3]}}}"
    return "\n".join(line.format(*row).rstrip() for row in rows)


def shown(value):
    """Return a cell of the table: five digits of a float, "" for None."""
    exact = isinstance(value, (str, numbers.Integral))
    return "" if value is None else str(value) if exact else f"{value:.5g}"


def versions():
    """Return dict of str: the versions of Python, Keras and the backend."""
    return {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "backend": sys.modules[keras.backend.backend()].__version__,
    }
