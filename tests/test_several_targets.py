"""Promises of learning several targets at once, where galaxies lack some of their labels."""

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from call import QUICK, change_catalog, refuse_run, run
from make import FIRST_ID, TINY, make_blobs
from metalight.model import TargetScaling
from metalight.recipe import TrainingSettings
from metalight.training import TrainingData, compute_loss, fit_network

pytestmark = pytest.mark.usefixtures("unrendered")

FAST = TrainingSettings(
    batch_size=8,
    original_view=False,
    augmented_views=1,
    optimizer="adamw",
    loss="huber",
    frozen_epochs=0,
    constant_epochs=1,
    cycles=1,
    learning_rates=(0.003, 0.003, 0.003),
    precision="float32",
)


@pytest.mark.parametrize("loss", ["rmse", "huber"])
@given(seed=st.integers(0, 1000), share=st.floats(0, 0.9))
def test_the_loss_is_of_the_labels_that_are_there_and_nothing_learns_from_others(
    loss: str, seed: int, share: float
) -> None:
    generator = np.random.default_rng(seed)
    predicted = torch.tensor(generator.normal(size=(7, 3)), requires_grad=True)
    true = generator.normal(size=(7, 3))
    is_missing = generator.random((7, 3)) < share
    is_missing[0, 0] = False
    settings = TrainingSettings.model_validate({"loss": loss})
    value = compute_loss(predicted, torch.tensor(np.where(is_missing, np.nan, true)), settings)
    value.backward()  # type: ignore[no-untyped-call]
    known = torch.tensor(~is_missing)
    alone = compute_loss(predicted.detach()[known][:, None], torch.tensor(true)[known][:, None], settings)
    assert float(value.detach()) == pytest.approx(float(alone), rel=1e-12)
    assert predicted.grad is not None
    assert torch.isfinite(predicted.grad).all()
    assert (predicted.grad[~known] == 0).all()
    assert (predicted.grad[known] != 0).all()


def test_targets_are_scaled_by_the_labels_that_are_there() -> None:
    targets = np.array([[1.0, 10.0], [3.0, np.nan], [np.nan, 14.0]])
    scaling = TargetScaling.fit(targets, "standard")
    assert scaling.means == (2.0, 12.0)
    assert scaling.scales == (1.0, 2.0)
    np.testing.assert_array_equal(scaling.to_scaled(targets), [[-1, -1], [1, np.nan], [np.nan, 1]])


def test_a_target_that_few_galaxies_have_does_not_spoil_the_other() -> None:
    pixels, metallicity = make_blobs(24, 16)
    mass = np.where(np.arange(24) < 6, 10 + metallicity, np.nan)
    data = TrainingData(FIRST_ID + np.arange(24), np.column_stack([metallicity, mass]), pixels, np.arange(24))
    fitted = fit_network(
        data, data, TINY.model_copy(update={"target_scaling": "standard"}), FAST, device=torch.device("cpu")
    )
    assert np.isfinite(fitted.history["train_loss"]).all()
    assert np.isfinite(fitted.validation_rmse).all()
    assert all(torch.isfinite(parameter).all() for parameter in fitted.network.parameters())


def test_a_run_learns_from_galaxies_that_lack_a_label_and_scores_each_target_by_those_that_have_it(
    sample: Path,
) -> None:
    oh = pd.read_csv(sample / "catalog.csv")["oh_p50"].to_numpy(copy=True)
    mass = np.linspace(8, 11, 40)
    oh[::4], mass[1::4] = np.nan, -9999.0
    oh[3], mass[3] = np.nan, np.inf
    change_catalog(sample, oh_p50=oh, lgm_tot_p50=mass)
    (sample / "recipe.toml").write_text(QUICK + 'catalog.targets = ["oh_p50", "lgm_tot_p50"]\n')
    output = run(sample)
    assert "39 of 40 galaxies have oh_p50 (29) or lgm_tot_p50 (29); 1 refused" in output
    scores = json.loads((sample / "run/metrics.json").read_text())
    test = pd.read_parquet(sample / "run/predictions/test.parquet")
    for target in ("oh_p50", "lgm_tot_p50"):
        residual = (test[f"{target}_predicted"] - test[target]).dropna()
        assert 0 < len(residual) < len(test)
        assert test[f"{target}_predicted"].notna().all()
        assert scores[target]["num_galaxies"] == len(residual)
        assert scores[target]["metrics"]["rmse"]["value"] == pytest.approx(np.sqrt((residual**2).mean()))


def test_a_target_that_no_galaxy_has_is_refused_by_name(sample: Path) -> None:
    change_catalog(sample, lgm_tot_p50=[-9999.0] * 40)
    message = refuse_run(sample, "--set", 'catalog.targets=["oh_p50", "lgm_tot_p50"]')
    assert "None of the 40 galaxies" in message
    assert "has lgm_tot_p50, so there is nothing to learn" in message


def test_what_a_run_tells_of_fluxes_and_of_many_targets_fits_a_line(sample: Path) -> None:
    change_catalog(sample, flux=1e-17 * np.linspace(1, 3, 40), mass=1e10 * np.linspace(1, 3, 40))
    targets = 'catalog.targets=["flux", "mass"]'
    told = run(sample, "--set", targets, "--set", 'baselines.kinds=["mean"]', "--set", "model.target_scaling=standard")
    lines = {line.split()[1]: line for line in told.splitlines() if line.startswith(("✓", "!"))}
    for stage in ("baselines", "evaluation"):
        assert re.search(r"flux: .*RMSE \d(\.\d+)?e-1[678]", lines[stage])
        assert re.search(r"mass: .*RMSE \d(\.\d+)?e\+(09|10)", lines[stage])
    assert re.search(r"RMSE \d(\.\d+)?e-1[678] \(images as they are\)", lines["training"])
    figures = sorted((sample / "run/figures").glob("*.png"))
    assert lines["figures"].split()[2] == str(len(figures))
    assert ".png" not in lines["figures"]
    for stage, line in lines.items():
        assert len(line.replace(str(sample), "")) <= 200, stage
