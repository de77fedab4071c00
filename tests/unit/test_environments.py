"""pyproject.toml, the lock file, environment.yml and the installed packages say the same."""

import re
import tomllib
from importlib.metadata import version

import yaml

from tests.conftest import REPOSITORY

PIN = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;]+)")


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def pins(lines: list[str]) -> dict[str, str]:
    """Name -> version of the exact pins among requirement lines."""
    found = [PIN.match(line.strip()) for line in lines]
    return {normal(m.group(1)): m.group(2) for m in found if m}


def project() -> dict[str, str]:
    """Pins of pyproject.toml, development tools included."""
    data = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    listed = [*data["dependencies"], *data["optional-dependencies"]["dev"]]
    assert len(pins(listed)) == len(listed), "every dependency is pinned exactly"
    return pins(listed)


def requirements(name: str) -> dict[str, str]:
    return pins((REPOSITORY / "requirements" / name).read_text().splitlines())


def test_lock_holds_every_dependency_at_its_version() -> None:
    locked = {**requirements("dev.txt"), **requirements("torch.txt")}
    assert {k: locked.get(k) for k in project()} == project()


def test_torch_is_not_in_the_lock() -> None:
    assert "torch" not in requirements("dev.txt"), "which build of torch it is depends on the machine"
    assert not [k for k in requirements("dev.txt") if k.startswith(("nvidia-", "torchvision", "triton"))]


def test_conda_environment_installs_the_same_files_torch_first() -> None:
    environment = yaml.safe_load((REPOSITORY / "environment.yml").read_text())
    (pip,) = [d["pip"] for d in environment["dependencies"] if isinstance(d, dict)]
    assert pip == ["-r requirements/torch.txt", "-r requirements/dev.txt", "-e ."]
    data = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
    assert "python=3.11" in environment["dependencies"]
    assert data["requires-python"] == ">=3.11,<3.12"


def test_installed_versions_are_the_locked_ones() -> None:
    locked = {**requirements("dev.txt"), **requirements("torch.txt")}
    wrong = {k: version(k) for k, v in locked.items() if version(k).split("+")[0] != v}
    assert wrong == {}, "make install, or: pip install -r requirements/dev.txt"


def test_lmms_eval_reads_models_with_the_locked_versions() -> None:
    locked = {**requirements("dev.txt"), **requirements("torch.txt")}
    beside = requirements("lmms_eval.txt")
    shared = set(locked) & set(beside)
    assert {"torch", "transformers", "tokenizers", "pillow"} <= shared
    assert {k: beside[k] for k in shared} == {k: locked[k] for k in shared}
    assert {"lmms-eval", "torchvision", "decord"} <= set(beside)


def test_no_registry_or_machine_is_named() -> None:
    for path in [*(REPOSITORY / "requirements").iterdir(), REPOSITORY / "environment.yml"]:
        assert not re.search(r"https?://|file://|--index-url|--find-links", path.read_text()), path.name
