"""A lesson: show its figures, grade its exercises, list what it produced.

    lesson = Lesson("01_rnn", following="02_gates")
    lesson.show(figure, "loss", "Loss by epoch: the LSTM ends below the RNN.")
    with lesson.exercise(1):
        assert answer == 42, "multiply the two numbers"
    lesson.compare("nats per character", 1.66, "trigram", 1.91)
    lesson.finish()

In a notebook a figure is displayed below its cell, and nothing is written. A
script writes each figure to runs/NAME/ and, at the end, the report
runs/NAME/index.html, a page without scripts that needs no network. In both,
the caption is also the alternative text of the picture, which screen readers
read. The command line is ignored.
"""

import contextlib
import html
import io
import sys
from pathlib import Path

PAGE = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{name}</title>
<style>
:root {{ color-scheme: light dark }}
body {{ max-width: 46rem; margin: 2rem auto; padding: 0 1rem; line-height: 1.5;
  font-family: system-ui, "Apple SD Gothic Neo", "Malgun Gothic",
    "Noto Sans KR", "Noto Sans CJK KR", NanumGothic, sans-serif }}
figure {{ margin: 2rem 0 }}
img {{ max-width: 100%; background: white; padding: 4px }}
table {{ border-collapse: collapse }}
th, td {{ text-align: left; padding: 0.3rem 1rem 0.3rem 0;
  border-bottom: 1px solid GrayText; vertical-align: top }}
</style>
</head>
<body>
<main>
<h1>{name}</h1>
<table>
{rows}
</table>
{figures}
</main>
</body>
</html>
"""
HEADER = ("metric", "value", "baseline", "baseline value")


class Lesson:
    """Show figures with captions, grade exercises, report numbers.

    Args:
        name: str, the lesson, for example "01_rnn".
        following: optional str, the next lesson. Default None.
        folder: optional str or Path of the output of a script. Default
            runs/NAME.
    Attributes:
        captions: dict of str, name of a figure -> its caption.
        numbers: list of tuple, the arguments of each call of `compare`.
        solved: dict of bool, number of an exercise -> whether it is solved.
    Example:
        >>> lesson = Lesson("demo")
        >>> lesson.compare("accuracy", 0.75, "most frequent class", 0.5)
        >>> lesson.numbers
        [('accuracy', 0.75, 'most frequent class', 0.5)]
    """

    def __init__(self, name, following=None, folder=None):
        self.name, self.following = name, following
        self.folder = Path("runs", name) if folder is None else Path(folder)
        self.captions, self.numbers, self.solved = {}, [], {}

    def show(self, figure, name, caption):
        """Show a figure: below the cell of a notebook, or in a file.

        Args:
            figure: matplotlib Figure.
            name: str, the file is NAME.png.
            caption: str, what the figure shows, in one or two sentences.
        Raises:
            ValueError: if the caption is empty.
        """
        if not caption.strip():
            raise ValueError(f"`caption` must not be empty. Figure: {name}.")
        self.captions[name] = caption
        png = io.BytesIO()
        figure.savefig(png, dpi=120, bbox_inches="tight", facecolor="white")
        if in_notebook():
            from IPython.display import Image, Markdown, display

            display(Image(png.getvalue(), format="png", alt=caption))
            display(Markdown(f"*{caption}*"))
        else:
            self.folder.mkdir(parents=True, exist_ok=True)
            (self.folder / f"{name}.png").write_bytes(png.getvalue())
            print(f"\n[{name}.png] {caption}\n")

    @contextlib.contextmanager
    def exercise(self, number):
        """Grade an exercise by the assertions in the `with` block.

        An exception of the block is printed, not raised, so that a lesson
        with unsolved exercises runs to its end.
        """
        self.solved[number] = False
        try:
            yield
        except NotImplementedError:
            print(f"Exercise {number}: not solved yet.")
        except AssertionError as error:
            print(f"Exercise {number}: not correct yet: {error}.")
        except Exception as error:
            kind = type(error).__name__
            print(f"Exercise {number}: stopped by {kind}: {error}")
        else:
            self.solved[number] = True
            print(f"Exercise {number}: solved.")

    def compare(self, what, value, baseline, baseline_value):
        """Record a held-out number and the one of a plain baseline."""
        row = what, float(value), baseline, float(baseline_value)
        self.numbers = [r for r in self.numbers if r[::2] != row[::2]] + [row]

    def finish(self):
        """Print the numbers and what comes next; as a script, write a report.

        The report, index.html, contains the numbers and all figures.
        """
        lines = [HEADER, *map(as_text, self.numbers)]
        widths = [max(map(len, column)) for column in zip(*lines)]
        for line in lines:
            cells = (cell.ljust(w) for cell, w in zip(line, widths))
            print("  ".join(cells).rstrip())
        solved = sum(self.solved.values())
        print(f"\nExercises solved: {solved} of {len(self.solved)}")
        if not in_notebook():
            self.folder.mkdir(parents=True, exist_ok=True)
            path = self.folder / "index.html"
            path.write_text(self.report(), "utf-8")
            print(f"Report, with {len(self.captions)} figures: {path}")
        if self.following:
            print(f"Next lesson: {self.following}")

    def report(self):
        """Return the report as HTML: str."""
        tags = ["th", *["td"] * len(self.numbers)]
        rows = [
            "".join(f"<{tag}>{html.escape(cell)}</{tag}>" for cell in line)
            for tag, line in zip(tags, [HEADER, *map(as_text, self.numbers)])
        ]
        figures = [
            f'<figure>\n<img src="{html.escape(name)}.png" '
            f'alt="{html.escape(caption)}">\n'
            f"<figcaption>{html.escape(caption)}</figcaption>\n</figure>"
            for name, caption in self.captions.items()
        ]
        return PAGE.format(
            name=html.escape(self.name),
            rows="\n".join(f"<tr>{row}</tr>" for row in rows),
            figures="\n".join(figures),
        )


def as_text(row):
    """Return a row of `compare` as four str, numbers with four digits."""
    what, value, baseline, baseline_value = row
    return what, f"{value:.4g}", baseline, f"{baseline_value:.4g}"


def in_notebook():
    """Return whether the code runs in the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return hasattr(shell, "kernel")
