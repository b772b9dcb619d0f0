"""Promises of the cache of decoded images: each row is its galaxy's image, and it is whole, current or not there."""

import io
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from metalight.cutouts import find_cutouts
from metalight.errors import ImageError
from metalight.images import build_pixels, load_pixels
from metalight.images import pixels as pixels_module
from metalight.images import reading as reading_module
from metalight.progress import Progress

SIDE = 8


def draw_id(object_id: int, side: int = SIDE) -> npt.NDArray[np.uint8]:
    """An image that tells whose it is: the identifier's eight bytes in the first row, the same noise in every other."""
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    pixels[0, :8, :] = np.frombuffer(object_id.to_bytes(8, "big"), dtype=np.uint8)[:, None]
    return pixels


def encode(pixels: npt.NDArray[np.uint8]) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def write_galaxies(folder: Path, *object_ids: int) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for object_id in object_ids:
        (folder / f"{object_id}.png").write_bytes(encode(draw_id(object_id)))
    return folder


def find(folder: Path, *object_ids: int) -> pd.DataFrame:
    return find_cutouts(folder, np.array(object_ids, dtype=np.int64)).found


def reasons(refused: pd.DataFrame) -> dict[int, str]:
    return dict(zip(refused["object_id"].tolist(), refused["reason"].tolist(), strict=True))


def assert_rows_match(cache: Path, *object_ids: int) -> None:
    pixels = load_pixels(cache)
    assert pixels.object_ids.tolist() == list(object_ids)
    assert pixels.array.shape == (len(object_ids), SIDE, SIDE, 3)
    for object_id, row in zip(object_ids, pixels.array, strict=True):
        np.testing.assert_array_equal(row, draw_id(object_id))


def test_rows_keep_the_order_in_which_galaxies_were_found(tmp_path: Path) -> None:
    object_ids = (5, 1237648720693755918, 3, 2**63 - 1)
    folder = write_galaxies(tmp_path / "images", *object_ids)
    report = build_pixels(folder, find(folder, *object_ids), tmp_path / "pixels", side=SIDE)
    assert (report.num_galaxies, len(report.refused), report.is_fresh, report.num_grey) == (4, 0, False, 0)
    assert report.shapes == {(SIDE, SIDE): 4}
    assert_rows_match(tmp_path / "pixels", *object_ids)


def test_the_folder_holds_the_documented_files_and_no_path_of_this_machine(tmp_path: Path) -> None:
    folder = write_galaxies(tmp_path / "images", 1, 2)
    build_pixels(folder, find(folder, 1, 2), tmp_path / "pixels", side=SIDE)
    names = {"pixels.npy", "index.parquet", "refused.parquet", "content.json", "fingerprint.json"}
    assert {path.name for path in (tmp_path / "pixels").iterdir()} == names
    for name in names:
        assert os.fsencode(tmp_path) not in (tmp_path / "pixels" / name).read_bytes()
    assert np.load(tmp_path / "pixels/pixels.npy").shape == (2, SIDE, SIDE, 3)
    assert pd.read_parquet(tmp_path / "pixels/index.parquet")["object_id"].dtype == np.int64


def test_images_of_other_sizes_are_resampled_and_counted(tmp_path: Path) -> None:
    folder = write_galaxies(tmp_path / "images", 1)
    (folder / "2.png").write_bytes(encode(draw_id(2, side=16)))
    (folder / "3.png").write_bytes(encode(np.repeat(draw_id(3)[..., :1], 3, axis=2)))
    report = build_pixels(folder, find(folder, 1, 2, 3), tmp_path / "pixels", side=SIDE)
    assert report.shapes == {(8, 8): 2, (16, 16): 1}
    assert report.num_grey == 1
    means = draw_id(2, side=16).reshape(8, 2, 8, 2, 3).mean(axis=(1, 3))
    assert np.abs(load_pixels(tmp_path / "pixels").array[1] - means).max() <= 1


def test_images_that_cannot_be_used_are_refused_with_the_reason(tmp_path: Path) -> None:
    folder = write_galaxies(tmp_path / "images", 1, 2)
    (folder / "3.jpg").write_text("words")
    (folder / "4.png").write_bytes(encode(draw_id(4))[:-60])
    (folder / "5.png").write_bytes(encode(np.full((8, 8, 3), 7, dtype=np.uint8)))
    (folder / "6.png").write_bytes(b"")
    (folder / "7.png").write_bytes(encode(draw_id(7)))
    found = find(folder, 7, 6, 5, 1, 4, 3, 2)
    (folder / "7.png").unlink()
    report = build_pixels(folder, found, tmp_path / "pixels", side=SIDE)
    assert_rows_match(tmp_path / "pixels", 1, 2)
    assert report.num_galaxies == 2
    assert report.refused["object_id"].tolist() == [7, 6, 5, 4, 3]
    assert report.refused["path"].tolist() == ["7.png", "6.png", "5.png", "4.png", "3.jpg"]
    assert reasons(report.refused) == {
        3: "is not a picture that can be read (JPEG, PNG, TIFF, WEBP, BMP, GIF)",
        4: "is cut short: it does not decode whole",
        5: "is blank: every pixel has the same value",
        6: "is an empty file",
        7: "cannot be read: No such file or directory",
    }


def test_copies_of_one_image_are_refused_for_every_galaxy(tmp_path: Path) -> None:
    folder = write_galaxies(tmp_path / "images", 1, 2, 3, 7)
    shutil.copy(folder / "1.png", folder / "4.png")
    for copy in (5, 6):
        shutil.copy(folder / "2.png", folder / f"{copy}.png")
    report = build_pixels(folder, find(folder, 1, 2, 3, 4, 5, 6, 7), tmp_path / "pixels", side=SIDE)
    assert_rows_match(tmp_path / "pixels", 3, 7)
    assert reasons(report.refused) == {
        1: "is byte for byte the image of another galaxy: 4",
        2: "is byte for byte the image of another galaxy: 5 and of 1 more",
        4: "is byte for byte the image of another galaxy: 1",
        5: "is byte for byte the image of another galaxy: 2 and of 1 more",
        6: "is byte for byte the image of another galaxy: 2 and of 1 more",
    }


STATES = st.sampled_from(["fine", "fine", "fine", "words", "blank", "copy", "gone"])


@given(st.dictionaries(st.integers(1, 2**63 - 1), STATES, min_size=1, max_size=50), st.integers(1, 4))
@settings(max_examples=30, deadline=None)
def test_no_galaxy_ever_gets_another_s_image(
    tmp_path_factory: pytest.TempPathFactory, galaxies: dict[int, str], num_threads: int
) -> None:
    root = tmp_path_factory.mktemp("survey")
    folder = write_galaxies(root / "images", *galaxies)
    for object_id, state in galaxies.items():
        if state == "words":
            (folder / f"{object_id}.png").write_text(f"galaxy {object_id}")
        elif state == "blank":
            (folder / f"{object_id}.png").write_bytes(encode(np.zeros((9, 9, 3), dtype=np.uint8)))
        elif state == "copy":
            (folder / f"{object_id}.png").write_bytes(encode(draw_id(0)))
    found = find(folder, *galaxies)
    for object_id, state in galaxies.items():
        if state == "gone":
            (folder / f"{object_id}.png").unlink()
    is_lone_copy = list(galaxies.values()).count("copy") == 1
    good = [key for key, state in galaxies.items() if state == "fine" or (state == "copy" and is_lone_copy)]
    if not good:
        with pytest.raises(ImageError, match="can be used"):
            build_pixels(folder, found, root / "pixels", side=SIDE, num_threads=num_threads)
        return
    report = build_pixels(folder, found, root / "pixels", side=SIDE, num_threads=num_threads)
    pixels = load_pixels(root / "pixels")
    assert pixels.object_ids.tolist() == good
    for object_id, row in zip(good, pixels.array, strict=True):
        np.testing.assert_array_equal(row, draw_id(0 if galaxies[object_id] == "copy" else object_id))
    assert sorted(good + report.refused["object_id"].tolist()) == sorted(galaxies)


def test_compaction_in_several_steps_keeps_rows_and_galaxies_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pixels_module, "_ROWS_A_COPY", 3)
    folder = write_galaxies(tmp_path / "images", *range(1, 41))
    for copy in range(4, 40, 5):
        shutil.copy(folder / "1.png", folder / f"{copy}.png")
    build_pixels(folder, find(folder, *range(1, 41)), tmp_path / "pixels", side=SIDE)
    assert_rows_match(tmp_path / "pixels", *[key for key in range(2, 41) if key % 5 != 4])


def test_the_number_of_threads_changes_nothing(tmp_path: Path) -> None:
    folder = write_galaxies(tmp_path / "images", *range(1, 60))
    found = find(folder, *range(1, 60))
    for num_threads in (1, 3):
        build_pixels(folder, found, tmp_path / f"pixels-{num_threads}", side=SIDE, num_threads=num_threads)
    for name in ("pixels.npy", "fingerprint.json"):
        assert (tmp_path / "pixels-1" / name).read_bytes() == (tmp_path / "pixels-3" / name).read_bytes()


def test_nothing_is_read_again_while_nothing_changes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_galaxies(tmp_path / "images", 1, 2)
    (folder / "3.jpg").write_text("words")
    first = build_pixels(folder, find(folder, 1, 2, 3), tmp_path / "pixels", side=SIDE)
    monkeypatch.setattr(reading_module, "decode_files", None)
    again = build_pixels(folder, find(folder, 1, 2, 3), tmp_path / "pixels", side=SIDE)
    assert (first.is_fresh, again.is_fresh) == (False, True)
    pd.testing.assert_frame_equal(first.refused, again.refused)
    assert (first.num_galaxies, first.num_grey, first.shapes) == (again.num_galaxies, again.num_grey, again.shapes)


def test_any_change_of_the_inputs_builds_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_galaxies(tmp_path / "images", 1, 2, 3)
    cache = tmp_path / "pixels"

    def is_fresh(*object_ids: int, side: int = SIDE) -> bool:
        return build_pixels(folder, find(folder, *object_ids), cache, side=side).is_fresh

    assert [is_fresh(1, 2), is_fresh(1, 2)] == [False, True]
    assert [is_fresh(2, 1), is_fresh(2, 1)] == [False, True]
    assert [is_fresh(2, 1, 3), is_fresh(2, 1, 3)] == [False, True]
    os.utime(folder / "3.png", ns=(1, 1))
    assert [is_fresh(2, 1, 3), is_fresh(2, 1, 3)] == [False, True]
    assert [is_fresh(2, 1, 3, side=4), is_fresh(2, 1, 3, side=4)] == [False, True]
    assert load_pixels(cache).side == 4
    monkeypatch.setattr("metalight.images.kinds.DECODING_VERSION", 999)
    assert not is_fresh(2, 1, 3, side=4)


def test_a_file_that_could_not_be_read_is_tried_again(tmp_path: Path) -> None:
    folder = write_galaxies(tmp_path / "images", 1, 2)
    found = find(folder, 1, 2)
    (folder / "2.png").rename(tmp_path / "2.png")
    assert build_pixels(folder, found, tmp_path / "pixels", side=SIDE).num_galaxies == 1
    (tmp_path / "2.png").rename(folder / "2.png")
    report = build_pixels(folder, found, tmp_path / "pixels", side=SIDE)
    assert (report.num_galaxies, report.is_fresh) == (2, False)


def test_a_file_that_grew_since_it_was_listed_is_refused(tmp_path: Path) -> None:
    folder = write_galaxies(tmp_path / "images", 1, 2)
    found = find(folder, 1, 2)
    with (folder / "2.png").open("ab") as file:
        file.write(b"more")
    report = build_pixels(folder, found, tmp_path / "pixels", side=SIDE)
    assert reasons(report.refused) == {2: "changed since the folder was listed; run again"}


@pytest.mark.parametrize("name", ["pixels.npy", "index.parquet", "refused.parquet", "content.json", "fingerprint.json"])
@pytest.mark.parametrize("has_half", [True, False])
def test_a_broken_cache_is_built_anew(tmp_path: Path, name: str, has_half: bool) -> None:
    folder = write_galaxies(tmp_path / "images", 1, 2)
    cache = tmp_path / "pixels"
    build_pixels(folder, find(folder, 1, 2), cache, side=SIDE)
    content = (cache / name).read_bytes()
    (cache / name).unlink()
    if has_half:
        (cache / name).write_bytes(content[: len(content) // 2])
    if name in ("pixels.npy", "index.parquet"):
        with pytest.raises(ImageError, match="Delete that folder and run again"):
            load_pixels(cache)
    assert not build_pixels(folder, find(folder, 1, 2), cache, side=SIDE).is_fresh
    assert_rows_match(cache, 1, 2)


def test_an_index_of_other_galaxies_is_not_believed(tmp_path: Path) -> None:
    folder = write_galaxies(tmp_path / "images", 1, 2)
    build_pixels(folder, find(folder, 1, 2), tmp_path / "pixels", side=SIDE)
    index = pd.read_parquet(tmp_path / "pixels/index.parquet")
    index.iloc[:1].to_parquet(tmp_path / "pixels/index.parquet")
    with pytest.raises(ImageError, match="not whole"):
        load_pixels(tmp_path / "pixels")


@contextmanager
def interrupted_after(num_files: int) -> Iterator[Progress]:
    """A progress that raises KeyboardInterrupt once that many files are done, as Ctrl-C would."""
    done = 0

    @contextmanager
    def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
        def advance(steps: int) -> None:
            nonlocal done
            done += steps
            if done >= num_files:
                raise KeyboardInterrupt

        yield advance

    with pytest.raises(KeyboardInterrupt):
        yield progress


@pytest.mark.parametrize("has_older", [True, False])
def test_an_interruption_leaves_no_half_cache(tmp_path: Path, has_older: bool) -> None:
    folder = write_galaxies(tmp_path / "images", *range(1, 101))
    cache = tmp_path / "pixels"
    if has_older:
        build_pixels(folder, find(folder, 1, 2), cache, side=SIDE)
    with interrupted_after(1) as progress:
        build_pixels(folder, find(folder, *range(1, 101)), cache, side=SIDE, progress=progress)
    assert cache.exists() == has_older
    if has_older:
        assert_rows_match(cache, 1, 2)
    build_pixels(folder, find(folder, *range(1, 101)), cache, side=SIDE)
    assert_rows_match(cache, *range(1, 101))
    assert {path.name for path in tmp_path.iterdir()} == {"images", "pixels"}


def test_an_interrupted_decode_reads_only_what_is_left(
    tmp_path: Path, images_read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "_MOST_FILES_A_PART", 64)
    object_ids = range(1, 151)
    folder = write_galaxies(tmp_path / "images", *object_ids)
    (folder / "7.png").write_text("words")
    shutil.copy(folder / "140.png", folder / "141.png")
    found = find(folder, *object_ids)
    build_pixels(folder, found, tmp_path / "at-once", side=SIDE)
    with interrupted_after(100) as progress:
        build_pixels(folder, found, tmp_path / "pixels", side=SIDE, progress=progress)
    images_read.clear()
    build_pixels(folder, found, tmp_path / "pixels", side=SIDE)
    assert sorted(images_read) == list(range(65, 151))
    for name in ("pixels.npy", "index.parquet", "refused.parquet", "content.json", "fingerprint.json"):
        assert (tmp_path / "pixels" / name).read_bytes() == (tmp_path / "at-once" / name).read_bytes(), name


def test_parts_without_their_array_or_of_other_files_are_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading_module, "_MOST_FILES_A_PART", 64)
    folder = write_galaxies(tmp_path / "images", *range(1, 101))
    spoils: list[Callable[[], None]] = [
        lambda: (tmp_path / "pixels.unfinished/all.npy").unlink(),
        lambda: os.utime(folder / "1.png"),
    ]
    for spoil in spoils:
        shutil.rmtree(tmp_path / "pixels", ignore_errors=True)
        with interrupted_after(80) as progress:
            build_pixels(folder, find(folder, *range(1, 101)), tmp_path / "pixels", side=SIDE, progress=progress)
        spoil()
        build_pixels(folder, find(folder, *range(1, 101)), tmp_path / "pixels", side=SIDE)
        assert_rows_match(tmp_path / "pixels", *range(1, 101))


def test_parts_of_another_size_are_not_taken_for_those_wanted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_galaxies(tmp_path / "images", *range(1, 101))
    for size in (64, 32):  # as by an update between
        monkeypatch.setattr(reading_module, "_MOST_FILES_A_PART", size)
        with interrupted_after(80) as progress:
            build_pixels(folder, find(folder, *range(1, 101)), tmp_path / "pixels", side=SIDE, progress=progress)
    build_pixels(folder, find(folder, *range(1, 101)), tmp_path / "pixels", side=SIDE)
    assert_rows_match(tmp_path / "pixels", *range(1, 101))


def test_progress_counts_every_file_once(tmp_path: Path) -> None:
    folder = write_galaxies(tmp_path / "images", *range(1, 41))
    (folder / "41.png").write_text("words")
    seen: list[int] = []

    @contextmanager
    def record(label: str, total: int) -> Iterator[object]:
        assert total == 41
        yield seen.append

    build_pixels(folder, find(folder, *range(1, 42)), tmp_path / "pixels", side=SIDE, progress=record)  # type: ignore[arg-type]
    assert sum(seen) == 41


def test_no_usable_image_is_an_error_with_the_most_frequent_reason(tmp_path: Path) -> None:
    folder = write_galaxies(tmp_path / "images", 11)
    for copy in (12, 13):
        shutil.copy(folder / "11.png", folder / f"{copy}.png")
    (folder / "10.png").write_text("words")
    message = r"None of the 4 images .* 3 for the same reason, such as galaxy 11: 11\.png is byte for byte"
    with pytest.raises(ImageError, match=message):
        build_pixels(folder, find(folder, 10, 11, 12, 13), tmp_path / "pixels", side=SIDE)
    assert not (tmp_path / "pixels").exists()


def test_a_folder_with_anything_else_in_it_is_never_replaced(tmp_path: Path) -> None:
    folder = write_galaxies(tmp_path / "images", 1, 2)
    with pytest.raises(ImageError, match=r"holds 1\.png, which is not a part of the decoded images"):
        build_pixels(folder, find(folder, 1, 2), folder, side=SIDE)
    (tmp_path / "file").write_text("x")
    with pytest.raises(ImageError, match="is a file"):
        build_pixels(folder, find(folder, 1, 2), tmp_path / "file", side=SIDE)
    assert len(find(folder, 1, 2)) == 2


def test_a_full_disk_is_told_before_anything_is_decoded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_galaxies(tmp_path / "images", 1, 2)
    usage = shutil.disk_usage(tmp_path)._replace(free=100)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage)
    with pytest.raises(ImageError, match="Make room, or choose a smaller"):
        build_pixels(folder, find(folder, 1, 2), tmp_path / "pixels", side=SIDE)


def test_a_huge_file_is_refused_unread(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = write_galaxies(tmp_path / "images", 1)
    (folder / "2.png").write_bytes(bytes(5000))
    monkeypatch.setattr(reading_module, "MAX_FILE_BYTES", 4000)
    report = build_pixels(folder, find(folder, 1, 2), tmp_path / "pixels", side=SIDE)
    assert reasons(report.refused)[2].startswith("is too large")


def test_a_galaxy_twice_is_wrong_and_no_galaxy_refused(tmp_path: Path) -> None:
    folder = write_galaxies(tmp_path / "images", 1)
    found = find(folder, 1)
    with pytest.raises(ValueError, match="repeat"):
        build_pixels(folder, pd.concat([found, found]), tmp_path / "pixels", side=SIDE)
    with pytest.raises(ImageError, match="no images"):
        build_pixels(folder, found.iloc[:0], tmp_path / "pixels", side=SIDE)


def test_a_missing_cache_is_an_error_that_tells_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match=r"missing or not whole\. Delete that folder and run again"):
        load_pixels(tmp_path / "pixels")


def test_rows_are_looked_up_by_galaxy_and_a_missing_one_is_named(tmp_path: Path) -> None:
    object_ids = (5, 1237648720693755918, 1237648720693755919, 3)
    folder = write_galaxies(tmp_path / "images", *object_ids)
    build_pixels(folder, find(folder, *object_ids), tmp_path / "pixels", side=SIDE)
    pixels = load_pixels(tmp_path / "pixels")
    wanted = np.array([3, 1237648720693755919, 5, 3], dtype=np.int64)
    assert pixels.rows_of(wanted).tolist() == [3, 2, 0, 3]
    assert not pixels.array.flags.writeable
    with pytest.raises(ImageError, match=r"Galaxy 8 \(and 1 more\) has no decoded image"):
        pixels.rows_of(np.array([5, 8, 9], dtype=np.int64))


def test_the_fingerprint_says_what_the_cache_was_built_from(tmp_path: Path) -> None:
    folder = write_galaxies(tmp_path / "images", 1, 2)
    build_pixels(folder, find(folder, 1, 2), tmp_path / "pixels", side=SIDE)
    fingerprint = json.loads((tmp_path / "pixels/fingerprint.json").read_text())
    kind = {"decoding_version", "side", "num_channels", "pillow", "simplejpeg"}
    assert set(fingerprint) == {"files_sha256", "unread", *kind}
    assert fingerprint["side"] == SIDE
