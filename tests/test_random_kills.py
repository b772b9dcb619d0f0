"""A command killed at moments that nobody chose, again and again: it ends with the bytes of one never stopped."""

import re
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from PIL import Image

from kill_often import Ended, kill_until_it_ends, run_forked
from make import FIRST_ID, make_sample
from test_interruptions import RECIPE, digest_results

pytestmark = pytest.mark.soak

NUM_CHAINS = 8
"""Of each command; a chain is a command that is given again after every kill."""


@dataclass(frozen=True)
class Place:
    """A sample, the run of it that was never stopped, and how that went."""

    folder: Path
    run: Ended

    def words(self, run_dir: str, *more: str) -> list[object]:
        return ["run", self.folder / "recipe.toml", "--run-dir", self.folder / run_dir, *more]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """150 galaxies, three parts to decode, of which two images are refused; several parts to predict."""
    folder = tmp_path_factory.mktemp("kills")
    make_sample(folder, 150)
    (folder / "images" / f"{FIRST_ID + 3}.png").write_bytes(b"no image")
    Image.new("RGB", (16, 16)).save(folder / "images" / f"{FIRST_ID + 77}.png")
    (folder / "recipe.toml").write_text(RECIPE + 'prediction.precision = "float32"\n')
    ended = run_forked(["run", folder / "recipe.toml", "--run-dir", folder / "whole"], folder / "whole")
    assert ended.status == 0, ended.output
    return Place(folder, ended)


def list_names(folder: Path) -> set[str]:
    # A checkpoint's name ends with the digest of its bytes, and torch writes the same values in more than one way.
    names = (path.relative_to(folder).as_posix() for path in folder.rglob("*"))
    return {re.sub(r"(epoch-\d+-\w+)-\w+\.pt", r"\1.pt", name) for name in names}


def check_like(killed: Path, whole: Path, ended: Sequence[Ended]) -> None:
    """Every file has the same bytes, and nothing else is there."""
    history = [(process.num_changes, round(process.seconds, 2)) for process in ended]
    assert list_names(killed) == list_names(whole), history
    assert digest_results(killed) == digest_results(whole), history


@pytest.mark.parametrize("seed", range(NUM_CHAINS))
def test_a_run_killed_at_random_ends_as_one_never_stopped(place: Place, seed: int) -> None:
    killed = place.folder / "killed"
    shutil.rmtree(killed, ignore_errors=True)
    ended = kill_until_it_ends(place.words("killed"), killed, seed, place.run)
    check_like(killed, place.folder / "whole", ended)


@pytest.mark.parametrize("seed", range(NUM_CHAINS))
def test_training_begun_anew_and_killed_at_random_ends_as_one_never_stopped(place: Place, seed: int) -> None:
    killed, whole = place.folder / "again", place.folder / "whole"
    shutil.rmtree(killed, ignore_errors=True)
    shutil.copytree(whole, killed)
    ended = kill_until_it_ends(place.words("again", "--from", "training"), killed, seed, place.run)
    check_like(killed, whole, ended)


@pytest.fixture(scope="module")
def predicted(place: Place) -> tuple[list[object], Ended]:
    """How a folder is predicted into `whole_predictions`, with nothing killed."""
    words: list[object] = ["predict", place.folder / "whole", "--images", place.folder / "images"]
    words += ["--batch-size", 8, "--precision", "float32", "-o"]
    output = place.folder / "whole_predictions" / "out.csv"
    ended = run_forked([*words, output], output.parent)
    assert ended.status == 0, ended.output
    assert list_names(output.parent) == {"out.csv", "out.csv-metadata.json", "out_refused.csv"}
    return words, ended


@pytest.mark.parametrize("seed", range(NUM_CHAINS))
def test_a_prediction_killed_at_random_ends_as_one_never_stopped(
    place: Place, predicted: tuple[list[object], Ended], seed: int
) -> None:
    killed = place.folder / "killed_predictions"
    shutil.rmtree(killed, ignore_errors=True)
    words, whole = predicted
    ended = kill_until_it_ends([*words, killed / "out.csv"], killed, seed, whole)
    check_like(killed, place.folder / "whole_predictions", ended)
