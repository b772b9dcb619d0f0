"""What is not a regular file of a sensible size is refused at once, wherever a command takes a file's name."""

import os
import shutil
import tomllib
from pathlib import Path

import pytest

from bounded import Feed, count_outcomes
from call import QUICK, call
from make import make_sample
from metalight.small_files import load_json, parse_toml, read_small_file

SPECIAL = ("pipe", "/dev/zero", "/dev/full", "folder")
COMMANDS: tuple[tuple[object, ...], ...] = (
    ("run", "SPECIAL"),
    ("recipe", "check", "SPECIAL"),
    ("study", "show", "SPECIAL"),
    ("study", "bands", "SPECIAL"),
    ("run", "recipe.toml", "--run-dir", "run", "--set", "catalog.path=SPECIAL"),
    ("run", "recipe.toml", "--run-dir", "run", "--set", "model.weights=SPECIAL"),
    ("run", "recipe.toml", "--run-dir", "run", "--set", "splits.method=ids", "--set", "splits.test_ids=SPECIAL"),
    ("predict", "SPECIAL", "--images", "images", "-o", "out.csv"),
    ("predict", "model", "--images", "SPECIAL", "-o", "out.csv"),
    ("predict", "model", "--images", "images", "--catalog", "SPECIAL", "-o", "out.csv"),
    ("evaluate", "SPECIAL", "--id", "objID", "--truth", "oh_p50", "--predicted", "oh_p50", "-o", "scores"),
    ("compare", "SPECIAL", "catalog.csv"),
    ("rank", "SPECIAL"),
    ("simulate", "--galaxies", 10, "-o", "survey", "--universe", "SPECIAL"),
)


def prepare(folder: Path) -> Feed:
    os.chdir(folder)
    make_sample(folder, 40)
    (folder / "recipe.toml").write_text(QUICK)
    for suffix in (".toml", ".csv", ".txt", ".safetensors", ""):
        os.mkfifo(f"pipe{suffix}")
    (folder / "folder.toml").mkdir()
    (folder / "model").mkdir()
    os.mkfifo(folder / "model" / "config.json")
    call("run", "recipe.toml", "--run-dir", "whole", "--only", "splits")  # what is imported does not count

    def feed(seed: int) -> str:
        special = SPECIAL[seed % len(SPECIAL)]
        command = COMMANDS[seed // len(SPECIAL)]
        suffix = ".txt" if "splits.test_ids=SPECIAL" in command else ""
        suffix = ".toml" if command[0] in ("run", "study", "recipe") and not suffix else suffix
        name = special if special.startswith("/") else f"{special}{suffix}"
        if special == "folder":
            name = "folder.toml"
        result = call(*(str(word).replace("SPECIAL", name) for word in command))
        assert result.exit_code in (1, 2), f"{command} {name}: {result.exit_code} {result.output} {result.exception!r}"
        assert isinstance(result.exception, SystemExit), f"{command} {name}: {result.exception!r}"
        shutil.rmtree(folder / "run", ignore_errors=True)
        return "refused"

    return feed


def test_pipes_devices_and_folders_are_refused_by_every_command(tmp_path: Path) -> None:
    count = len(SPECIAL) * len(COMMANDS)
    assert count_outcomes(prepare, tmp_path, seeds=range(count)) == {"refused": count}


def test_a_file_is_read_up_to_its_limit(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"12345")
    assert read_small_file(tmp_path / "a", most_bytes=5) == b"12345"
    with pytest.raises(OSError, match="more than 4 bytes"):
        read_small_file(tmp_path / "a", most_bytes=4)


@pytest.mark.parametrize(
    "text", ["a.b.c = 1", "[a.b.c.d]\ne.f = [[1], [2]]", "a = 'x.y.z.x.y.z'", "a = [0.1, 0.2, 0.3]"]
)
def test_what_people_write_is_not_too_deep(text: str) -> None:
    assert parse_toml(text) == tomllib.loads(text)
    assert parse_toml("a = [" + "0.1, " * 1000 + "]")["a"]


def test_what_a_strangers_json_holds_is_refused_as_no_json(tmp_path: Path) -> None:
    path = tmp_path / "metrics.json"
    for content in (b"[" * 100_000, b"\xff", b"{"):
        path.write_bytes(content)
        with pytest.raises(ValueError):  # noqa: PT011 (whatever it says)
            load_json(path)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(OSError, match="a pipe or a device"):
        load_json(path)
