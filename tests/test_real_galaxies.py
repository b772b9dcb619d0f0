"""Promises of the README's recipe, on 400 real galaxies of SDSS."""

import json
from pathlib import Path

import numpy as np
import pytest

from call import succeed


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


@pytest.mark.soak
def test_the_readme_s_recipe_reaches_0_15_dex_in_the_mean_of_three_seeds(recipe: Path, tmp_path: Path) -> None:
    reached = [
        run(recipe, tmp_path / f"run-{seed}", f"splits.seed={seed}", f"training.seed={seed}")["metrics"]
        for seed in range(3)
    ]
    assert np.mean(reached) <= 0.15
