"""The built wheel works where the source tree is not."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # The environment has hatchling; an isolated build would fetch it.
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT, check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


def test_a_wheel_has_all_that_lies_beside_the_code(wheel: Path) -> None:
    source = ROOT / "src"
    ours = {path.relative_to(source).as_posix() for path in (source / "metalight").rglob("*") if path.is_file()}
    packed = set(zipfile.ZipFile(wheel).namelist())
    assert {name for name in ours if "__pycache__" not in name} <= packed


def test_an_installed_wheel_works_outside_the_source_tree(wheel: Path, tmp_path: Path) -> None:
    place = tmp_path / "installed"
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(place)]
    subprocess.run([*pip, str(wheel)], cwd=tmp_path, check=True, capture_output=True)
    # PYTHONPATH comes before the editable install of this environment.
    environment = os.environ | {"PYTHONPATH": str(place)}

    def run(*arguments: str) -> str:
        command = [str(place / "bin" / "metalight"), *arguments]
        done = subprocess.run(command, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True)
        return done.stdout

    where = [sys.executable, "-c", "import metalight; print(metalight.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, env=environment, check=True, capture_output=True, text=True).stdout
    assert Path(found.strip()).is_relative_to(place)
    assert "metalight" in run("--version")
    assert "paper" in run("recipe", "list")
    assert "[training]" in run("recipe", "check", "paper")
    assert "resolution" in run("study", "list")
    run("simulate", "--galaxies", "3", "--seed", "1", "--side", "16", "-o", "survey")
    assert len(list((tmp_path / "survey" / "images").glob("*.jpg"))) == 3
