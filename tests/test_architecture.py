"""Imports flow one way: a module may import only from the layers below its own; heavy libraries have one door."""

import ast
import importlib.util
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src" / "inscape"

LAYERS = [  # a unit is a module or a folder; each may import the units above it in this list
    {"errors", "threads", "units"},
    {"notation"},
    {"cells", "files"},
    {"structures", "spectra", "metrics"},
    {"bonding", "lattice"},
    {"scattering", "thermodynamics"},
    {"training"},
    {"potentials", "vibrations"},
    {"library"},
    {"autoencoders"},
    {"structure_model"},
    {"index"},
    {"plots", "properties"},
    {"results"},
    {"settings"},
    {"simulation"},
    {"prediction", "measured", "pseudo_labels"},
    {"intervals"},
    {"compare", "explore", "redrawing", "evaluation", "retrieval", "testing"},
    {"calibration"},
    {"web"},
    {"cli"},
]
RANK = {name: rank for rank, layer in enumerate(LAYERS) for name in layer}

DOORS = {  # one heavy library, one door
    "phonopy": {"lattice"},
    "sevenn": {"potentials"},
    "chgnet": {"potentials"},
    "euphonic": {"lattice"},
    "dask": {"library"},
    "distributed": {"library"},
    "dask_jobqueue": {"library"},
    "zarr": {"library"},
    "h5py": {"measured"},
    "seekpath": {"scattering"},
    "resins": {"scattering"},
    "matplotlib": {"plots"},
    "lightning_fabric": {"training"},
    "umap": {"explore"},
    "chemiscope": {"explore"},
    "e3nn": {"structure_model"},
    "fastapi": {"web"},
    "pydantic": {"web"},
    "starlette": {"web"},
    "uvicorn": {"web"},
    "typer": {"cli"},
}

NO_PHYSICS = {"numpy", "scipy", "torch", "sklearn", "phonopy", "sevenn", "spglib"}  # in cli and web

PACKAGES = {"distributed": "dask", "sklearn": "scikit-learn", "umap": "umap-learn"}  # where the name is another

VAGUE_NAMES = {"utils", "util", "helpers", "helper", "common", "core", "misc"}

FILES = [p for p in sorted(SRC.rglob("*.py")) if p != SRC / "__init__.py"]


def unit_of(path: Path) -> str:
    """The module or folder of the package that a file belongs to."""
    return path.relative_to(SRC).with_suffix("").parts[0]


def imports(path: Path) -> set[str]:
    """Absolute names imported anywhere in the file, also inside functions."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: write absolute imports"
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def run_python(code: str) -> str:
    """Standard output of a fresh interpreter."""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_imports_point_up_the_list_of_layers(path):
    unit = unit_of(path)
    assert unit in RANK, f"{unit} has no layer: add it to LAYERS"
    for name in imports(path):
        root, *rest = name.split(".")
        if root == SRC.name and rest and rest[0] in RANK and rest[0] != unit:
            assert RANK[rest[0]] < RANK[unit], f"{unit} must not import {rest[0]}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_a_heavy_library_has_one_door(path):
    for root in {name.split(".")[0] for name in imports(path)} & set(DOORS):
        assert unit_of(path) in DOORS[root], f"{root} may be imported only by {sorted(DOORS[root])}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SRC)))
def test_cli_and_web_hold_no_physics_and_no_model_code(path):
    if unit_of(path) in {"cli", "web"}:
        assert not {name.split(".")[0] for name in imports(path)} & NO_PHYSICS


PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def test_every_package_that_is_imported_is_asked_for():
    requirements = {*PROJECT["dependencies"]}.union(*PROJECT["optional-dependencies"].values())
    asked_for = {re.match(r"[\w.-]+", requirement)[0] for requirement in requirements}
    foreign = (
        {name.split(".")[0] for path in FILES for name in imports(path)}
        - sys.stdlib_module_names
        - {"inscape"}
    )
    assert {PACKAGES.get(name, name.replace("_", "-")) for name in foreign} <= asked_for


def test_a_package_named_in_an_error_message_is_an_extra():
    texts = [path.read_text(encoding="utf-8") for path in FILES]
    named = {extra for text in texts for extra in re.findall(r"pip install 'inscape\[(\w+)\]'", text)}
    assert named
    assert named <= set(PROJECT["optional-dependencies"])


def test_no_module_has_a_name_that_says_nothing():
    parts = {part for path in SRC.rglob("*") for part in path.relative_to(SRC).with_suffix("").parts}
    assert not parts & VAGUE_NAMES


def test_no_cycle_between_modules_inside_a_unit():
    modules = {".".join(p.relative_to(SRC.parent).with_suffix("").parts): p for p in FILES if p.stem != "__init__"}
    found = {name: imports(path) for name, path in modules.items()}
    edges = {
        name: {m for m in modules if m != name and any(i == m or i.startswith(m + ".") for i in found[name])}
        for name in modules
    }
    while ready := [name for name, needs in edges.items() if not needs]:
        edges = {name: needs - set(ready) for name, needs in edges.items() if name not in ready}
    assert not edges, f"import cycle among {sorted(edges)}"


HEAVY = "[m for m in ('torch', 'sklearn', 'phonopy', 'sevenn', 'matplotlib', 'scipy', 'dask') if m in sys.modules]"


def test_import_inscape_loads_nothing_heavy():
    assert run_python(f"import sys, inscape; print({HEAVY})").strip() == "[]"


@pytest.mark.skipif(importlib.util.find_spec("inscape.cli") is None, reason="there is no command line yet")
def test_help_of_the_command_line_loads_nothing_heavy():
    code = f"""
import sys
sys.argv = ["inscape", "--help"]
from inscape.cli import main
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print({HEAVY})
"""
    assert run_python(code).strip().splitlines()[-1] == "[]"


@pytest.mark.skipif(importlib.util.find_spec("inscape.prediction") is None, reason="there is no prediction yet")
def test_the_code_road_of_prediction_runs_with_no_lattice_dynamics():
    code = """
import sys
sys.modules["phonopy"] = None       # importing it raises ImportError from here on
import torch
torch.set_num_threads(1)
import inscape
inscape.predict("examples/quartz.cif", road="code")
"""
    run_python(code)
