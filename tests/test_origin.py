"""Promises of what a folder of images says of itself."""

import os
from pathlib import Path

import pytest

from metalight.cutouts import ImageOrigin, check_origin, compute_folder_digest, load_origin
from metalight.errors import ImageError


def test_a_folder_that_says_nothing_is_taken_at_the_user_s_word(tmp_path: Path) -> None:
    assert load_origin(tmp_path) == ImageOrigin()
    check_origin(tmp_path, framing="fixed", source="sdss")


def test_a_folder_is_refused_where_it_denies_what_is_said_of_it(tmp_path: Path) -> None:
    (tmp_path / "cutouts.json").write_text('{"framing": "petrosian", "source": "sdss"}')
    check_origin(tmp_path, framing="petrosian", source="sdss")
    with pytest.raises(ImageError, match=r"state the framing 'petrosian' .* set \[cutouts\] framing = \"petrosian\""):
        check_origin(tmp_path, framing="fixed", source="sdss")
    with pytest.raises(ImageError, match="state the source 'sdss'"):
        check_origin(tmp_path, framing="petrosian", source="legacy")


@pytest.mark.parametrize(
    "content", ["", "[]", "[" * 100_000, '{"framing": "wide"}', '{"framing": "%s"}' % (r"a\n" * 999)]
)
def test_a_statement_that_cannot_be_understood_is_refused_on_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "cutouts.json").write_text(content)
    with pytest.raises(ImageError, match=r"cutouts\.json") as caught:
        load_origin(tmp_path)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_the_digest_changes_with_names_sizes_and_times_only(tmp_path: Path) -> None:
    for name in ("1.jpg", "2.jpg"):
        (tmp_path / name).write_bytes(b"x")
    digest = compute_folder_digest(tmp_path)
    (tmp_path / "notes.txt").write_text("not an image")
    assert compute_folder_digest(tmp_path) == digest
    status = (tmp_path / "1.jpg").stat()
    os.utime(tmp_path / "1.jpg", ns=(status.st_atime_ns, status.st_mtime_ns + 1_000_000))
    changed = compute_folder_digest(tmp_path)
    (tmp_path / "2.jpg").rename(tmp_path / "3.jpg")
    assert len({digest, changed, compute_folder_digest(tmp_path)}) == 3
