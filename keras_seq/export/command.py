"""Command line: python -m keras_seq.export show | run."""

import argparse
import json
import os
import sys

from keras_seq.export.reading import check_path, run, show

HIDDEN = ("attention", "source_tokens", "target_tokens")


def main(argv=None):
    """Run `show` or `run` from the command line."""
    options = _command_line().parse_args(argv)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # "?", not a crash
    try:
        check_path(options.path)  # before a line is typed
        if options.command == "show":
            lines = show(options.path)
        else:
            texts = options.text and [os.fsencode(t) for t in options.text]
            texts = texts or sys.stdin.buffer.read().splitlines()
            lines = map(_line, run(options.path, texts))
    except ValueError as error:
        raise SystemExit(f"keras_seq.export: {error}") from error
    for line in lines:
        sys.stdout.write(f"{line}\n")


def _line(answer):
    shown = {k: v for k, v in answer.items() if k not in HIDDEN}
    return json.dumps(shown, ensure_ascii=False)


def _command_line():
    parser = argparse.ArgumentParser(
        "python -m keras_seq.export", description="Show or run a SavedModel."
    )
    commands = parser.add_subparsers(dest="command", required=True)
    shower = commands.add_parser("show", help="list its inputs and outputs")
    runner = commands.add_parser(
        "run", help="process texts; print a JSON object for each"
    )
    for command in (shower, runner):
        command.add_argument("path", help="the folder of the SavedModel")
    runner.add_argument(
        "--text",
        action="append",
        help="a text; may be repeated. Default: the lines of stdin",
    )
    return parser
