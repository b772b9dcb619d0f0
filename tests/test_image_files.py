"""Promises of the names of image files, and of which FITS files together are a galaxy's image."""

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalight.cutouts import find_cutouts, list_cutouts
from metalight.errors import ImageError
from metalight.image_files import cut_suffix, is_fits, join_paths, split_path

IRG = ("i", "r", "g")


def make_files(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(name.encode())
    return folder


def find(folder: Path, *object_ids: int, names: list[str] | None = None) -> tuple[dict[int, str], dict[int, str]]:
    """The path of each galaxy that has one, and the reason of each that has none."""
    cutouts = find_cutouts(folder, np.array(object_ids, dtype=np.int64), names, bands=IRG)
    return as_dict(cutouts.found, "path"), as_dict(cutouts.refused, "reason")


def as_dict(frame: pd.DataFrame, column: str) -> dict[int, str]:
    return dict(zip(frame["object_id"].tolist(), frame[column].tolist(), strict=True))


PARTS = st.text(st.sampled_from("abg_-/.5"), max_size=6)


@given(st.lists(PARTS, min_size=1, max_size=8, unique=True), st.sampled_from([".fits", ".fits.gz", ".FIT"]))
def test_joined_paths_come_apart_again(stems: list[str], suffix: str) -> None:
    paths = [stem + suffix for stem in stems]
    assert split_path(join_paths(paths)) == paths
    assert is_fits(join_paths(paths))


def test_paths_of_different_suffixes_come_apart_again_and_joined_ones_are_easy_to_read() -> None:
    mixed = ["a/5_i.fits", "b/5_r.fits.gz"]
    assert split_path(join_paths(mixed)) == mixed
    assert is_fits(join_paths(mixed))
    assert join_paths(["5_i.fits", "5_r.fits", "5_g.fits"]) == "5_{i,r,g}.fits"
    assert split_path("{a,b}.jpg") == ["{a,b}.jpg"]


@pytest.mark.parametrize("name", ["5.jpg", "5.JPEG", "5.png", "5.fits", "5.FIT", "5.fits.gz", "5.fits.fz"])
def test_suffixes_are_cut_off_whole(name: str) -> None:
    assert cut_suffix(name) == "5"
    assert cut_suffix("5.7.fits.gz") == "5.7"


@pytest.mark.parametrize("suffix", [".fits", ".fit", ".fits.gz", ".fits.fz", ".FITS"])
def test_a_galaxy_may_be_one_fits_file(tmp_path: Path, suffix: str) -> None:
    make_files(tmp_path, f"5{suffix}", "notes.fits.txt")
    assert find(tmp_path, 5, 6) == ({5: f"5{suffix}"}, {6: "no image file"})


@pytest.mark.parametrize(
    "layout", ["5_{}.fits", "5-{}.fits.gz", "5.{}.fit", "5/{}.fits", "sub/5/{}.fits", "{}/5_{}.fits"]
)
def test_a_galaxy_may_be_a_file_for_each_band(tmp_path: Path, layout: str) -> None:
    paths = [layout.format(band, band) for band in IRG]
    make_files(tmp_path, *paths, layout.format("z", "z"), "50_i.fits")
    found, _ = find(tmp_path, 5, 7)
    assert split_path(found[5]) == paths
    listed = list_cutouts(tmp_path, bands=IRG)
    assert listed.found["path"].tolist() == [found[5]]
    assert listed.found["num_bytes"].tolist() == [sum(len(path) for path in paths)]
    assert as_dict(listed.refused, "reason") == {50: "lacks a file of the band r and g"}
    assert listed.unused == 1


def test_one_band_is_one_file(tmp_path: Path) -> None:
    make_files(tmp_path, "5_r.fits", "5_g.fits", "6_g.fits")
    cutouts = find_cutouts(tmp_path, np.array([5, 6]), bands=["r"])
    assert as_dict(cutouts.found, "path") == {5: "5_r.fits"}
    assert as_dict(cutouts.refused, "reason") == {6: "no image file"}
    assert cutouts.unused == 2


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (["5_i.fits", "5_g.fits"], "lacks a file of the band r"),
        (["5_i.fits"], "lacks a file of the band r and g"),
        (["5_i.fits", "5_r.fits", "5_r.fits.gz", "5_g.fits"], "has 2 files of the band r: 5_r.fits and 5_r.fits.gz"),
        (["5_i.fits", "5_r.fits", "5_g.fits", "5.jpg"],
         "has 4 image files, and which is right cannot be known: 5.jpg and 5_g.fits and 5_i.fits"),
        (["5.fits", "5.jpg"], "has 2 image files, and which is right cannot be known: 5.fits and 5.jpg"),
        (["a,b/5_i.fits", "a,b/5_r.fits", "a,b/5_g.fits"],
         "has a path with a comma or a brace, which files of single bands must not have"),
        (["{a,b}/5.fits"], "has a path with braces, which stand for several files here; rename it"),
    ],
)  # fmt: skip
def test_a_galaxy_whose_files_leave_a_doubt_is_refused(tmp_path: Path, names: list[str], reason: str) -> None:
    make_files(tmp_path, *names, "6.fits")
    found, refused = find(tmp_path, 5, 6)
    assert found == {6: "6.fits"}
    assert refused == {5: reason}
    listed = list_cutouts(tmp_path, bands=IRG)
    assert listed.found["object_id"].tolist() == [6]
    assert set(listed.refused["reason"]) == {reason}


def test_the_catalogue_may_name_a_file_for_each_band(tmp_path: Path) -> None:
    make_files(tmp_path, "frame-i-7.fits", "frame-r-7.fits", "frame-g-7.fits", "frame-i-8.fits", "whole.fits")
    names = ["frame-{band}-7.fits", "frame-{band}-8.fits", "whole.fits", "frame-{band}-9.fits"]
    found, refused = find(tmp_path, 1, 2, 3, 4, names=names)
    assert found == {1: "frame-{i,r,g}-7.fits", 3: "whole.fits"}
    assert refused == {2: "lacks a file of the band r and g", 4: "lacks a file of the band i and r and g"}
    _, refused = find(tmp_path, 1, 2, 3, names=[names[0], names[0], names[2]])
    assert refused == {1: "is named for another galaxy too: 2", 2: "is named for another galaxy too: 1"}


def test_a_file_of_one_band_that_changes_is_seen_even_where_two_change_places(tmp_path: Path) -> None:
    make_files(tmp_path, "5_i.fits", "5_r.fits", "5_g.fits")
    for place, band in enumerate(IRG):
        os.utime(tmp_path / f"5_{band}.fits", ns=(1, 10**18 + place))

    def look() -> int:
        return int(find_cutouts(tmp_path, np.array([5]), bands=IRG).found["modified_ns"].iloc[0])

    before = look()
    assert look() == before
    (tmp_path / "5_i.fits").rename(tmp_path / "aside")
    (tmp_path / "5_r.fits").rename(tmp_path / "5_i.fits")
    (tmp_path / "aside").rename(tmp_path / "5_r.fits")
    assert look() != before


def test_a_folder_of_other_bands_only_says_so(tmp_path: Path) -> None:
    make_files(tmp_path, "5_z.fits", "6_z.fits")
    with pytest.raises(ImageError, match=r"None of the 2 image files .* is of a band that is wanted \(i, r, g\)"):
        list_cutouts(tmp_path, bands=IRG)
    with pytest.raises(ImageError, match=r"named like '5_z\.fits', ids look like '5'; .* the bands \(i, r, g\)"):
        find(tmp_path, 5, 6)


def test_a_folder_whose_galaxies_all_lack_a_band_is_not_told_to_rename_them(tmp_path: Path) -> None:
    make_files(tmp_path, "5_i.fits", "6_i.fits")
    with pytest.raises(ImageError, match=r"lacks a file of the band r and g\. Each galaxy needs one file, or one FITS"):
        list_cutouts(tmp_path, bands=IRG)


def test_links_in_a_circle_and_folders_named_like_images_are_no_images(tmp_path: Path) -> None:
    make_files(tmp_path, "1.jpg", "2.jpg/3.jpg", "6.fits/r.txt")
    (tmp_path / "4.jpg").symlink_to("5.jpg")
    (tmp_path / "5.jpg").symlink_to("4.jpg")
    (tmp_path / "7.fits").symlink_to("7.fits")
    (tmp_path / "sub").symlink_to(".")
    found, refused = find(tmp_path, 1, 2, 3, 4, 5, 6, 7)
    circle = "is a link that leads in a circle"
    assert found == {1: "1.jpg", 3: "2.jpg/3.jpg"}
    assert refused == {2: "no image file", 4: circle, 5: circle, 6: "no image file", 7: circle}
