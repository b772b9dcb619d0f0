"""Promises of places that cannot be used: one sentence, before torch where it can be, and nothing is lost."""

import contextlib
import ctypes
import os
import resource
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest

from call import change_catalog, refuse, refuse_run, succeed
from make import FIRST_ID


def put_file(place: Path) -> None:
    clear(place)
    place.write_text("mine")


def put_folder(place: Path) -> None:
    clear(place)
    place.mkdir()
    (place / "mine").write_text("mine")


def put_circle(place: Path) -> None:
    clear(place)
    place.symlink_to(place.with_name(f"{place.name}-back"))
    place.with_name(f"{place.name}-back").symlink_to(place)


def clear(place: Path) -> None:
    """Move away what is there."""
    if place.exists():
        place.rename(place.with_name(f"{place.name}-before"))
    place.parent.mkdir(exist_ok=True)


def list_entries(folder: Path) -> dict[str, int]:
    """Every path below a folder, and when it changed."""
    return {str(path.relative_to(folder)): path.lstat().st_mtime_ns for path in folder.rglob("*")}


@contextlib.contextmanager
def full_disk(num_kilobytes: int) -> Iterator[None]:
    """No file grows beyond this size, as on a disk that has no more room."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (num_kilobytes * 1024, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class _Header(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _Capabilities(ctypes.Structure):
    _fields_ = (("effective", ctypes.c_uint32), ("permitted", ctypes.c_uint32), ("inheritable", ctypes.c_uint32))


@pytest.fixture
def ordinary_user() -> Iterator[None]:
    """Files without permission are refused, also to root, who lays down the capability to read and write them."""
    if os.geteuid() != 0:
        yield
        return
    if sys.platform != "linux":
        pytest.skip("root may read everything, and only Linux lets it lay that down")
    system, header, held = ctypes.CDLL(None), _Header(0x20080522, 0), (_Capabilities * 2)()
    assert system.capget(ctypes.byref(header), held) == 0
    before = held[0].effective
    held[0].effective &= ~0b110  # CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH
    assert system.capset(ctypes.byref(header), held) == 0
    try:
        yield
    finally:
        held[0].effective = before
        assert system.capset(ctypes.byref(header), held) == 0


FOLDERS = ("figures", "predictions", "model", "pixels", "training", "training/checkpoints", "refused")


@pytest.mark.parametrize("name", FOLDERS)
def test_a_file_or_a_circle_where_a_run_needs_a_folder_is_refused_at_once(copy: Path, name: str) -> None:
    for put, flaw in (
        (put_file, "is a file, where the run needs a folder; move it away."),
        (put_circle, "is a link that leads in a circle; the run needs a folder there: move the link away."),
    ):
        put(copy / "run" / name)
        before = list_entries(copy)
        assert f"run/{name} {flaw}" in refuse_run(copy)
        assert list_entries(copy) == before
        (copy / "run" / name).unlink()


@pytest.mark.parametrize(
    "name", ["stages.json", "recipe.toml", "metrics.json", "splits.parquet", "model/config.json", "refused/pixels.csv"]
)
def test_a_folder_where_a_run_needs_a_file_is_refused_at_once(copy: Path, name: str) -> None:
    put_folder(copy / "run" / name)
    before = list_entries(copy)
    assert f"run/{name} is a folder, where the run needs a file; move it away." in refuse_run(copy)
    assert list_entries(copy) == before


def test_other_things_in_the_place_of_a_run_or_of_what_it_reads_are_refused(sample: Path) -> None:
    for put, name, status, message in (
        (put_file, "run", 1, "run cannot be made: a file stands where a folder should be; choose another --run-dir."),
        (put_circle, "run", 1, "run is a link that leads in a circle; choose another --run-dir."),
        (put_file, "images", 1, "images is a file, not a folder of images; check its path."),
        (put_circle, "images", 1, "images is a link that leads in a circle; check its path."),
        (put_folder, "catalog.csv", 1, "catalog.csv is a folder without .parquet parts, not a table"),
        (put_circle, "catalog.csv", 1, "catalog.csv cannot be read: a link leads in a circle. Fix that, or name"),
        (put_folder, "recipe.toml", 2, "recipe.toml is a folder without recipe.toml"),
        (put_circle, "recipe.toml", 2, "recipe.toml cannot be read: a link leads in a circle. Fix that first."),
    ):
        put(sample / name)
        assert message in refuse_run(sample, status=status)
        place = sample / name
        place.rename(sample / f"aside-{put.__name__}-{name}")
        if place.with_name(f"{name}-before").exists():
            place.with_name(f"{name}-before").rename(place)
    assert "mine" in (sample / "aside-put_file-run").read_text()


def test_a_circle_in_the_place_of_a_run_to_predict_with_or_to_compare_is_refused(copy: Path) -> None:
    put_circle(copy / "run")
    flaw = "run is a link that leads in a circle; give "
    output = ["--images", copy / "images", "-o", copy / "p.csv"]
    assert f"{flaw}the folder that holds config.json" in refuse("predict", copy / "run", *output)
    assert f"{flaw}a run folder or a table" in refuse("compare", copy / "run", copy / "run-before")
    weights = copy / "weights.safetensors"
    put_circle(weights)
    assert f"{flaw[4:16]}" in refuse_run(copy, "--run-dir", copy / "new", "--set", f"model.weights={weights}")


def list_writers(folder: Path) -> dict[str, list[object]]:
    """Commands that write results, without the place."""
    table = folder / "run/predictions/test.parquet"
    scored = ["--truth", "oh_p50", "--predicted", "oh_p50_predicted", "--bootstrap", 100]
    return {
        "evaluate": ["evaluate", table, *scored, "-o"],
        "compare": ["compare", table, table, "--bootstrap", 100, "-o"],
        "simulate": ["simulate", "--galaxies", 2, "--side", 8, "-o"],
        "predict": ["predict", folder / "run", "--images", folder / "images", "--views", "none", "-o"],
    }


@pytest.mark.parametrize("command", ["evaluate", "compare", "simulate"])
def test_a_file_in_the_place_of_results_or_a_folder_in_one_of_theirs_is_refused(
    finished: Path, tmp_path: Path, command: str
) -> None:
    if command == "simulate":
        pytest.importorskip("galsim")
    (tmp_path / "out").write_text("mine")
    message = refuse(*list_writers(finished)[command], tmp_path / "out")
    assert ("is a file; name a new folder" if command == "simulate" else "a file stands where a folder") in message
    assert (tmp_path / "out").read_text() == "mine"
    for name in ("metrics.json", "comparison.json", "simulation.json"):
        (tmp_path / "other" / name).mkdir(parents=True)
    message = refuse(*list_writers(finished)[command], tmp_path / "other")
    assert f"{tmp_path / 'other'}" in message
    assert "a folder stands where a file should be" in message
    assert "another" in message


@pytest.mark.parametrize("name", ["p.csv", "p.csv.refused.csv"])
def test_a_folder_in_the_place_of_predictions_is_refused_before_them(finished: Path, tmp_path: Path, name: str) -> None:
    put_folder(tmp_path / name)
    message = refuse(*list_writers(finished)["predict"], tmp_path / "p.csv")
    assert f"{name} is a folder, not a table; name a file in it." in message
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("command", "num_kilobytes"),
    [
        ("predict", 0),
        ("predict", 1),
        ("evaluate", 1),
        ("evaluate", 20),
        ("compare", 1),
        ("compare", 20),
        ("simulate", 0),
    ],
)
def test_a_full_disk_is_told_in_one_sentence_and_leaves_what_was_there(
    finished: Path, tmp_path: Path, command: str, num_kilobytes: int
) -> None:
    if command == "simulate":
        pytest.importorskip("galsim")
    writer = list_writers(finished)[command]
    output = tmp_path / ("p.parquet" if command == "predict" else "out")
    if command == "predict":
        output.write_text("of before")
    with full_disk(num_kilobytes):
        message = refuse(*writer, output)
    assert str(output) in message
    assert "File too large" in message
    assert "same" in message or "another place" in message
    if command == "predict":
        assert output.read_text() == "of before"
    assert not [path for path in tmp_path.rglob(".*") if ".metalight-" in path.name]
    succeed(*writer, output)


def test_an_output_that_takes_no_more_is_told_in_one_sentence() -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-c", "from metalight.cli import main; main()", "recipe", "list"]
        ended = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert ended.returncode == 1
    assert ended.stderr.startswith("Error: What comes out cannot be written: the disk is full. Fix that")
    assert len(ended.stderr.splitlines()) == 1


@pytest.mark.usefixtures("ordinary_user")
def test_what_may_not_be_read_or_written_is_refused_by_name(copy: Path) -> None:
    predict = list_writers(copy)["predict"]
    for name, words, message in (
        ("recipe.toml", None, "recipe.toml cannot be read: Permission denied. Fix that first."),
        ("catalog.csv", None, "catalog.csv cannot be read: Permission denied. Fix that, or name another file."),
        ("images", None, "images cannot be read: Permission denied."),
        ("run", None, "run cannot be used: Permission denied. Fix that and run the same command again."),
        ("run/model", predict, "config.json cannot be used: Permission denied. Fix that and run"),
        ("run/model/config.json", predict, "config.json cannot be read as a model's description: Permission denied;"),
        ("run/model/model.safetensors", predict, "the file cannot be read: Permission denied; copy it again."),
    ):
        mode = (copy / name).stat().st_mode
        (copy / name).chmod(0)
        status = 2 if name == "recipe.toml" else 1
        try:
            refused = refuse(*words, copy / "p.csv") if words else refuse_run(copy, status=status)
        finally:
            (copy / name).chmod(mode)
        assert message in refused
    copy.chmod(0o555)
    for command, words in list_writers(copy).items():
        place = copy / ("p.csv" if command == "predict" else "out")
        if command != "simulate":
            assert f"{place}" in (message := refuse(*words, place))
            assert "Permission denied. Fix that, or choose another place." in message
    message = refuse("run", copy / "recipe.toml", "--run-dir", copy / "new")
    assert "new cannot be made: Permission denied; choose another --run-dir." in message
    copy.chmod(0o755)


@pytest.mark.usefixtures("ordinary_user")
def test_an_image_that_could_not_be_read_is_tried_again_by_the_same_command(sample: Path) -> None:
    # Sets that leave nothing to train on, so that the command ends soon after the images.
    change_catalog(sample, part="test")
    command = ["--set", "splits.method=column", "--set", "splits.column=part"]
    image = sample / f"images/{FIRST_ID}.png"
    image.chmod(0)
    assert "left for training" in refuse_run(sample, *command)
    refused = pd.read_csv(sample / "run/refused/pixels.csv")
    assert refused["object_id"].tolist() == [FIRST_ID]
    assert refused["reason"].tolist() == ["cannot be read: Permission denied"]
    made = list_entries(sample / "run/pixels")
    refuse_run(sample, *command)
    assert list_entries(sample / "run/pixels") == made  # still not to be read, so nothing is decoded again
    image.chmod(0o644)  # which changes neither its size nor its time
    assert "left for training" in refuse_run(sample, *command)
    assert pd.read_csv(sample / "run/refused/pixels.csv").empty
    assert len(pd.read_parquet(sample / "run/pixels/index.parquet")) == 40
