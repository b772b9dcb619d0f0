"""Promises of the README's recipe, on 400 real galaxies of SDSS."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from call import QUICK, succeed
from metalight.stand_in import serve
from metalight.store import FileReader


@pytest.fixture
def recipe(shared_folder: Path, tmp_path: Path) -> Path:
    """The recipe of the README, word for word, beside the files that it names."""
    readme = (Path(__file__).parents[1] / "README.md").read_text()
    text = readme.split("```toml\n")[1].split("```")[0]
    assert len(text.splitlines()) <= 10
    (tmp_path / "mine.toml").write_text(text)
    (tmp_path / "catalog.csv").symlink_to(shared_folder / "real-sample/catalog.csv")
    (tmp_path / "images").symlink_to(shared_folder / "real-sample/images")
    name = "resnet18_imagenet.safetensors"
    (tmp_path / name).symlink_to(shared_folder / "weights" / name)
    return tmp_path / "mine.toml"


def run(recipe: Path, run_dir: Path, *settings: str) -> dict[str, float]:
    """RMSE on the test galaxies, of the network and of predicting the mean."""
    arguments = [word for setting in settings for word in ("--set", setting)]
    succeed("run", recipe, "--run-dir", run_dir, *arguments)
    scores = json.loads((run_dir / "metrics.json").read_text())["oh_p50"]
    assert scores["num_galaxies"] == 80
    return {kind: scores[kind]["rmse"]["value"] for kind in ("metrics", "baseline")}


def test_a_short_form_of_the_readme_s_recipe_beats_the_mean_by_far(recipe: Path, tmp_path: Path) -> None:
    # Lower rates than the recipe's: with few views of small images its own lead to another end on every processor. With
    # these the ratio was 0.64, 0.68 and 0.73 for the seeds 10, 11 and 12 of the splits.
    rates = "training.learning_rates=[0.0003, 0.001, 0.003]"
    rmse = run(recipe, tmp_path / "run", "pixels.side=48", "training.augmented_views=1", rates, "splits.seed=10")
    assert rmse["metrics"] < 0.85 * rmse["baseline"]
    for figure in ("prediction_summary", "example_grid", "training_history"):
        assert (tmp_path / f"run/figures/{figure}.png").stat().st_size > 10_000


_NETWORK = QUICK.split("pixels.side", 1)[1]
"""The part of `QUICK` that is the same wherever images are from."""

_FROM_THE_SKY = f"""
preset = "demo"
skyserver.base_url = "URL"
cutouts.side = 128
cutouts.source = "sdss"
pixels.side{_NETWORK}"""

_FROM_THE_FOLDER = f"""
preset = "demo"
catalog.path = "sorted.csv"
cutouts.folder = "images"
cutouts.source = "sdss"
pixels.side{_NETWORK}"""


def test_the_real_sample_comes_back_bit_exact_by_way_of_a_service_and_trains_the_model_that_its_folder_trains(
    shared_folder: Path, tmp_path: Path
) -> None:
    sample = shared_folder / "real-sample"
    catalog = pd.read_csv(sample / "catalog.csv")
    with serve(sample) as service:
        (tmp_path / "sky.toml").write_text(_FROM_THE_SKY.replace("URL", service.url))
        succeed("run", tmp_path / "sky.toml", "--run-dir", tmp_path / "sky")
    reader, fetched = FileReader(tmp_path / "sky/cutouts"), pd.read_parquet(tmp_path / "sky/cutouts.parquet")
    rows = zip(fetched["object_id"].tolist(), fetched["path"].tolist(), strict=True)
    images = {object_id: reader.read(path) for object_id, path in rows}
    assert images == {
        object_id: (sample / "images" / f"{object_id}.jpg").read_bytes() for object_id in catalog["objID"].tolist()
    }

    # Galaxies come into batches by their row, and a selection is in the order of identifiers.
    catalog.sort_values("objID").to_csv(tmp_path / "sorted.csv", index=False)
    (tmp_path / "images").symlink_to(sample / "images")
    (tmp_path / "folder.toml").write_text(_FROM_THE_FOLDER)
    succeed("run", tmp_path / "folder.toml", "--run-dir", tmp_path / "folder")
    for name in ("model/model.safetensors", "model/config.json", "predictions/test.parquet"):
        assert (tmp_path / "sky" / name).read_bytes() == (tmp_path / "folder" / name).read_bytes(), name


@pytest.mark.soak
def test_the_readme_s_recipe_reaches_0_15_dex_in_the_mean_of_three_seeds(recipe: Path, tmp_path: Path) -> None:
    reached = [
        run(recipe, tmp_path / f"run-{seed}", f"splits.seed={seed}", f"training.seed={seed}")["metrics"]
        for seed in range(3)
    ]
    assert np.mean(reached) <= 0.15
