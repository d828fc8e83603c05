"""Write all diagrams, or those whose names are given, to docs/diagrams."""

import sys

from diagrams.collection import DIAGRAMS, FOLDER, LANGUAGES, draw


def main(names):
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name in names or DIAGRAMS:
        for language in LANGUAGES:
            path = FOLDER / f"{name}.{language}.svg"
            path.write_text(draw(name, language), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
