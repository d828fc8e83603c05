"""Write the pages of the API: one for each public name, in reading order.

The order and the lesson of a layer or model are those of the table "The road"
of README.md; other names are linked to the lessons that import them.
"""

import ast
import functools
import importlib
import inspect
import pprint
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGES = {
    "layers": "Layers",
    "models": "Models",
    "generation": "Generation",
    "tasks": "Tasks",
    "text": "Text",
    "data": "Data",
    "training": "Training",
    "evaluation": "Evaluation",
    "plots": "Plots",
    "export": "Export",
    "pretrained": "Pretrained",
    "demo": "Demo",
}


@functools.cache
def road():
    """Read the table of the README: list of (idea, files, lessons)."""
    rows = []
    for line in (ROOT / "README.md").read_text("utf-8").splitlines():
        cells = line.split("|")
        if files := re.findall(r"`(keras_seq/\w+/\w+\.py)`", line):
            lessons = re.findall(r"tutorials/(\w+)\.py", line)
            if len(cells) == 6 and lessons:
                rows.append((cells[2].strip(), files, lessons))
    return rows


def imports():
    """Map a public name, "layers.LSTM", to the lessons that import it."""
    found = {}
    for path in sorted((ROOT / "tutorials").glob("*.py")):
        tree = ast.parse(path.read_text("utf-8"))
        modules, names = set(), set()
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module:
                package = node.module.removeprefix("keras_seq").strip(".")
                if node.module == "keras_seq":
                    modules |= {alias.name for alias in node.names}
                elif node.module.startswith("keras_seq."):
                    names |= {f"{package}.{a.name}" for a in node.names}
            if isinstance(node, ast.Attribute) and isinstance(
                node.value, ast.Name
            ):
                names.add(f"{node.value.id}.{node.attr}")
        for name in names:
            found.setdefault(name, []).append(path.stem)
    return found


def source_file(found):
    """Return the file that defines an object: "keras_seq/layers/lstm.py"."""
    module = importlib.import_module(found.__module__)
    return Path(module.__file__).relative_to(ROOT).as_posix()


@functools.cache
def public_names():
    """Return {package: [name, ...]}, layers and models as on the road."""
    order = [file for _, files, _ in road() for file in files]
    found = {}
    for package in PACKAGES:
        module = importlib.import_module(f"keras_seq.{package}")

        def key(name, module=module):
            value = getattr(module, name)
            if not hasattr(value, "__module__"):
                return len(order) + 1, 0
            file = source_file(value)
            known = order.index(file) if file in order else len(order)
            return known, inspect.getsourcelines(value)[1]

        names = module.__all__
        if package in ("layers", "models", "generation"):
            names = sorted(names, key=key)
        found[package] = list(names)
    return found


def own_methods(found):
    """List the public methods of a class that are not Keras's."""
    names = []
    for name in dir(found):
        if name.startswith("_"):
            continue
        owner = next(c for c in inspect.getmro(found) if name in vars(c))
        value = vars(owner)[name]
        documented = isinstance(
            value, (property, classmethod, staticmethod)
        ) or inspect.isfunction(value)
        text = getattr(value, "__doc__", None)
        if owner.__module__.startswith("keras_seq") and documented and text:
            kind = "property" if isinstance(value, property) else "method"
            names.append((kind, name))
    return names


def lessons_of(package, name, found, used):
    """Return the lessons of a public name, first that of the road."""
    if hasattr(found, "__module__"):
        file = source_file(found)
        for _, files, lessons in road():
            if file in files:
                return lessons
    return used.get(f"{package}.{name}", [])


def page(package, name, found, used):
    """Return the page of a public name: Markdown."""
    full = f"keras_seq.{package}.{name}"
    lines = [f"# {name}", ""]
    lessons = lessons_of(package, name, found, used)
    if lessons:
        links = ", ".join(f"[{one}](/tutorials/{one}.ipynb)" for one in lessons)
        lines += [f"{'Lessons' if len(lessons) > 1 else 'Lesson'}: {links}", ""]
    lines += ["```{eval-rst}"]
    if not callable(found):
        value = pprint.pformat(found, width=72, sort_dicts=False)
        lines += [f".. py:data:: {full}", "", "   ::", ""]
        lines += [f"      {line}" for line in value.split("\n")]
    elif inspect.isclass(found):
        lines += [f".. autoclass:: {full}", ""]
        for kind, method in own_methods(found):
            lines += [f"   .. auto{kind}:: {full}.{method}"]
    else:
        lines += [f".. autofunction:: {full}"]
    lines += ["```", ""]
    if hasattr(found, "__module__"):
        file = source_file(found)
        text = importlib.import_module(found.__module__).__doc__ or ""
        lines += [f"## The file `{file}`", "", as_markdown(text)]
    return "\n".join(lines)


def as_markdown(text):
    """Return a module's docstring with labels and code as Markdown."""
    lines, label = [], False
    for line in inspect.cleandoc(text).split("\n"):
        if match := re.match(r"([A-Z][\w ]*): ", line):
            label = True
            line = f"\n**{match[1]}:** {line[match.end() :]}"
        elif label and line.startswith("    "):
            line = line.strip()
        elif line.strip():
            label = False
        lines.append(line)
    return "\n".join(lines) + "\n"


def summary(found):
    """Return the first line of a docstring; of data the type."""
    if not callable(found):
        return f"{type(found).__name__}"
    return inspect.getdoc(found).split("\n")[0]


def package_page(package, names):
    """Return the page of a package: its docstring, and a table of names."""
    module = importlib.import_module(f"keras_seq.{package}")
    lines = [f"# {PACKAGES[package]}", "", f"`keras_seq.{package}`", ""]
    lines += [as_markdown(module.__doc__ or ""), "| name | |", "|---|---|"]
    for name in names:
        about = summary(getattr(module, name)).replace("|", "\\|")
        lines.append(f"| [{name}](/api/{package}/{name}.md) | {about} |")
    lines += ["", "```{toctree}", ":hidden:", ""]
    lines += [f"{package}/{name}" for name in names] + ["```", ""]
    return "\n".join(lines)


def index(public):
    """Return the first page: the road with its names, then the packages."""
    lines = ["# API", "", "| idea | names | lessons |", "|---|---|---|"]
    where = {}
    for package, names in public.items():
        module = importlib.import_module(f"keras_seq.{package}")
        for name in names:
            value = getattr(module, name)
            if hasattr(value, "__module__"):
                link = f"[{name}](/api/{package}/{name}.md)"
                where.setdefault(source_file(value), []).append(link)
    for idea, files, lessons in road():
        names = [link for file in files for link in where.get(file, [])]
        links = [f"[{one}](/tutorials/{one}.ipynb)" for one in lessons]
        lines.append(f"| {idea} | {', '.join(names)} | {', '.join(links)} |")
    lines += ["", "| package | |", "|---|---|"]
    for package in public:
        module = importlib.import_module(f"keras_seq.{package}")
        about = (module.__doc__ or "").split("\n")[0]
        lines.append(f"| [{package}](/api/{package}.md) | {about} |")
    lines += ["", "```{toctree}", ":hidden:", ""]
    return "\n".join([*lines, *public, "```", ""])


def pages():
    """Return all pages of the API: dict, name of the page -> Markdown."""
    public, used = public_names(), imports()
    found = {"api/index": index(public)}
    for package, names in public.items():
        module = importlib.import_module(f"keras_seq.{package}")
        found[f"api/{package}"] = package_page(package, names)
        for name in names:
            value = getattr(module, name)
            found[f"api/{package}/{name}"] = page(package, name, value, used)
    return found
