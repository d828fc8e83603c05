"""Make reStructuredText of the docstrings, for the pages of the API."""

import inspect
import itertools
import re

# Labels of one paragraph, not of a section.
LABEL = re.compile(r"([A-Z][\w' ]*): (?=\S)")


def true_signature(found):
    """Return the signature of a class: that of a parent behind `*args`."""
    for parent in inspect.getmro(found):
        if "__init__" in vars(parent):
            signature = inspect.signature(parent.__init__)
            kinds = {p.kind for p in signature.parameters.values()}
            if inspect.Parameter.VAR_POSITIONAL not in kinds:
                return signature
    return None


def show_signature(app, what, name, found, options, signature, result):
    """Show the signature that is called, not that of a wrapper of Keras."""
    if what != "class" or issubclass(found, tuple):
        return None
    true = true_signature(found)
    if true is None or found.__init__ is object.__init__:
        return None
    parameters = list(true.parameters.values())[1:]  # without self
    bare = [p.replace(annotation=p.empty) for p in parameters]
    return str(inspect.Signature(bare)), None


def named(lines):
    """Count the entries "name: description" of a section."""
    body = itertools.takewhile(lambda line: line.startswith(" "), lines)
    return sum(bool(re.match(r" {4}\w+: ", line)) for line in body)


def rewrite(app, what, name, found, options, lines):
    """Turn indented blocks into literal ones, and labels into paragraphs."""
    kept, mode = [], "text"
    for number, line in enumerate(lines):
        indented = line.startswith("    ")
        if "|" in line and mode != "literal" and ">>>" not in line:
            line = line.replace("|", r"\|")
        if line and not indented:
            if re.fullmatch(r"[A-Z][\w ]*:", line):
                mode = "section"
                if line == "Returns:" and named(lines[number + 1 :]) > 1:
                    line = "Returned values:"
            elif LABEL.match(line):
                mode = "label"
                line = LABEL.sub(r"**\1:** ", line, count=1)
            elif mode != "text":
                mode = "text"
            if kept and kept[-1] and mode in ("section", "label"):
                kept.append("")
        elif indented and mode == "label":
            line = line.strip()
        elif indented and mode == "text" and kept and not kept[-1]:
            mode = "literal"
            kept += ["::", ""]
        kept.append(line)
    lines[:] = kept


def setup(app):
    app.connect("autodoc-process-signature", show_signature)
    # Before napoleon, which reads the sections.
    app.connect("autodoc-process-docstring", rewrite, priority=100)
