"""Promises of the simulated survey: the same files however they came to be."""

import contextlib
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from metalight.errors import RunError
from metalight.simulation import SurveyDesign, Universe, draw_population, simulate_survey

SIDE = 16
NUM_GALAXIES = 40
SEED = 3


DESIGN = SurveyDesign(seed=SEED, side=SIDE)


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A survey made in one go, in one process."""
    folder = tmp_path_factory.mktemp("simulated") / "survey"
    simulate_survey(NUM_GALAXIES, folder, DESIGN, num_processes=1)
    return folder


def hash_files(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@contextlib.contextmanager
def interrupt(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar whose reader presses Ctrl-C at its first step."""

    def advance(steps: int) -> None:
        raise KeyboardInterrupt

    yield advance


class Recorder:
    """A progress bar that keeps what it was told."""

    def __init__(self) -> None:
        self.total = 0
        self.done = 0

    @contextlib.contextmanager
    def __call__(self, label: str, total: int) -> Iterator[Callable[[int], None]]:
        def advance(steps: int) -> None:
            self.done += steps

        self.total = total
        yield advance


# The survey on disk.


def test_a_survey_is_a_catalogue_with_an_image_for_each_row(survey: Path) -> None:
    catalog = pd.read_csv(survey / "catalog.csv")
    assert list(catalog)[:5] == ["objID", "ra", "dec", "z", "zErr"]
    population = draw_population(NUM_GALAXIES, SEED)
    assert catalog["objID"].tolist() == population["object_id"].tolist()
    np.testing.assert_allclose(catalog["oh_p50"], population["measured_metallicity"], atol=1e-5)
    truth = pd.read_csv(survey / "truth.csv")
    assert truth["objID"].tolist() == catalog["objID"].tolist()
    np.testing.assert_allclose(truth["metallicity"], population["metallicity"], atol=1e-6)
    for object_id in catalog["objID"]:
        with Image.open(survey / "images" / f"{object_id}.jpg") as image:
            assert (image.format, image.size, image.mode) == ("JPEG", (SIDE, SIDE), "RGB")
    assert len(list((survey / "images").iterdir())) == NUM_GALAXIES + 1


def test_a_survey_says_what_it_is(survey: Path) -> None:
    cutouts = json.loads((survey / "images" / "cutouts.json").read_text(encoding="utf-8"))
    assert cutouts == {"framing": "petrosian", "source": "simulated"}
    simulation = json.loads((survey / "simulation.json").read_text(encoding="utf-8"))
    assert {key: simulation[key] for key in ("seed", "side", "num_galaxies")} == {
        "seed": SEED,
        "side": SIDE,
        "num_galaxies": NUM_GALAXIES,
    }
    assert "version" in simulation


def test_the_number_of_processes_changes_no_byte(survey: Path, tmp_path: Path) -> None:
    recorder = Recorder()
    report = simulate_survey(NUM_GALAXIES, tmp_path, DESIGN, num_processes=2, progress=recorder)
    assert hash_files(tmp_path) == hash_files(survey)
    assert (report.num_galaxies, report.num_drawn) == (NUM_GALAXIES, NUM_GALAXIES)
    assert (recorder.total, recorder.done) == (NUM_GALAXIES, NUM_GALAXIES)


@pytest.mark.parametrize("num_processes", [1, 2])
def test_an_interrupted_survey_has_whole_files_only_and_goes_on_to_the_same_bytes(
    survey: Path, tmp_path: Path, num_processes: int
) -> None:
    with pytest.raises(KeyboardInterrupt):
        simulate_survey(NUM_GALAXIES, tmp_path, DESIGN, num_processes=num_processes, progress=interrupt)
    left, whole = hash_files(tmp_path), hash_files(survey)
    assert left.items() <= whole.items()
    assert "catalog.csv" not in left
    num_images = sum(name.endswith(".jpg") for name in left)
    assert num_images >= 16
    report = simulate_survey(NUM_GALAXIES, tmp_path, DESIGN, num_processes=1)
    assert report.num_drawn == NUM_GALAXIES - num_images
    assert hash_files(tmp_path) == whole


def test_images_that_are_there_are_not_drawn_again(survey: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (survey / "images").glob("*.jpg")}
    recorder = Recorder()
    report = simulate_survey(NUM_GALAXIES, survey, DESIGN, progress=recorder)
    assert (report.num_drawn, recorder.total) == (0, 0)
    assert {path: path.stat().st_mtime_ns for path in (survey / "images").glob("*.jpg")} == before


def test_a_survey_can_be_made_larger_and_is_then_as_if_made_at_once(survey: Path, tmp_path: Path) -> None:
    simulate_survey(10, tmp_path, DESIGN)
    report = simulate_survey(NUM_GALAXIES, tmp_path, DESIGN)
    assert report.num_drawn == NUM_GALAXIES - 10
    assert hash_files(tmp_path) == hash_files(survey)


def test_pieces_of_a_survey_are_those_of_a_survey_made_in_one_go(survey: Path, tmp_path: Path) -> None:
    simulate_survey(15, tmp_path / "a", DESIGN)
    simulate_survey(NUM_GALAXIES - 15, tmp_path / "b", replace(DESIGN, first=15))
    images = hash_files(tmp_path / "a" / "images") | hash_files(tmp_path / "b" / "images")
    assert images == hash_files(survey / "images")
    for name in ("catalog.csv", "truth.csv"):
        pieces = [pd.read_csv(tmp_path / part / name) for part in ("a", "b")]
        pd.testing.assert_frame_equal(pd.concat(pieces, ignore_index=True), pd.read_csv(survey / name))


@pytest.mark.parametrize("num_processes", [1, 2])
def test_galaxies_found_piece_by_piece_are_the_same(
    survey: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, num_processes: int
) -> None:
    monkeypatch.setattr("metalight.simulation.survey._GALAXIES_PER_PIECE", 7)
    simulate_survey(NUM_GALAXIES, tmp_path, DESIGN, num_processes=num_processes)
    assert hash_files(tmp_path) == hash_files(survey)


def test_the_limits_are_kept_beside_the_truth(tmp_path: Path) -> None:
    report = simulate_survey(2, tmp_path, DESIGN)
    pd.testing.assert_frame_equal(pd.read_csv(tmp_path / "limits.csv"), report.limits)


def test_what_a_killed_process_left_is_tidied_away(survey: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("metalight.atomic._swept", set())
    before = hash_files(survey)
    object_id = draw_population(1, SEED)["object_id"][0]
    (survey / f"images/.{object_id}.metalight-abcdefgh.jpg").write_bytes(b"half")
    (survey / ".catalog.metalight-abcdefgh.csv").write_bytes(b"half")
    simulate_survey(NUM_GALAXIES, survey, DESIGN)
    assert hash_files(survey) == before


@pytest.mark.parametrize(
    ("num", "changes", "message"),
    [
        (NUM_GALAXIES, {"seed": SEED + 1}, r"holds a survey of seed 3, not 4; name another folder, or ask for 3"),
        (NUM_GALAXIES, {"first": 5}, r"holds a survey of first 0, not 5"),
        (NUM_GALAXIES, {"side": SIDE + 1}, r"holds a survey of side 16, not 17"),
        (NUM_GALAXIES, {"framing": "fixed"}, r"holds a survey of framing petrosian, not fixed"),
        (NUM_GALAXIES, {"instrument": "deep-grz"}, r"holds a survey of instrument sdss, not deep-grz"),
        (NUM_GALAXIES, {"universe": Universe(label_dex=0.1)}, r"holds a survey of label_dex 0.04, not 0.1"),
        (NUM_GALAXIES - 1, {}, r"holds a larger survey, of 40 galaxies; ask for at least as many"),
    ],
)
def test_a_folder_with_another_survey_is_refused_and_left_as_it_was(
    survey: Path, num: int, changes: dict[str, Any], message: str
) -> None:
    before = hash_files(survey)
    with pytest.raises(RunError, match=message):
        simulate_survey(num, survey, replace(DESIGN, **changes))
    assert hash_files(survey) == before


def test_a_survey_of_a_metalight_that_drew_otherwise_is_refused(tmp_path: Path) -> None:
    simulate_survey(1, tmp_path, DESIGN)
    path = tmp_path / "simulation.json"
    settings = json.loads(path.read_text(encoding="utf-8")) | {"scene_version": 0, "version": "0.0.1"}
    path.write_text(json.dumps(settings), encoding="utf-8")
    with pytest.raises(RunError, match=r"by metalight 0\.0\.1, which draws other galaxies"):
        simulate_survey(2, tmp_path, DESIGN)


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "{}", '{"num_galaxies": null}', '{"num_galaxies": Infinity}', "[" * 100_000]
)
def test_settings_that_cannot_be_read_are_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "simulation.json").write_text(text, encoding="utf-8")
    with pytest.raises(RunError, match="cannot be read as the settings of a survey"):
        simulate_survey(2, tmp_path, DESIGN)


def test_a_folder_of_other_files_is_refused_but_hidden_files_are_no_hindrance(tmp_path: Path) -> None:
    (tmp_path / ".DS_Store").write_bytes(b"")
    simulate_survey(1, tmp_path / "a", DESIGN)
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / ".DS_Store").write_bytes(b"")
    simulate_survey(1, tmp_path / "b", DESIGN)
    with pytest.raises(RunError, match="holds files but no simulated survey; name a new or empty folder"):
        simulate_survey(1, tmp_path, DESIGN)
    with pytest.raises(RunError, match="is a file; name a new folder"):
        simulate_survey(1, tmp_path / ".DS_Store", DESIGN)


def test_a_folder_that_cannot_be_made_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(RunError, match="cannot be written: a file stands where a folder should be; fix that"):
        simulate_survey(1, tmp_path / "file" / "survey", DESIGN)


@pytest.mark.parametrize(
    ("num", "changes", "num_processes", "message"),
    [
        (0, {}, None, "needs at least 1 galaxy, not 0"),
        (10_000_001, {}, None, "at most 10000000 galaxies"),
        (2, {"first": 9_999_999}, None, "at most 10000000 galaxies, not 2 from number 9999999 on"),
        (1, {"first": -1}, None, "number of the first galaxy must not be negative, and is -1"),
        (1, {"seed": -1}, None, "seed must not be negative"),
        (1, {"side": 7}, None, "8 to 1024 pixels on a side, not 7"),
        (1, {"side": 1025}, None, "8 to 1024 pixels on a side, not 1025"),
        (1, {"framing": "other"}, None, "Images need a frame; use petrosian, fixed or fifteen"),
        (1, {"instrument": "sds"}, None, "There is no instrument 'sds'. Did you mean 'sdss'"),
        (1, {}, 0, "At least 1 process must draw"),
    ],
)
def test_arguments_out_of_range_are_refused_before_anything_is_written(
    tmp_path: Path, num: int, changes: dict[str, Any], num_processes: int | None, message: str
) -> None:
    with pytest.raises(RunError, match=re.escape(message)):
        simulate_survey(num, tmp_path / "survey", replace(SurveyDesign(), **changes), num_processes=num_processes)
    assert not (tmp_path / "survey").exists()


def test_importing_the_stage_imports_no_slow_library() -> None:
    code = "import sys, metalight.simulation; print({'scipy', 'sklearn', 'torch'} & set(sys.modules))"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "set()"
