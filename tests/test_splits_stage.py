"""Promises of the splits in a run: by the sky and by a list, with what was not looked at told, and refused early."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from call import QUICK, change_catalog, list_performed, refuse_run, run, succeed
from make import FIRST_ID
from make_fits import make_fits_sample

pytestmark = pytest.mark.usefixtures("unrendered")

NUM = 40
SKY = ["--set", "splits.method=sky"]
IDS = ["--set", "splits.method=ids", "--set", "splits.test_ids="]


def place(sample: Path, **columns: object) -> None:
    """Galaxies a degree apart along a great circle across right ascension 0, but 0 and 1 half an arcmin, 2 and 3 2."""
    ra = (np.arange(NUM) - 20.0) % 360
    ra[1], ra[3] = ra[0] + 0.5 / 60, ra[2] + 2 / 60
    change_catalog(sample, **{"RA": ra, "Dec": np.zeros(NUM), "petroR90_r": np.full(NUM, 5.0), **columns})


def split(sample: Path, *settings: str) -> tuple[str, pd.DataFrame]:
    """The line of the stage, and what it made, without any training."""
    for stage in ("catalog", "cutouts", "pixels", "splits"):
        output = run(sample, "--only", stage, *settings)
    line = next(line for line in output.splitlines() if line.startswith("✓ splits"))
    return line, pd.read_parquet(sample / "run/splits.parquet")


def pair_up(splits: pd.DataFrame) -> set[tuple[int, ...]]:
    """The groups of more than one galaxy, by their numbers in the sample."""
    numbers = splits["object_id"] - FIRST_ID
    return {tuple(numbers[rows]) for rows in splits.groupby("group").groups.values() if len(rows) > 1}


def test_a_run_by_the_sky_keeps_neighbours_together(sample: Path) -> None:
    place(sample)
    output = run(sample, *SKY)
    assert "40 of 40 galaxies have oh_p50 and a place on the sky" in output
    assert (
        "24 train, 8 validation, 8 test; 39 groups linked up to 1 arcmin, the largest of 2; frames were not" in output
    )
    assert "frames were not looked at: [catalog] petro_r90 names no column" in output
    splits = pd.read_parquet(sample / "run/splits.parquet")
    assert splits.columns.tolist() == ["object_id", "split", "group"]
    assert pair_up(splits) == {(0, 1)}
    assert splits["split"][0] == splits["split"][1]
    assert "nothing was done" in run(sample, *SKY)


def test_frames_of_petrosian_size_link_where_their_column_is_named(sample: Path) -> None:
    # Half a frame is 2.525 radii: 120 arcsec apart, frames of radii of 45 arcsec overlap, and of 10 do not.
    place(sample)
    frames = [*SKY, "--set", "catalog.petro_r90=PETROR90_R"]
    assert "39 groups linked up to 1 arcmin or by frames that touch, the largest of 2" in split(sample, *frames)[0]
    place(sample, petroR90_r=np.where(np.arange(NUM) < 4, 45.0, 10.0))
    assert pair_up(split(sample, *frames)[1]) == {(0, 1), (2, 3)}
    assert pair_up(split(sample, *SKY)[1]) == {(0, 1)}


@pytest.mark.parametrize(
    ("framing", "separation_arcsec", "is_linked", "words"),
    [
        ("fixed", 50.0, True, "or by frames that touch"),
        ("fixed", 60.0, False, "or by frames that touch"),
        ("fifteen", 20.0, True, "or by frames that touch"),
        ("fifteen", 25.0, False, "or by frames that touch"),
        ("other", 20.0, False, "frames were not looked at: those of framing 'other' are unknown"),
    ],
)
def test_frames_of_other_framings_are_as_large_as_they_are(
    sample: Path, framing: str, separation_arcsec: float, is_linked: bool, words: str
) -> None:
    place(sample)
    ra = pd.read_csv(sample / "catalog.csv")["RA"].to_numpy(copy=True)
    ra[1] = ra[0] + separation_arcsec / 3600
    place(sample, RA=ra)
    short = ["--set", "splits.link_arcmin=0.1", "--set", f"cutouts.framing={framing}"]
    line, splits = split(sample, *SKY, *short)
    assert words in line
    assert pair_up(splits) == ({(0, 1)} if is_linked else set())


def test_the_frame_of_fits_is_the_field_that_is_used_of_it(tmp_path: Path) -> None:
    make_fits_sample(tmp_path, NUM, ("i", "r", "g"))
    (tmp_path / "recipe.toml").write_text(QUICK)
    ra = np.arange(NUM) * 1.0
    ra[1] = 6.5 / 3600
    place(tmp_path, RA=ra)
    # The diagonal of 5 arcsec is 7.1 arcsec, that of 4 arcsec 5.7.
    settings = [*SKY, "--set", "splits.link_arcmin=0.1", "--set", "cutouts.framing=other"]
    line, splits = split(tmp_path, *settings, "--set", "cutouts.field_arcsec=5")
    assert "39 groups linked up to 0.1 arcmin or by frames that touch" in line
    assert pair_up(splits) == {(0, 1)}
    assert pair_up(split(tmp_path, *settings, "--set", "cutouts.field_arcsec=4")[1]) == set()


def test_images_of_the_same_pixels_in_other_files_stay_together_and_copies_are_refused(sample: Path) -> None:
    place(sample)
    images = sample / "images"
    with Image.open(images / f"{FIRST_ID + 10}.png") as image:
        image.save(images / f"{FIRST_ID + 30}.png", compress_level=0)
    copied = (images / f"{FIRST_ID + 11}.png").read_bytes()
    (images / f"{FIRST_ID + 31}.png").write_bytes(copied)
    line, splits = split(sample, *SKY)
    assert pair_up(splits) == {(0, 1), (10, 30)}
    assert line.endswith("; images that another galaxy has too: 1")
    refused = pd.read_csv(sample / "run/refused/pixels.csv")
    assert sorted(refused["object_id"] - FIRST_ID) == [11, 31]
    assert refused["reason"].str.contains("byte for byte").all()
    assert "images were not compared: 4 pixels a side are too few" in split(sample, *SKY, "--set", "pixels.side=4")[0]


def test_a_run_by_a_list_tests_the_listed_and_tells_of_those_that_it_cannot(sample: Path) -> None:
    (sample / "images" / f"{FIRST_ID + 1}.png").unlink()
    listed = [FIRST_ID, FIRST_ID + 1, FIRST_ID + 2, 5, 6, 7]
    pd.DataFrame({"OBJID": listed}).to_csv(sample / "theirs.csv", index=False)
    recipe = (sample / "recipe.toml").read_text()
    # Beside the recipe, wherever the command is given.
    (sample / "recipe.toml").write_text(recipe + 'splits.method = "ids"\nsplits.test_ids = "theirs.csv"\n')
    line, splits = split(sample)
    assert line.endswith(
        "30 train, 7 validation, 2 test; of the 6 in theirs.csv, 3 not in the catalogue, or without a label there, "
        "1 without a usable image"
    )
    assert splits["object_id"][splits["split"] == "test"].tolist() == [FIRST_ID, FIRST_ID + 2]
    pd.DataFrame({"OBJID": listed[:1]}).to_csv(sample / "theirs.csv", index=False)
    output = run(sample)
    assert "31 train, 7 validation, 1 test; of the 1 in theirs.csv, all are for the test" in output
    assert "splits" in list_performed(output)


def test_a_list_that_cannot_be_used_is_refused_before_anything_is_done(sample: Path) -> None:
    (sample / "words.txt").write_text("NGC 7\nnan\n")
    assert 'method = "ids" needs test_ids = "FILE"' in refuse_run(sample, "--set", "splits.method=ids", status=2)
    for name, message in (
        ("gone.txt", "There is no file"),
        ("words.txt", "Line 2 of"),
        ("images", "is a folder without .parquet parts"),
    ):
        assert message in refuse_run(sample, *IDS[:-1], f"{IDS[-1]}{sample}/{name}")
        assert not (sample / "run/catalog.parquet").exists()
    (sample / "none.txt").write_text("5\n")
    message = refuse_run(sample, *IDS[:-1], f"{IDS[-1]}{sample}/none.txt")
    assert "None of the 1 test galaxies that [splits] test_ids lists is among the 40 galaxies" in message
    assert f"ids look like 5 there, and like {FIRST_ID} here" in message


def test_a_sky_that_cannot_be_split_ends_with_one_sentence(sample: Path) -> None:
    assert "has no column 'ra', which [catalog] ra names" in refuse_run(sample, *SKY)
    place(sample, RA=np.r_[10.0, 20.0, np.full(38, 30.0)])
    assert "One group holds 38 of the 40 galaxies, more than any set is to have (24)" in refuse_run(sample, *SKY)
    place(sample, Dec=np.full(NUM, 91.0))
    message = refuse_run(sample, *SKY)
    assert "None of the 40 galaxies of" in message
    assert "40 × 'Dec is not from -90 to 90 degrees'. Check [catalog] dec and missing_values." in message


def test_a_random_split_reads_no_places_and_is_stored_as_before(sample: Path) -> None:
    place(sample, RA=np.full(NUM, np.nan), Dec=np.full(NUM, 999.0))
    line, splits = split(sample)
    assert line.endswith("24 train, 8 validation, 8 test")
    assert splits.columns.tolist() == ["object_id", "split"]
    assert "link_arcmin" in succeed("recipe", "check", sample / "recipe.toml")
