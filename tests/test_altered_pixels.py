"""Promises of decoded images that were altered after they were made: it is noticed, told, and fixed; and costs no
reading where nothing has happened."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from call import list_performed, refuse, run, succeed
from metalight.images import pixels as pixels_module

TOLD = "; decoded again: they had been altered since they were made"


def flip_a_bit(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-100] ^= 1
    path.write_bytes(content)


def keep_times(change: Callable[[Path], None]) -> Callable[[Path], None]:
    """A change after which the time of modification is as before, as some programs of synchronisation leave it."""

    def changed(path: Path) -> None:
        status = path.stat()
        change(path)
        os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))

    return changed


def replace_by_other(path: Path) -> None:
    shutil.copy(path, path.with_name("new"))
    flip_a_bit(path.with_name("new"))
    path.with_name("new").replace(path)


@pytest.mark.parametrize("name", ["pixels.npy", "index.parquet", "refused.parquet"])
@pytest.mark.parametrize("change", [flip_a_bit, keep_times(flip_a_bit), replace_by_other])
def test_an_altered_file_of_the_same_size_is_noticed_told_and_made_anew(
    copy: Path, name: str, change: Callable[[Path], None]
) -> None:
    run(copy)
    before = (copy / "run/pixels/pixels.npy").read_bytes()
    change(copy / "run/pixels" / name)
    output = run(copy)
    assert list_performed(output) == ["pixels"]
    assert TOLD in output
    assert (copy / "run/pixels/pixels.npy").read_bytes() == before
    assert list_performed(run(copy)) == []


def test_a_file_that_lacks_bytes_is_told_of_too(copy: Path) -> None:
    run(copy)
    os.truncate(copy / "run/pixels/pixels.npy", 1000)
    output = run(copy)
    assert list_performed(output) == ["pixels"]
    assert TOLD in output


def test_a_copied_or_touched_cache_is_looked_through_once_and_kept(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(copy)
    read: list[Path] = []
    hash_content = pixels_module._hash_content

    def note(cache: Path) -> dict[str, str]:
        read.append(cache)
        return hash_content(cache)

    monkeypatch.setattr(pixels_module, "_hash_content", note)
    (copy / "run/pixels/pixels.npy").touch()
    assert list_performed(run(copy)) == []
    assert len(read) == 1
    assert list_performed(run(copy)) == []
    assert len(read) == 1  # nothing is read while nothing happens


def test_a_stage_alone_does_not_read_altered_images(copy: Path) -> None:
    run(copy)
    flip_a_bit(copy / "run/pixels/pixels.npy")
    arguments = ("run", copy / "recipe.toml", "--run-dir", copy / "run", "--only")
    assert "builds on what 'pixels' makes, which is not there or not up to date" in refuse(*arguments, "training")
    assert list_performed(succeed(*arguments, "evaluation")) == ["evaluation"]  # which reads none
    assert TOLD in succeed(*arguments, "pixels")
    assert list_performed(succeed(*arguments, "figures")) == ["figures"]


def test_altered_images_of_a_run_are_not_predicted(copy: Path, tmp_path: Path) -> None:
    run(copy)
    arguments = ["predict", copy / "run", "--images", copy / "run", "-o", tmp_path / "out.csv"]
    succeed(*arguments)
    flip_a_bit(copy / "run/pixels/pixels.npy")
    message = refuse(*arguments)
    assert f"The decoded images of the run {copy / 'run'} are missing, or were altered since they were made" in message
    command = message.split("`")[1].split()
    assert command[0] == "metalight"
    assert TOLD in succeed(*command[1:])
    succeed(*arguments)
    shutil.rmtree(copy / "run/pixels")
    assert "are missing, or were altered" in refuse(*arguments)


def test_numbers_come_from_the_images_as_they_were_decoded(copy: Path) -> None:
    before = (copy / "run/model/model.safetensors").read_bytes()
    run(copy)
    array = np.load(copy / "run/pixels/pixels.npy", mmap_mode="r+")
    array[:] = 255 - array
    array.flush()
    assert list_performed(run(copy, "--from", "training"))[0] == "pixels"
    assert (copy / "run/model/model.safetensors").read_bytes() == before
