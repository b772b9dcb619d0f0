"""Promises of `metalight predict` and `metalight evaluate`: tables in, tables out."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from call import call, refuse, run, succeed
from make import FIRST_ID
from metalight.tables import ColumnInfo, Table, load_table, save_table


@pytest.mark.parametrize("suffix", ["csv", "parquet", "fits"])
def test_predictions_of_a_folder_are_a_row_a_galaxy(finished: Path, tmp_path: Path, suffix: str) -> None:
    output = tmp_path / f"new/predictions.{suffix}"
    shown = succeed("predict", finished / "run", "--images", finished / "images", "-o", output, "--views", "eight")
    assert "40 galaxies predicted" in shown
    table = load_table(output)
    assert table.frame["object_id"].tolist() == [FIRST_ID + row for row in range(40)]
    assert table.info["oh_p50_predicted"].unit == "dex"
    of_run = pd.read_parquet(finished / "run/predictions/test.parquet").set_index("object_id")
    again = table.frame.set_index("object_id").loc[of_run.index, "oh_p50_predicted"]
    np.testing.assert_allclose(again, of_run["oh_p50_predicted"], atol=1e-5)
    beside = [f"{output.name}-metadata.json"] if suffix == "csv" else []
    assert sorted(path.name for path in output.parent.iterdir()) == [output.name, *beside]


def test_predictions_follow_the_order_of_a_catalogue_and_a_run_s_images_can_be_used(
    finished: Path, tmp_path: Path
) -> None:
    wanted = [FIRST_ID + row for row in (7, 3, 21)]
    pd.DataFrame({"id": wanted}).to_csv(tmp_path / "wanted.csv", index=False)
    arguments = ["--catalog", tmp_path / "wanted.csv", "--id", "id", "-o", tmp_path / "some.csv"]
    succeed("predict", finished / "run/model", "--images", finished / "images", *arguments)
    some = pd.read_csv(tmp_path / "some.csv")
    assert some["object_id"].tolist() == wanted
    succeed("predict", finished / "run", "--images", finished / "run", "-o", tmp_path / "all.csv")
    everything = pd.read_csv(tmp_path / "all.csv").set_index("object_id")
    assert len(everything) == 40
    np.testing.assert_allclose(everything.loc[wanted, "oh_p50_predicted"], some["oh_p50_predicted"], atol=1e-5)


def test_a_catalogue_chooses_among_the_images_of_a_run_and_tells_which_are_lacking(copy: Path, tmp_path: Path) -> None:
    catalog = pd.read_csv(copy / "catalog.csv")
    catalog.loc[5, "oh_p50"] = np.nan
    catalog.to_csv(copy / "catalog.csv", index=False)
    (copy / f"images/{FIRST_ID + 6}.png").write_text("words")
    run(copy)
    wanted = [FIRST_ID + row for row in (30, 6, 2, 5, 1000)]
    pd.DataFrame({"id": wanted}).to_csv(tmp_path / "wanted.csv", index=False)
    arguments = ["predict", copy / "run", "--images", copy / "run", "-o", tmp_path / "some.csv"]
    shown = succeed(*arguments, "--catalog", tmp_path / "wanted.csv", "--id", "id")
    assert "2 galaxies predicted; 3 refused" in shown
    assert pd.read_csv(tmp_path / "some.csv")["object_id"].tolist() == [FIRST_ID + 30, FIRST_ID + 2]
    refused = pd.read_csv(tmp_path / "some.csv.refused.csv").set_index("object_id")["reason"]
    assert refused.to_dict() == {
        FIRST_ID + 6: "was refused by the run: is not a picture that can be read (JPEG, PNG, TIFF, WEBP, BMP, GIF)",
        FIRST_ID + 5: "was refused by the run: has no oh_p50",
        FIRST_ID + 1000: "is none of the run's galaxies",
    }
    pd.DataFrame({"object_id": [7]}).to_csv(tmp_path / "wanted.csv", index=False)
    message = refuse(*arguments, "--catalog", tmp_path / "wanted.csv")
    assert "None of the 1 galaxies to predict has a decoded image in the run" in message
    assert "such as 7, which is none of the run's galaxies; check --catalog and --id." in message


def test_options_of_a_prediction_that_could_do_nothing_are_refused(finished: Path, tmp_path: Path) -> None:
    pd.DataFrame({"object_id": [FIRST_ID], "image": ["a.png"]}).to_csv(tmp_path / "wanted.csv", index=False)
    arguments = ["predict", finished / "run", "-o", tmp_path / "out.csv", "--images"]
    for option in ("--id", "--file-name"):
        message = refuse(*arguments, finished / "images", option, "image")
        assert f"{option} names a column of the catalogue; give --catalog too, or leave it out." in message
    of_catalog = ["--catalog", tmp_path / "wanted.csv", "--file-name", "image"]
    message = refuse(*arguments, finished / "run", *of_catalog)
    assert "is a run, which knows whose its images are; leave out --file-name." in message


def test_images_that_cannot_be_predicted_are_listed(copy: Path, tmp_path: Path) -> None:
    (copy / "images/1.jpg").write_text("this is text")
    (copy / "images/nan.png").write_bytes((copy / f"images/{FIRST_ID}.png").read_bytes())
    output = tmp_path / "predictions.csv"
    shown = succeed("predict", copy / "run", "--images", copy / "images", "-o", output)
    assert "40 galaxies predicted; 2 refused" in shown
    refused = pd.read_csv(tmp_path / "predictions.csv.refused.csv")
    assert refused["path"].tolist() == ["nan.png", "1.jpg"]


def test_images_whose_levels_or_picture_would_be_guessed_are_listed_by_name(copy: Path, tmp_path: Path) -> None:
    images = copy / "images"
    pictures = [Image.fromarray(np.random.default_rng(seed).integers(0, 255, (16, 16, 3), np.uint8)) for seed in (1, 2)]
    several: dict[str, Any] = {"save_all": True, "append_images": pictures[1:]}
    Image.new("CMYK", (16, 16)).save(images / "1.jpg")
    Image.fromarray(np.full((16, 16), 4660, np.uint16)).save(images / "2.png")
    pictures[0].save(images / "3.png", **several)
    pictures[0].save(images / "4.jpg", "MPO", **several)
    for object_id, kind in ((5, "GIF"), (6, "WEBP")):
        pictures[0].save(images / f"{object_id}.jpg", kind, **several)
    Image.new("1", (100_000, 2000)).save(images / "7.png")
    pictures[0].resize((1, 1)).save(images / "8.png")
    (images / "9.jpg").mkdir()
    (images / "10.jpg").symlink_to("11.jpg")
    (images / "11.jpg").symlink_to("10.jpg")
    (images / "round").symlink_to(".")
    (tmp_path / "ids.csv").write_text("object_id\n" + "".join(f"{row}\n" for row in (*range(1, 12), FIRST_ID)))
    words = ["predict", copy / "run", "--images", images, "--catalog", tmp_path / "ids.csv", "--views", "none"]
    assert "1 galaxy predicted; 11 refused" in succeed(*words, "-o", tmp_path / "p.csv")
    refused = pd.read_csv(tmp_path / "p.csv.refused.csv").set_index("object_id")["reason"]
    assert refused.sort_index().tolist() == [
        "has the colours CMYK, not RGB or grey",
        "has more than 8 bits a channel; save it with 8, stretched as the images that the model has seen, or as FITS",
        *["is a file of several pictures; save the one that shows the galaxy"] * 4,
        "is too large: more than 100 million pixels",
        "is blank: every pixel has the same value",
        "is a folder, not an image file",
        *["is a link that leads in a circle"] * 2,
    ]


def test_a_model_refuses_images_of_another_kind_unless_told_otherwise(copy: Path, tmp_path: Path) -> None:
    arguments = ["predict", copy / "run", "--images", copy / "images", "-o", tmp_path / "predictions.csv"]
    result = call(*arguments)
    assert "The images do not state their framing and source" in result.stderr
    (copy / "images/cutouts.json").write_text('{"framing": "petrosian", "source": "legacy"}')
    assert "source 'legacy', but the model was trained on 'simulated'" in refuse(*arguments)
    assert "framing 'fixed'" in refuse(*arguments, "--framing", "fixed", "--source", "simulated")
    assert "40 galaxies predicted" in succeed(*arguments, "--any-images")


def test_predictions_that_cannot_be_made_end_with_one_sentence(finished: Path, tmp_path: Path) -> None:
    images = finished / "images"
    output = tmp_path / "predictions.csv"
    assert "There is no folder" in refuse("predict", tmp_path / "none", "--images", images, "-o", output)
    assert "There is no folder" in refuse("predict", finished / "run", "--images", tmp_path / "none", "-o", output)
    catalog = ["--catalog", finished / "catalog.csv"]
    message = refuse("predict", finished / "run", "--images", images, "-o", output, *catalog)
    assert "has no column 'object_id', which --id names. Did you mean 'objID'?" in message
    (tmp_path / "begun").mkdir()
    shutil.copy(finished / "run/recipe.toml", tmp_path / "begun")
    message = refuse("predict", finished / "run", "--images", tmp_path / "begun", "-o", output)
    assert "are missing, or were altered since they were made; `metalight run" in message
    message = refuse("predict", finished / "run", "--images", images, "-o", tmp_path / "predictions.xls")
    assert "'.xls', which metalight does not know" in message
    (tmp_path / "empty").mkdir()
    message = refuse("predict", finished / "run", "--images", tmp_path / "empty", "-o", output)
    assert "holds no image files" in message
    assert not output.exists()


def test_any_table_of_true_and_predicted_values_is_scored(tmp_path: Path) -> None:
    generator = np.random.default_rng(0)
    truth = generator.normal(8.9, 0.2, 300)
    frame = pd.DataFrame({"id": FIRST_ID + np.arange(300), "oh": truth, "guess": truth + 0.1})
    frame.loc[4, "guess"] = np.nan
    save_table(Table(frame, {"oh": ColumnInfo("dex", "metallicity")}), tmp_path / "table.fits")
    arguments = ["--id", "ID", "--truth", "OH", "--predicted", "guess", "-o", tmp_path / "scores"]
    shown = succeed("evaluate", tmp_path / "table.fits", *arguments)
    assert "299 galaxies scored; 1 left out" in shown
    scores = json.loads((tmp_path / "scores/metrics.json").read_text())["oh"]
    assert scores["metrics"]["rmse"]["value"] == pytest.approx(0.1)
    assert scores["metrics"]["nmad"]["value"] == pytest.approx(0.0, abs=1e-9)
    assert (tmp_path / "scores/prediction_summary.pdf").stat().st_size > 0
    assert len(pd.read_csv(tmp_path / "scores/residuals.csv")) == 300
    wrong = ["--id", "id", "--truth", "oh", "--predicted", "gues", "-o", tmp_path / "scores"]
    assert "Did you mean 'guess'?" in refuse("evaluate", tmp_path / "table.fits", *wrong)


def test_the_published_predictions_have_the_published_scores(shared_folder: Path, tmp_path: Path) -> None:
    arguments = ["--id", "objID", "--truth", "oh_p50", "--predicted", "prediction", "-o", tmp_path]
    succeed("evaluate", shared_folder / "published/predictions_128px.csv", *arguments)
    metrics = json.loads((tmp_path / "metrics.json").read_text())["oh_p50"]["metrics"]
    assert round(metrics["rmse"]["value"], 6) == 0.084950
    assert round(metrics["nmad"]["value"], 6) == 0.065031
    assert metrics["rmse"]["low"] < 0.08495 < metrics["rmse"]["high"]
