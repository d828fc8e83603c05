"""What a benchmark writes down: medians, the machine, the versions, the date.

How functions are timed against each other is `keras_seq.training.interleave`.
"""

import datetime
import importlib.metadata
import importlib.util
import json
import os
import pathlib
import platform
import statistics


def summary(seconds):
    """Give the median, the quickest tenth and the slowest tenth, in seconds."""
    ordered = sorted(seconds)
    tenth = len(ordered) // 10
    return {
        "median": statistics.median(ordered),
        "p10": ordered[tenth],
        "p90": ordered[-1 - tenth],
        "rounds": len(ordered),
    }


def machine():
    """Name the processor, its usable cores, the system and Python."""
    return {
        "cpu": _processor(),
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def _processor():
    """Read the processor's model, which `platform` knows on macOS alone."""
    cpuinfo = pathlib.Path("/proc/cpuinfo")
    if cpuinfo.exists():
        for line in cpuinfo.read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def cores():
    """Count the cores this process may use, not those that the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count()


def installed(names):
    """Give those of the peers that can be imported; say which cannot."""
    there = [n for n in names if importlib.util.find_spec(n)]
    absent = [n for n in names if n not in there]
    if absent:
        print(f"Left out, for it is not installed: {', '.join(absent)}")
    return there


def versions(*packages):
    """Give the installed version of each package, as a dict."""
    return {name: importlib.metadata.version(name) for name in packages}


def write(path, **content):
    """Write content, with the date and the machine, as a JSON file.

    Args:
        path: where to; its folder is made.
        content: anything JSON knows.
    """
    path = pathlib.Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    today = datetime.date.today().isoformat()
    content = {"date": today, "machine": machine(), **content}
    path.write_text(
        json.dumps(content, indent=1, ensure_ascii=False) + "\n", "utf-8"
    )


def table(rows):
    """Lay out dicts with the same keys as lines of text under their keys."""
    cells = [list(rows[0]), *[[str(v) for v in row.values()] for row in rows]]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = [
        "  ".join(cell.rjust(width) for cell, width in zip(line, widths))
        for line in cells
    ]
    return "\n".join([lines[0], "-" * len(lines[0]), *lines[1:]])
