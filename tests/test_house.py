"""The project's own rules, held: what the top-level files promise is what the tree does."""

import ast
import os
import re
import subprocess
import sys
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path

import pytest
import size
import yaml
from hatchling.builders.wheel import WheelBuilder
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from readme import map_of_the_book, pages, renewed, source_of

import ssd_tutorial

try:
    import tomllib
except ModuleNotFoundError:  # Python 3.10, where pytest depends on its twin
    import tomli as tomllib

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "ssd_tutorial"
MODULES = sorted(PACKAGE.rglob("*.py"))
ROOMS = sorted(path.parent for path in PACKAGE.glob("*/__init__.py"))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
CONFIG = yaml.safe_load((ROOT / "_config.yml").read_text())
ADDRESS = CONFIG["repository"]["url"]
PLACEHOLDER = "OWNER" + "/REPOSITORY"


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def tracked():
    """Every text file in git: its name and what it holds."""
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    texts = {}
    for name in listed.stdout.decode().split("\0"):
        path = ROOT / name
        if name and path.is_file():
            content = path.read_bytes()
            if b"\0" not in content:
                texts[name] = content.decode("utf-8")
    assert "pyproject.toml" in texts
    return texts


# --- requirements ---------------------------------------------------------------------------------


def bounds(lines):
    """Turn ``["jupyter-book>=1.0.4,<2"]`` into ``{"jupyter-book": SpecifierSet(">=1.0.4,<2")}``."""
    found = [Requirement(line) for line in lines]
    return {canonicalize_name(one.name): one.specifier for one in found}


def all_requirements():
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    return bounds(line for group in groups for line in group if not line.startswith("ssd-tutorial"))


def pinned():
    """Return each name of the lock file with its versions, one per Python or platform."""
    found = {}
    for line in text_of("requirements-lock.txt").splitlines():
        if line and not line.lstrip().startswith("#"):
            pin = Requirement(line.partition("#")[0])
            (exact,) = pin.specifier
            found.setdefault(canonicalize_name(pin.name), []).append(exact.version)
    return found


def test_conda_environment_requires_what_the_package_requires():
    environment = yaml.safe_load(text_of("environment.yml"))
    conda = [line for line in environment["dependencies"] if isinstance(line, str)]
    (pip,) = (entry["pip"] for entry in environment["dependencies"] if isinstance(entry, dict))
    assert "--editable ." in pip
    asked = bounds([*conda, *(line for line in pip if not line.startswith("-"))])
    asked["torch"] = asked.pop("pytorch")
    assert not asked.pop("pip")
    assert asked.pop("python") == bounds([f"python{PROJECT['requires-python']}"])["python"]
    assert asked == bounds([*PROJECT["dependencies"], *PROJECT["optional-dependencies"]["book"]])


def test_newest_torch_torchvision_and_numpy_are_never_excluded():
    requirements = all_requirements()
    for name in ("torch", "torchvision", "numpy"):
        assert {one.operator for one in requirements[name]} == {">="}, name


def test_lock_pins_every_requirement_within_its_bounds():
    locked = pinned()
    for name, asked in all_requirements().items():
        assert name in locked, f"{name} is not in requirements-lock.txt: run make lock"
        for version in locked[name]:
            assert asked.contains(version, prereleases=True), (name, version)


def test_lock_contains_no_address_or_path():
    assert "://" not in text_of("requirements-lock.txt")
    assert "@ " not in text_of("requirements-lock.txt")


# --- the package ----------------------------------------------------------------------------------


def layers():
    """Return the list in CONTRIBUTING.md, lowest first."""
    block = re.search(r"^```layers\n(.*?)^```", text_of("CONTRIBUTING.md"), re.M | re.S)
    return [set(line.split()) for line in block[1].splitlines()]


def module_name(path: Path) -> str:
    """Turn ``ssd_tutorial/datasets/voc.py`` into ``datasets.voc``; packages by folder name."""
    parts = path.relative_to(PACKAGE).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: str, name: str, is_package: bool = False) -> set[str]:
    """Return our modules that a module's source imports, at its top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            origin = node.module or ""
            if node.level:
                here = ["ssd_tutorial", *name.split(".")]
                here = here[: len(here) - node.level + is_package]
                origin = ".".join([*here, *([origin] if origin else [])])
            names = [origin, *(f"{origin}.{alias.name}" for alias in node.names)]
        else:
            continue
        found |= {n.removeprefix("ssd_tutorial.") for n in names if n.startswith("ssd_tutorial.")}
    known = {module_name(path) for path in MODULES}
    return {n for n in found if n in known}


def climbs(name: str, imported: set[str], order) -> list[str]:
    """Return what a module imports from its own line of the list or from above it."""
    height = {member: level for level, line in enumerate(order) for member in line}
    top = name.partition(".")[0]
    return [
        other
        for other in sorted(imported)
        if other.partition(".")[0] != top and height[other.partition(".")[0]] >= height[top]
    ]


def import_graph():
    return {
        module_name(path): imports_of(
            path.read_text(), module_name(path), path.name == "__init__.py"
        )
        for path in MODULES
    }


def test_every_module_is_in_the_list_and_in_the_table():
    listed = set().union(*layers())
    there = {name.partition(".")[0] for name in import_graph()} - {""}
    assert there <= listed, "give it a line under `layers` in CONTRIBUTING.md"
    table = text_of("CONTRIBUTING.md").partition("```layers")[0]
    for name in there:
        shown = f"`{name}/`" if (PACKAGE / name).is_dir() else f"`{name}.py`"
        assert shown in table, f"{shown} is missing in the table of CONTRIBUTING.md"


def test_table_names_only_modules_that_exist():
    table = text_of("CONTRIBUTING.md").partition("| module |")[2].partition("```layers")[0]
    first_column = "\n".join(row.split("|")[1] for row in table.splitlines() if row.count("|") > 3)
    for name in re.findall(r"`(\w+(?:\.py|/))`", first_column):
        assert (PACKAGE / name).exists(), f"CONTRIBUTING.md: {name}"
    for name in set().union(*layers()):
        assert (PACKAGE / name).is_dir() or (PACKAGE / f"{name}.py").is_file(), name


def test_imports_run_downwards():
    order = layers()
    wrong = {name: climbs(name, seen, order) for name, seen in import_graph().items()}
    assert not {name: others for name, others in wrong.items() if others}


def test_imports_form_no_cycle():
    graph = import_graph()
    assert set(TopologicalSorter(graph).static_order()) == set(graph)  # a circle would raise


def test_an_import_upwards_is_detected():
    source = "def late():\n    from ssd_tutorial.matching import match\n    return match"
    assert imports_of(source, "boxes") == {"matching"}
    assert climbs("boxes", {"matching"}, layers()) == ["matching"]
    assert climbs("matching", {"boxes"}, layers()) == []
    assert imports_of("from .records import Problem", "datasets.voc") == {"datasets.records"}
    assert imports_of("from ssd_tutorial import loss", "datasets.voc") == {"loss"}


def test_the_package_does_not_import_the_book():
    found = {path.name: outside(path.read_text()) for path in MODULES}
    assert not [name for name, roots in found.items() if "ssd_book" in roots]


def outside(source: str) -> set[str]:
    """Return the packages that a module's source imports by name, anywhere in it."""
    nodes = list(ast.walk(ast.parse(source)))
    names = [alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names]
    names += [node.module for node in nodes if isinstance(node, ast.ImportFrom) and node.module]
    return {name.partition(".")[0] for name in names}


def test_imports_of_other_packages_are_detected():
    assert outside("def late():\n    from ssd_book.explorers import modules") == {"ssd_book"}
    assert outside("import ssd_book.checks.ch04, os") == {"ssd_book", "os"}


def test_a_wheel_contains_the_package_the_code_of_the_book_and_the_data(monkeypatch):
    monkeypatch.chdir(ROOT)
    held = {
        Path(file.relative_path).as_posix(): file.distribution_path
        for file in WheelBuilder(str(ROOT)).recurse_included_files()
    }
    moved = {"data": "ssd_tutorial/_data", "book/ssd_book": "ssd_book"}
    listed = subprocess.run(
        ["git", "-c", "safe.directory=*", "ls-files", "-z", "ssd_tutorial", *moved],
        capture_output=True,
        check=True,
        text=True,
    )
    expected = {}
    for name in filter(None, listed.stdout.split("\0")):
        folder = next((folder for folder in moved if name.startswith(f"{folder}/")), None)
        expected[name] = name.replace(folder, moved[folder], 1) if folder else name
    assert {name: held.get(name) for name in expected} == expected
    kinds = {Path(name).suffix for name in held if "/explorers/static/" in name}
    assert kinds == {".js", ".css"}


def test_core_loads_neither_matplotlib_nor_ipywidgets():
    below = layers()[: next(i for i, line in enumerate(layers()) if "figures" in line)]
    core = [name for name in import_graph() if name.partition(".")[0] in set().union(*below)]
    assert {"boxes", "loss", "datasets.voc"} <= set(core)
    program = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    importlib.import_module('ssd_tutorial.' + name)\n"
        "    loaded = {'matplotlib', 'ipywidgets', 'anywidget', 'IPython'} & set(sys.modules)\n"
        "    assert not loaded, f'ssd_tutorial.{name} loads {loaded}'\n"
    )
    done = subprocess.run([sys.executable, "-c", program, *core], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# --- its size -------------------------------------------------------------------------------------


@pytest.mark.parametrize("part", size.BUDGETS)
def test_code_stays_within_its_budget(part):
    _, lines = size.rooms()[part]
    assert lines <= size.BUDGETS[part], "delete code, or raise the budget and say why"


def test_code_lines_are_neither_blank_nor_comments_nor_docstrings():
    source = '''\
"""A module."""

# a comment
side: int = 1  # and one beside code
"""What a field means."""


def area():
    """Explain,

    at length.
    """
    text = """code,
    not a docstring"""
    return (
        side
        * side
    )
'''
    assert size.code_lines(source) == 8
    assert size.code_lines('"""Only words."""\n') == 0


def test_table_of_sizes_counts_every_module_once():
    rooms = size.rooms()
    files, lines = rooms.pop("ssd_tutorial")
    assert files == len(MODULES)
    assert tuple(map(sum, zip(*rooms.values(), strict=True))) == (files, lines)
    assert {f"{path.parent.name}/" for path in PACKAGE.glob("*/__init__.py")} <= set(rooms)


def test_size_is_printed_and_a_broken_budget_gives_exit_code_1(capsys, monkeypatch):
    assert size.main([]) == 0
    printed = capsys.readouterr().out
    for room, (files, lines) in size.rooms().items():
        assert re.search(rf"^{re.escape(room)} +{files} +{lines}( |$)", printed, re.M), room
    monkeypatch.setitem(size.BUDGETS, "ssd_tutorial", 1)
    assert size.main([]) == 1


def test_no_two_modules_have_the_same_name():
    names = Counter(path.name for path in MODULES if path.name != "__init__.py")
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("room", ROOMS, ids=lambda path: path.name)
def test_room_says_in_its_first_line_what_it_contains(room):
    docstring = ast.get_docstring(ast.parse((room / "__init__.py").read_text()))
    assert docstring, f"{room.name}/__init__.py has no docstring"
    first = docstring.splitlines()[0]
    assert re.fullmatch(r"[A-Z].{20,}\.", first), first


def test_every_folder_of_the_package_is_a_room():
    folders = {path.parent for path in MODULES} - {PACKAGE}
    assert [f for f in sorted(folders) if not (f / "__init__.py").is_file()] == []


# --- the tests ------------------------------------------------------------------------------------

TESTS = sorted((ROOT / "tests").rglob("*.py"))
BESIDE_ROOMS = {"book", "browser", "fuzz", "parity", "tools"}


def test_tests_mirror_the_rooms():
    folders = {path.name for path in (ROOT / "tests").iterdir() if any(path.glob("test_*.py"))}
    pages = {path.parent.name for path in (ROOT / "book" / "ssd_book").glob("*/__init__.py")}
    assert folders == {room.name for room in ROOMS} | pages | BESIDE_ROOMS
    modules = {path.stem.strip("_") for path in PACKAGE.glob("*.py")}
    top = {path.stem.removeprefix("test_") for path in (ROOT / "tests").glob("test_*.py")}
    assert top - {"house", "benchmarks"} <= modules


def called(function: ast.FunctionDef) -> set[str]:
    """Return the names that a function calls, the last part of each."""
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    return {getattr(call, "id", getattr(call, "attr", "")) for call in calls}


def without_assertion(sources: list[str]) -> list[str]:
    """Return the tests that assert nothing, neither directly nor by a function they call."""
    functions = [
        node
        for source in sources
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.FunctionDef)
    ]
    sure = {"raises", "warns", "fail", "assert_close", "assert_allclose"}
    sure |= {f.name for f in functions if any(isinstance(n, ast.Assert) for n in ast.walk(f))}
    while more := {f.name for f in functions if called(f) & sure} - sure:
        sure |= more
    return [f.name for f in functions if f.name.startswith("test_") and f.name not in sure]


def test_every_test_asserts_something():
    assert without_assertion([path.read_text(encoding="utf-8") for path in TESTS]) == []


def test_tests_that_assert_nothing_are_detected():
    helper = "def same(a, b):\n    assert a == b\n"
    good = "def test_a():\n    same(1, 1)\ndef test_b():\n    with raises(ValueError):\n        1\n"
    assert without_assertion([helper, good]) == []
    assert without_assertion([helper, "def test_c():\n    print(1)\n"]) == ["test_c"]


# --- what no file may hold ------------------------------------------------------------------------

REGISTRIES = re.compile(
    r"(pypi|pythonhosted|npmjs|yarnpkg|anaconda|debian|unpkg|jsdelivr)\.(org|com|net)|"
    r"download\.pytorch\.org|/opt/(pypi|wheels)",
    re.IGNORECASE,
)
MACHINE_PATHS = re.compile(r"(?<![\w.+$/}])/(?:work|tmp|root|home|Users)/\w+")


def leaks(text: str) -> list[str]:
    return [m[0] for pattern in (REGISTRIES, MACHINE_PATHS) for m in pattern.finditer(text)]


@pytest.mark.parametrize(
    "text",
    [
        '"resolved": "https://registry.npm' + "js.org/axe-core",
        "--index-url https://py" + "pi.org/simple",
        'File "/wo' + 'rk/main/x.py"',
        "cd /ho" + "me/ada/book",
        "see /Us" + "ers/ada/book",
    ],
)
def test_leaks_are_detected(text):
    assert leaks(text)


def test_innocent_text_is_not_a_leak():
    assert not leaks("pages/work/index.html, ../shared/datasets and https://example.org/tmp/x")


def test_no_file_names_a_registry_or_a_path_of_one_machine(tracked):
    found = {name: leaks(text) for name, text in tracked.items()}
    for name in found:  # tests plant paths that do not exist
        if name.startswith("tests/"):
            found[name] = [leak for leak in found[name] if not leak.startswith(("/home", "/tmp"))]
    assert not {name: words for name, words in found.items() if words}


def test_licence_is_stated_once(tracked):
    granted = "Permission is hereby " + "granted"
    ours = {name: text for name, text in tracked.items() if "_static/fonts/" not in name}
    assert [name for name, text in ours.items() if granted in text] == ["LICENSE"]
    others = [name for name in tracked if re.search(r"(?i)(^|/)(licen[cs]e|copying)", name)]
    others.remove("LICENSE")
    assert {Path(name).parent.as_posix() for name in others} == {"book/_static/fonts"}
    assert "CC BY 4.0" in text_of("LICENSE")


# --- one address ----------------------------------------------------------------------------------


def addresses(text: str) -> set[str]:
    """Return ``owner/name`` wherever a file clones, installs or launches this repository."""
    forms = (
        r"git clone https://github\.com/([\w.-]+/[\w.-]+)",
        r"git\+https://github\.com/([\w.-]+/[\w-]+)",
        r"colab\.research\.google\.com/github/([\w.-]+/[\w.-]+)/blob",
        r"mybinder\.org/v2/gh/([\w.-]+/[\w.-]+)",
    )
    return {m[1] for form in forms for m in re.finditer(form, text)}


def test_addresses_are_detected():
    assert addresses("git clone https://github.com/a/b x") == {"a/b"}
    assert addresses('"git+https://github.com/a/b"') == {"a/b"}
    assert addresses("https://colab.research.google.com/github/a/b/blob/main/x") == {"a/b"}


def test_every_file_has_the_address_of_the_configuration(tracked):
    slug = ADDRESS.removeprefix("https://github.com/")
    for name in ("README.md", *(n for n in tracked if re.match(r"book/\d\d_.*\.ipynb$", n))):
        assert addresses(tracked[name]) == {slug}, name
    if slug != PLACEHOLDER:
        assert not [name for name, text in tracked.items() if PLACEHOLDER in text]


# --- README, CONTRIBUTING, citation, automation ---------------------------------------------------


def test_map_in_the_readme_is_the_table_of_contents():
    assert renewed(text_of("README.md"), map_of_the_book(), ADDRESS) == text_of("README.md"), (
        "run python tools/readme.py"
    )
    listed = re.findall(r"^- \[.*?\]\((book/.*?)\.(?:ipynb|md)\)", text_of("README.md"), re.M)
    toc = yaml.safe_load(text_of("_toc.yml"))
    assert listed == [page for _, names in pages(toc) for page in names]


def test_every_chapter_is_in_the_table_of_contents():
    toc = yaml.safe_load(text_of("_toc.yml"))
    there = {path.stem for path in (ROOT / "book").glob("[0-9][0-9]_*.ipynb")}
    assert there <= {Path(page).name for _, names in pages(toc) for page in names}


def test_page_without_a_file_is_reported(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"_toc\.yml names book/99_lost"):
        source_of("book/99_lost", tmp_path)


def test_readme_without_its_markers_is_reported():
    with pytest.raises(ValueError, match="needs the lines"):
        renewed("# no marks", "map", ADDRESS)


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md", ".github/workflows/book.yml"])
def test_commands_and_files_named_in_the_docs_exist(name):
    text = text_of(name)
    targets = set(re.findall(r"^([a-z][\w-]*):", text_of("Makefile"), re.M))
    assert set(re.findall(r"(?:^|`|&& |: )make ([a-z][\w-]*)", text, re.M)) <= targets
    for tool in re.findall(r"python (tools/\w+\.py)", text):
        assert (ROOT / tool).is_file(), tool
    for link in re.findall(r"\]\((?!https?:)([^)#]+)\)", text):
        assert (ROOT / link).exists(), link


def test_citation_has_the_version_of_the_package():
    citation = yaml.safe_load(text_of("CITATION.cff"))
    assert citation["version"] == ssd_tutorial.__version__
    assert citation["authors"] == [{"name": PROJECT["authors"][0]["name"]}]


def test_make_lets_python_keep_what_it_has_compiled():
    """Containers forbid it, and then every process that imports PyTorch compiles it again."""
    show = f"show:; @{sys.executable} -c 'import sys; print(sys.dont_write_bytecode)'"
    told = subprocess.run(
        ["make", "--silent", f"--eval={show}", "show"],
        cwd=ROOT,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "False\n"


def test_ci_runs_what_the_readme_promises():
    subprocess.run(["bash", "-n", ".ci/run"], cwd=ROOT, check=True)
    assert (ROOT / ".ci/run").stat().st_mode & 0o111
    for command in ("make test", "make book"):
        assert re.search(rf"^step \w+ {command}$", text_of(".ci/run"), re.M)
        assert f"run: {command}\n" in text_of(".github/workflows/book.yml")
        assert re.search(rf"^{command}\b", text_of("README.md"), re.M)
