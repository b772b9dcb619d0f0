"""A command killed at moments that nobody chose, again and again: it ends with the bytes of one never stopped."""

import random
import re
import shutil
import signal
import subprocess
import sys
import time
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
    run_forked(["--version"], folder / "whole")  # what is imported once would count as the run's time
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
    print(f"{len(ended) - 1} kills; changes and seconds of each life: {history}")
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
    assert list_names(output.parent) == {"out.csv", "out.csv-metadata.json", "out.csv.refused.csv"}
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


WITH_A_SIGN = "import metalight.cli; print('begun', flush=True); metalight.cli.main()"
NUM_INTERRUPTIONS = 20


def call_interrupted(words: Sequence[object], after_seconds: float) -> tuple[int, str]:
    """Exit status and standard error of a real process to which Ctrl-C comes so long after its first step."""
    command = [sys.executable, "-c", WITH_A_SIGN, *map(str, words)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        try:
            errors = process.communicate(timeout=after_seconds)[1]
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGINT)
            errors = process.communicate()[1]
    return process.returncode, errors


def test_ctrl_c_at_random_moments_is_one_sentence_and_the_run_goes_on(place: Place) -> None:
    generator = random.Random(0)
    started = time.monotonic()
    assert call_interrupted(place.words("uninterrupted"), after_seconds=3600)[0] == 0
    seconds = time.monotonic() - started
    for _ in range(NUM_INTERRUPTIONS):
        status, errors = call_interrupted(place.words("interrupted"), seconds * 10 ** (-2 * generator.random()))
        assert "Traceback" not in errors, errors
        assert "Exception ignored" not in errors, errors
        sentences = [line for line in errors.splitlines() if line.startswith("Interrupted")]
        # At the very end there is nothing to interrupt: the process is ended by the signal.
        assert (status, len(sentences)) in ((130, 1), (0, 0), (-signal.SIGINT, 0)), errors
        assert all("Run the same command again to resume" in sentence for sentence in sentences)
        if status != 130:
            shutil.rmtree(place.folder / "interrupted")
    assert call_interrupted(place.words("interrupted"), after_seconds=3600)[0] == 0
    check_like(place.folder / "interrupted", place.folder / "whole", [])
