"""The rooms of the package: imports point one way, and no room, file or circle grows unseen."""

import ast
import graphlib
import pathlib
import re
import subprocess
import sys

import pytest

PACKAGE = pathlib.Path(__file__).parent.parent / "jaxgan"

# From the top of the house down: a room imports itself and those after it.
ROOMS = [
    "__main__", "cli", "study", "apps", "train", "report", "health", "runs", "config", "metrics", "games", "models",
    "losses", "penalties", "augment", "data", "common",
]  # fmt: skip
THROUGH = ["faults", "fuzz", "scale"]  # tests of what goes through several rooms
MODULES = {".".join(p.relative_to(PACKAGE.parent).with_suffix("").parts): p for p in PACKAGE.rglob("*.py")}
MODULES = {name.removesuffix(".__init__"): path for name, path in MODULES.items()}


def room(module):
    return [*module.split("."), ""][1]


def imports(module):
    """Modules of the package that `module` imports anywhere in it, also late or for types only."""
    found = set()
    for node in ast.walk(ast.parse(MODULES[module].read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names = {f"{node.module}.{alias.name}" for alias in node.names}
            found |= {name if name in MODULES else node.module for name in names}
    return {name for name in found if name in MODULES} - {module}


def test_imports_point_one_way():
    order = {name: i for i, name in enumerate(ROOMS)}
    assert {room(module) for module in MODULES} - {""} == set(ROOMS)
    wrong = [
        f"{module} -> {other}"
        for module in MODULES
        for other in imports(module)
        if module != "jaxgan"  # whose names are imported when they are asked for
        and (
            (other == "jaxgan" and room(module) != "__main__")
            or order.get(room(module), 0) > order.get(room(other), 99)
        )
    ]
    assert not wrong, wrong


def test_no_circle():
    graph = {module: imports(module) for module in MODULES if module != "jaxgan"}
    list(graphlib.TopologicalSorter(graph).static_order())  # raises CycleError, which names the circle


def test_the_house_is_not_high():
    """Rooms on rooms: the longest way down."""
    below = {
        name: {room(o) for m in MODULES if room(m) == name for o in imports(m)} - {name, ""} for name in ROOMS
    }
    height = {}
    for name in reversed(ROOMS):
        height[name] = 1 + max((height[other] for other in below[name]), default=0)
    assert max(height.values()) <= 12, height


@pytest.mark.parametrize("folder", sorted({path.parent for path in MODULES.values()}), ids=lambda p: p.name)
def test_rooms_and_files_stay_small(folder):
    files = [path for path in folder.glob("*.py") if path.name != "__init__.py"]
    assert len(files) <= 16
    long = {path.name: n for path in files if (n := len(path.read_text().splitlines())) > 400}
    assert not long


def test_tests_mirror_the_rooms():
    rooms = {
        path.name
        for path in (PACKAGE.parent / "tests").iterdir()
        if path.is_dir() and any(path.glob("test_*.py"))
    }
    assert rooms <= {*ROOMS, *THROUGH}
    assert not [
        path
        for path in (PACKAGE.parent / "tests").glob("test_*.py")
        if path.stem not in ("test_house", "test_readme")
    ]


def test_names_of_test_files_are_given_once():
    """pytest leaves the second one out where two bear one name."""
    names = [path.name for path in (PACKAGE.parent / "tests").rglob("test_*.py")]
    assert len(set(names)) == len(names)


def test_the_package_imports_without_jax():
    """In a process of its own: names are imported when they are asked for, rooms and what lies in them included."""
    code = (
        "import sys, jaxgan; assert 'jax' not in sys.modules, 'jax'; jaxgan.models.MODELS; jaxgan.metrics.prdc; "
        "jaxgan.GAN; assert set(jaxgan.__all__) <= set(dir(jaxgan)); [getattr(jaxgan, n) for n in jaxgan.__all__]; "
        "jaxgan.study.Variant; jaxgan.apps.restore.baselines; jaxgan.train.sinks.base; jaxgan.report.compare; "
        "jaxgan.runs.images.tiles; assert not hasattr(jaxgan.apps.restore, 'nothing')"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=PACKAGE.parent)
    assert set(ROOMS) - {"__main__", "cli", "common"} <= set(__import__("jaxgan").__all__)
    with pytest.raises(AttributeError, match="module 'jaxgan' has no attribute 'nothing'"):
        getattr(__import__("jaxgan"), "nothing")  # noqa: B009


# --- tests use public names --------------------------------------------------------------------------------


def is_private(name):
    return re.fullmatch(r"_[^_]\w*?[^_]", name) is not None


def private_names():
    """Underscored names of the package and of `experiments`, but for those that all named tuples have."""
    files = [*MODULES.values(), *(PACKAGE.parent / "experiments").rglob("*.py")]
    names = {path.stem for path in files}
    for node in (node for path in files for node in ast.walk(ast.parse(path.read_text()))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            names.add(node.name)
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            names.add(node.id)
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            names.add(node.attr)
    return set(filter(is_private, names)) - {"_asdict", "_fields", "_make", "_replace"}


def named_privately(code, names):
    """Lines of `code` that reach one of the private names: as an attribute, an import, or a string to patch by."""
    for node in ast.walk(ast.parse(code)):
        found = []
        if isinstance(node, ast.Attribute) and not (
            isinstance(node.value, ast.Name) and node.value.id == "self"
        ):
            found = [node.attr]
        elif isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in (
            "jaxgan",
            "experiments",
        ):
            found = [*str(node.module).split("."), *(alias.name for alias in node.names)]
        elif isinstance(node, ast.Import):
            found = [part for alias in node.names for part in alias.name.split(".")]
        elif isinstance(node, ast.Call):
            called = getattr(node.func, "attr", getattr(node.func, "id", ""))
            texts = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if called in (
                "setattr",
                "getattr",
                "delattr",
                "hasattr",
                "object",
                "patch",
                "multiple",
                "attrgetter",
            ):
                found = [part for text in texts for part in text.split(".")]
        yield from (f"{node.lineno}: {name}" for name in found if name in names)


@pytest.mark.parametrize("code", [
    "members._init(0)", "from jaxgan.runs.export import _card", "from jaxgan._x import y", "import jaxgan._x",
    "monkeypatch.setattr('jaxgan.runs.export._card', 1)", "patch.object(Members, '_init')", "getattr(m, '_init')",
])  # fmt: skip
def test_private_names_are_seen(code):
    names = {"_init", "_card", "_x"}
    assert len([*named_privately(code, names)]) == 1
    assert not [*named_privately("self._init; row._replace(); jax._src.x; x = '_card'", names)]


def test_no_test_reaches_private_names():
    names = private_names()
    assert {"_WHERE", "_state"} <= names  # of constants and functions
    wrong = [
        f"{path.name}:{line}"
        for path in (PACKAGE.parent / "tests").rglob("*.py")
        if not path.match("golden/make_*")  # scripts of other libraries
        for line in named_privately(path.read_text(), names)
    ]
    assert not wrong, wrong


OPTIONS_ALONE = {"GAN", "translation"}  # whose arguments, with what is said of them, take more than 60 lines


def test_recipes_are_short():
    """What makes a game says who plays and when, in 60 lines with its docstring; what is of its own has a name."""
    lines = {
        node.name: node.end_lineno - node.lineno + 1
        for module, path in MODULES.items()
        if room(module) == "games"
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.returns and ast.unparse(node.returns) == "Game"
    }
    assert {"cycle_gan", "bigan", "vae_gan", "many_critics", "infogan", "f_anogan", "vae"} < set(lines)
    assert not {name: n for name, n in lines.items() if n > 60 and name not in OPTIONS_ALONE}


def test_long_constructors_take_names():
    """A dataclass of nine fields or more takes at most three of them by position: nobody counts to the sixth."""
    long = {}
    for module, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.ClassDef):
                continue
            made = " ".join(ast.unparse(d) for d in node.decorator_list if "dataclass" in ast.unparse(d))
            if not made or "kw_only=True" in made:
                continue
            kinds = [ast.unparse(line.annotation) for line in node.body if isinstance(line, ast.AnnAssign)]
            kinds = [kind for kind in kinds if not kind.startswith("ClassVar")]
            if any("Positional" in kind for kind in kinds):
                continue  # a command's arguments, which tyro makes by position
            by_position = kinds.index("KW_ONLY") if "KW_ONLY" in kinds else len(kinds)
            if len(kinds) >= 9 and by_position > 3:
                long[f"{module}.{node.name}"] = by_position
    assert not long


def test_two_modules_know_of_mapped_axes():
    """Games and layers have one each; the clock adds up what processes say, over axes of its own."""
    over = {
        "pmean",
        "psum",
        "pmax",
        "pmin",
        "all_gather",
        "all_to_all",
        "axis_index",
        "axis_size",
        "ppermute",
    }
    knowing = {
        module
        for module, path in MODULES.items()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Attribute) and node.attr in over
    }
    assert knowing == {"jaxgan.games.axis", "jaxgan.models.layers.axes", "jaxgan.train.clock"}
