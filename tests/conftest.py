"""What tests of several stages share."""

import io
import shutil
from pathlib import Path

import pytest

from call import QUICK, succeed
from make import make_sample
from metalight.images import ImageKind, reading
from metalight.store import FileReader


@pytest.fixture
def shared_folder() -> Path:
    """The folder `shared` beside the repository: real images and the published predictions, which are not ours."""
    folder = Path(__file__).parents[2] / "shared"
    if not folder.is_dir():
        pytest.skip("needs ../shared, with the published predictions and the real sample")
    return folder


@pytest.fixture
def sample(tmp_path: Path) -> Path:
    """A folder with catalog.csv, images/ and recipe.toml; its run goes to run/."""
    make_sample(tmp_path, 40)
    (tmp_path / "recipe.toml").write_text(QUICK)
    return tmp_path


@pytest.fixture(scope="session")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run, made once; tests that change it copy it."""
    folder = tmp_path_factory.mktemp("finished")
    make_sample(folder, 40)
    (folder / "recipe.toml").write_text(QUICK)
    output = succeed("run", folder / "recipe.toml", "--run-dir", folder / "run")
    (folder / "output.txt").write_text(output)
    return folder


@pytest.fixture
def images_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The galaxies whose images are read from now on, in this process."""
    read: list[int] = []
    read_one = reading._read_one

    def note(reader: FileReader, object_id: int, path: str, num_bytes: int, e_bv: float, *, kind: ImageKind) -> object:
        read.append(object_id)
        return read_one(reader, object_id, path, num_bytes, e_bv, kind=kind)

    monkeypatch.setattr(reading, "_read_one", note)
    return read


@pytest.fixture
def copy(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished, tmp_path / "copy")
    return tmp_path / "copy"


@pytest.fixture
def unrendered(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are made, but their files hold no picture: half of a small run's time, for tests that look at none."""

    def save(figure: object, file: io.BytesIO, **how: object) -> None:
        file.write(b"not rendered")

    monkeypatch.setattr("matplotlib.figure.Figure.savefig", save)
