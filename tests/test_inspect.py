"""Promises of `metalight inspect`: everyone is counted, those left out are shown with their reason, nothing is lost."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from call import QUICK, refuse, succeed
from legible import assert_legible
from make import FIRST_ID, make_sample
from metalight.evaluation import choose_galaxies, compute_histograms, summarize_columns
from metalight.figures.contact_sheet import build_figure
from metalight.figures.sample_summary import build_figure as build_summary
from metalight.figures.style import use_style
from metalight.pipeline import inspect_run


@pytest.fixture(scope="module")
def flawed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run up to its pixels, of 20 galaxies of which one has no label, and the images of four are of no use."""
    folder = tmp_path_factory.mktemp("flawed")
    catalog = make_sample(folder, 20).assign(z=np.linspace(0.03, 0.2, 20), petroR90_r=5.0)
    catalog.loc[0, "oh_p50"] = -9999
    catalog.to_csv(folder / "catalog.csv", index=False)
    images = folder / "images"
    (images / f"{FIRST_ID + 1}.png").unlink()
    Image.new("RGB", (16, 16), (9, 9, 9)).save(images / f"{FIRST_ID + 2}.png")
    (images / f"{FIRST_ID + 3}.png").write_bytes(b"no image")
    (images / f"{FIRST_ID + 4}.png").write_bytes((images / f"{FIRST_ID + 5}.png").read_bytes())
    (folder / "recipe.toml").write_text(QUICK)
    for stage in ("catalog", "cutouts", "pixels"):
        succeed("run", folder / "recipe.toml", "--run-dir", folder / "run", "--only", stage)
    return folder / "run"


def copy_part(run: Path, place: Path, *names: str) -> Path:
    """A run of which only some files are there."""
    for name in names:
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes((run / name).read_bytes())
    return place


def test_a_finished_run_is_told_and_drawn(copy: Path) -> None:
    output = succeed("inspect", copy / "run", "--images", 12)
    assert "all rows" in output
    assert "has a usable image" in output
    for name in ("contact_sheet.png", "contact_sheet.pdf", "contact_sheet.csv", "sample_summary.png"):
        assert (copy / "run" / "figures" / name).stat().st_size > 0
    shown = pd.read_csv(copy / "run" / "figures" / "contact_sheet.csv", dtype={"object_id": "int64"})
    catalog = pd.read_csv(copy / "catalog.csv", dtype={"objID": "int64"}).set_index("objID")
    assert len(shown) == 12
    np.testing.assert_allclose(shown["oh_p50"], catalog.loc[shown["object_id"], "oh_p50"])
    assert not (copy / "run" / "figures" / "refused_sheet.png").exists()


def test_an_inspected_run_is_still_finished(copy: Path) -> None:
    succeed("inspect", copy / "run")
    again = succeed("run", copy / "recipe.toml", "--run-dir", copy / "run")
    assert "✓" not in succeed("run", copy / "recipe.toml", "--run-dir", copy / "run"), again


def test_every_galaxy_is_counted(flawed: Path) -> None:
    found = inspect_run(flawed)
    numbers = {what: num for what, num, _ in found.counts}
    assert numbers == {"all rows": 20, "has oh_p50": 19, "has an image": 18, "has a usable image": 14}
    assert sum(num for _, num, _ in found.refused) == 20 - 14
    assert ("catalog", 1, "has no oh_p50") in found.refused
    output = succeed("inspect", flawed)
    assert "no image file" in output
    assert "is byte for byte the image of another galaxy" in output


def test_those_left_out_are_shown_if_they_have_a_picture(flawed: Path) -> None:
    inspect_run(flawed)
    shown = pd.read_csv(flawed / "figures" / "refused_sheet.csv", dtype={"object_id": "int64"})
    reasons = dict(zip((shown["object_id"] - FIRST_ID).tolist(), shown["reason"].tolist(), strict=True))
    # The label is lacking, not the image; the blank one and the twins decode; one has no file and one is not an image.
    assert set(reasons) == {0, 2, 4, 5}
    assert reasons[0] == "has no oh_p50"
    assert reasons[2].startswith("is blank")
    assert (flawed / "figures" / "refused_sheet.png").exists()


def test_the_same_seed_draws_the_same_bytes_and_another_one_others(flawed: Path) -> None:
    sheet = flawed / "figures" / "contact_sheet.png"
    drawn = []
    for seed in (0, 0, 1):
        inspect_run(flawed, num_images=5, seed=seed)
        drawn.append(sheet.read_bytes())
    assert drawn[0] == drawn[1]
    assert drawn[0] != drawn[2]


def test_a_run_with_a_catalogue_alone_is_told_and_says_what_is_not_there(flawed: Path, tmp_path: Path) -> None:
    run = copy_part(flawed, tmp_path / "run", "recipe.toml", "catalog.parquet", "cuts.csv", "refused/catalog.csv")
    found = inspect_run(run)
    assert [num for _, num, _ in found.counts] == [20, 19]
    assert list(found.summary["column"]) == ["z", "petroR90_r", "oh_p50"]
    assert any("No galaxy can be shown. There are no images yet" in sentence for sentence in found.absent)
    assert (run / "figures" / "sample_summary.csv").exists()


def test_pictures_come_from_the_files_where_none_are_decoded_yet(flawed: Path, tmp_path: Path) -> None:
    names = ("recipe.toml", "catalog.parquet", "cuts.csv", "cutouts.parquet")
    found = inspect_run(copy_part(flawed, tmp_path / "run", *names), num_images=30)
    shown = pd.read_csv(tmp_path / "run" / "figures" / "contact_sheet.csv", dtype={"object_id": "int64"})
    # The blank one and the one that is not an image are left out, though nothing has refused them yet.
    assert len(shown) == 16
    assert {path.suffix for path in found.files} == {".png", ".pdf", ".csv"}


def test_the_label_noise_is_that_of_repeats(copy: Path) -> None:
    generator = np.random.default_rng(0)
    truth = np.repeat(generator.uniform(8.5, 9.1, 400), 2)
    repeats = pd.DataFrame({"object_id": FIRST_ID + np.repeat(np.arange(400), 2), "oh_p50": truth})
    repeats["oh_p50"] += 0.03 * generator.standard_normal(800)
    repeats.to_parquet(copy / "run" / "repeats.parquet")
    noise = inspect_run(copy / "run").label_noise["oh_p50"]
    assert noise.plain_dex.value == pytest.approx(0.03, rel=0.1)
    assert "Label noise of oh_p50: 0.0" in succeed("inspect", copy / "run")


def test_a_path_that_is_no_run_is_refused_in_one_sentence(tmp_path: Path) -> None:
    assert "There is no run" in refuse("inspect", tmp_path / "nowhere")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "file.txt").write_text("mine")
    assert "is not a folder of a run; give the folder" in refuse("inspect", tmp_path / "other")
    assert "is not a folder of a run" in refuse("inspect", tmp_path / "other" / "file.txt")


# The numbers and figures.


def test_a_summary_has_percentiles_of_what_is_known() -> None:
    summary = summarize_columns({"a": [*range(101), np.nan, np.inf], "empty": [np.nan] * 103})
    of_a, of_none = summary.to_dict("records")
    assert of_a == {"column": "a", "num": 101, "num_missing": 2, "min": 0, "p16": 16, "p50": 50, "p84": 84, "max": 100}
    assert (of_none["num"], of_none["num_missing"]) == (0, 103)
    assert np.isnan(of_none["p50"])


def test_a_histogram_has_every_galaxy_of_a_small_sample_and_almost_all_of_a_large_one() -> None:
    values = np.random.default_rng(0).standard_normal(10_000)
    values[0] = 1e6
    histograms = compute_histograms({"small": values[:100], "large": values, "none": np.array([np.nan])})
    counted = histograms.groupby("column")["num"].sum()
    assert counted.to_dict() == {"small": 100, "large": pytest.approx(9900, abs=2)}
    assert histograms.loc[histograms["column"] == "large", "high"].max() < 5


def test_who_is_chosen_does_not_depend_on_the_order_of_rows() -> None:
    object_ids = FIRST_ID + np.arange(100)
    chosen = choose_galaxies(object_ids, 10, seed=3)
    assert len(np.unique(chosen)) == 10
    np.testing.assert_array_equal(choose_galaxies(object_ids[::-1], 10, seed=3), chosen)
    assert len(choose_galaxies(object_ids[:4], 10)) == 4


def test_contact_sheets_and_histograms_can_be_read() -> None:
    image = np.zeros((16, 16, 3), np.uint8)
    long = "pixels: is byte for byte the image of galaxy 1237648720693755918 and of 12 more, which is a long reason"
    with use_style():
        for num in (1, 11, 48):
            captions = [f"{FIRST_ID + number}\n{long}" for number in range(num)]
            figure = build_figure([image] * num, captions, f"{num} of 123,456 galaxies left out, those with an image")
            if num > 4:  # fewer texts are not looked at
                assert_legible(figure)
        generator = np.random.default_rng(0)
        columns = {name: generator.standard_normal(900) for name in ("z", "petroR90_r", "oh_p50", "lgm_tot_p50")}
        columns["z"][:100] = np.nan
        names = {"petroR90_r": "Radius of 90 % of the Petrosian light in r, petroR90_r (arcsec)"}
        assert_legible(build_summary(compute_histograms(columns), summarize_columns(columns), names))
