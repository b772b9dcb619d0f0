"""Promises of files written in one step: whole or not there, whatever happens on the way."""

from pathlib import Path

import pytest

from metalight.atomic import replace_file, replace_folder


def test_a_file_appears_whole_with_the_usual_permissions(tmp_path: Path) -> None:
    path = tmp_path / "deep/er/a.csv"
    with replace_file(path) as temporary:
        temporary.write_text("new")
        assert temporary.suffix == ".csv"
        assert not path.exists()
    (tmp_path / "usual").write_text("")
    assert path.read_text() == "new"
    assert path.stat().st_mode == (tmp_path / "usual").stat().st_mode
    assert list(path.parent.iterdir()) == [path]


@pytest.mark.parametrize("interruption", [ValueError, KeyboardInterrupt])
def test_an_interrupted_file_leaves_the_old_one(tmp_path: Path, interruption: type[BaseException]) -> None:
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(interruption), replace_file(path) as temporary:  # noqa: PT012
        temporary.write_text("half")
        raise interruption
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_takes_the_place_of_the_old_one_in_whole(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    for name in ("first", "second"):
        with replace_folder(folder) as temporary:
            (temporary / name).write_text(name)
        assert [path.name for path in folder.iterdir()] == [name]
    with pytest.raises(ValueError, match="stop"), replace_folder(folder) as temporary:  # noqa: PT012
        (temporary / "third").write_text("half")
        raise ValueError("stop")
    assert [path.name for path in folder.iterdir()] == ["second"]
    assert list(tmp_path.iterdir()) == [folder]
