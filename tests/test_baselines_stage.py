"""Promises of the stage that fits baselines, and of what a run shows of them."""

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from call import QUICK, call, change_catalog, refuse_run, run, succeed
from make import make_sample
from metalight.baselines import fit_baseline
from metalight.images import measure_apertures
from metalight.pipeline import baselines_stage
from metalight.pipeline.run_differences import is_outdated
from metalight.run_folder import RunFolder

NAMES = '["mean", "forest_gri", "forest_ugriz", "forest_pixel", "boosting_apertures", "mass_metallicity"]'
NUM = 60


def make_run(folder: Path) -> Path:
    """A sample with magnitudes g, r, i and masses, a recipe with some baselines, and its run."""
    catalog = make_sample(folder, NUM)
    generator, metallicity = np.random.default_rng(0), catalog["oh_p50"].to_numpy()
    catalog["MSTAR"] = 10 + 1.5 * (metallicity - 8.95) + generator.normal(0, 0.05, NUM)
    for band, slope in zip("gri", (-1, 1, 2), strict=True):
        catalog[f"modelMag_{band}"] = 17 + slope * (metallicity - 8.7) + generator.normal(0, 0.05, NUM)
    catalog.loc[::5, "modelMag_g"] = -9999.0
    catalog.to_csv(folder / "catalog.csv", index=False)
    text = QUICK.replace("first_cycle_epochs = 2", "first_cycle_epochs = 1").replace(
        "baselines.kinds = []", f'baselines.kinds = {NAMES}\ncatalog.properties.log_mass = "MSTAR"'
    )
    (folder / "recipe.toml").write_text(text)
    (folder / "output.txt").write_text(succeed("run", folder / "recipe.toml", "--run-dir", folder / "run", "--verbose"))
    return folder


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("baselines"))


@pytest.fixture
def mine(done: Path, tmp_path: Path) -> Path:
    """A copy of that run, of the same recipe and images."""
    shutil.copytree(done / "run", tmp_path / "run")
    for name in ("recipe.toml", "catalog.csv", "images"):
        (tmp_path / name).symlink_to(done / name)
    return tmp_path


def go(folder: Path, *arguments: object) -> str:
    """The run of a folder, with its recipe where it really is: a file at another path is another input."""
    return succeed("run", (folder / "recipe.toml").resolve(), "--run-dir", folder / "run", "--verbose", *arguments)


def fit_only(folder: Path, *arguments: object) -> str:
    """All that comes before a network, and the baselines; the output of these."""
    for stage in ("catalog", "cutouts", "pixels", "splits"):
        run(folder, "--only", stage, *arguments)
    return run(folder, "--only", "baselines", *arguments)


def load_facts(folder: Path) -> dict[str, dict[str, dict[str, Any]]]:
    stored = json.loads((folder / "run/predictions/baselines_fits.json").read_text())
    return {target: {each["name"]: each for each in of_target} for target, of_target in stored.items()}


def load(folder: Path) -> tuple[pd.DataFrame, dict[str, dict[str, Any]]]:
    run_folder = folder / "run"
    scores = json.loads((run_folder / "baselines.json").read_text())["oh_p50"]
    return pd.read_parquet(run_folder / "predictions/baselines_test.parquet"), scores


def test_a_run_ends_with_its_baselines_beside_the_network(done: Path) -> None:
    output = (done / "output.txt").read_text()
    assert "oh_p50: 5 of 6 fitted, the best of the validation galaxies" in output
    table = output[output.index("Baselines beside the network") :]
    rows = {line.split()[0]: line for line in table.splitlines() if line}
    for name in ("network", "mean", "forest_gri", "forest_pixel", "boosting_apertures", "mass_metallicity"):
        assert name in rows
    assert "768" in rows["network"]
    assert "magnitudes g, r, i" in rows["forest_gri"]
    assert "Left out: forest_ugriz: the catalogue has no magnitude_u, magnitude_z." in table
    predicted, scores = load(done)
    metrics = json.loads((done / "run/metrics.json").read_text())["oh_p50"]
    assert scores["mean"]["rmse"]["value"] == pytest.approx(metrics["baseline"]["rmse"]["value"])
    assert scores["mean"]["network_rmse"]["value"] == pytest.approx(metrics["metrics"]["rmse"]["value"])
    assert scores["mass_metallicity"]["rmse"]["value"] == pytest.approx(
        np.sqrt(np.mean((predicted["oh_p50_by_mass_metallicity"] - predicted["oh_p50"]) ** 2))
    )
    assert scores["boosting_apertures"]["num_training"] == 36
    assert scores["forest_ugriz"]["rmse"]["value"] is None
    assert "oh_p50_by_forest_ugriz" not in predicted


def test_the_tables_hold_the_galaxies_of_the_sets_and_the_masses_give_the_relation(done: Path) -> None:
    splits = pd.read_parquet(done / "run/splits.parquet").set_index("object_id")["split"]
    masses = pd.read_parquet(done / "run/catalog.parquet").set_index("object_id")["MSTAR"]
    for split in ("validation", "test"):
        table = pd.read_parquet(done / f"run/predictions/baselines_{split}.parquet")
        assert set(table["object_id"]) == set(splits[splits == split].index)
        mass = masses.loc[table["object_id"]].to_numpy()
        expected = np.where((mass >= 8.5) & (mass <= 11.5), -1.492 + 1.847 * mass - 0.08026 * mass**2, np.nan)
        np.testing.assert_allclose(table["oh_p50_by_mass_metallicity"], expected)
    measured = pd.read_parquet(done / "run/aperture_numbers.parquet")
    assert len(measured) == NUM
    assert measured.shape[1] == 29


def test_missing_magnitudes_are_predicted_as_missing_and_told(done: Path) -> None:
    predicted, scores = load(done)
    lacking = set(pd.read_csv(done / "catalog.csv").loc[::5, "objID"]) & set(predicted["object_id"])
    assert lacking
    assert set(predicted.loc[predicted["oh_p50_by_forest_gri"].isna(), "object_id"]) == lacking
    assert scores["forest_gri"]["num_without"] == len(lacking)
    assert scores["forest_gri"]["num_galaxies"] == len(predicted) - len(lacking)
    output = " ".join((done / "output.txt").read_text().split())
    assert f"{len(lacking)} lack what they need and were not predicted by forest_gri." in output


def test_another_seed_of_the_trees_trains_no_network_anew(mine: Path) -> None:
    output = go(mine, "--only", "baselines", "--set", "baselines.seed=1")
    outdated = next(line for line in output.splitlines() if line.startswith("Not up to date"))
    assert "evaluation" in outdated
    assert "training" not in outdated
    assert "prediction" not in outdated
    output = go(mine, "--only", "baselines", "--set", "baselines.kinds=[]")
    assert "none asked for" in output
    assert not (mine / "run/aperture_numbers.parquet").exists()
    output = go(mine, "--only", "evaluation", "--set", "baselines.kinds=[]")
    assert "beside the network" not in output
    assert "RMSE (dex)" in output


def test_the_network_s_predictions_do_not_depend_on_baselines(mine: Path) -> None:
    assert not is_outdated(RunFolder(mine / "run"))
    stages = json.loads((mine / "run/stages.json").read_text())
    del stages["baselines"]  # as of a run that was made before there were any
    (mine / "run/stages.json").write_text(json.dumps(stages))
    assert not is_outdated(RunFolder(mine / "run"))
    del stages["splits"]
    (mine / "run/stages.json").write_text(json.dumps(stages))
    assert is_outdated(RunFolder(mine / "run"))


def test_an_interrupted_stage_goes_on_with_what_it_has_measured_and_fitted(
    mine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, words = load(mine)[0], ("run", (mine / "recipe.toml").resolve(), "--run-dir", mine / "run")
    done_before: list[str] = []

    def stop_at_the_third(name: str, *given: Any, **how: Any) -> object:
        if len(done_before) == 3:
            raise KeyboardInterrupt
        done_before.append(name)
        return fit_baseline(name, *given, **how)

    with monkeypatch.context() as patched:
        patched.setattr(baselines_stage, "fit_baseline", stop_at_the_third)
        assert call(*words, "--from", "baselines").exit_code == 130
    fitted_now: list[str] = []

    def note(name: str, *given: Any, **how: Any) -> object:
        fitted_now.append(name)
        return fit_baseline(name, *given, **how)

    monkeypatch.setattr(baselines_stage, "fit_baseline", note)
    go(mine, "--only", "baselines")
    assert done_before == ["mean", "forest_gri", "forest_ugriz"]
    assert fitted_now == ["forest_pixel", "boosting_apertures", "mass_metallicity"]
    pd.testing.assert_frame_equal(load(mine)[0], before)
    leftovers = [path.name for path in (mine / "run").rglob("*.unfinished")]
    assert leftovers == []


def test_measuring_goes_on_part_by_part(mine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = pd.read_parquet(mine / "run/aperture_numbers.parquet")
    words = ("run", (mine / "recipe.toml").resolve(), "--run-dir", mine / "run")
    monkeypatch.setattr(baselines_stage, "_GALAXIES_A_PART", 25)
    sizes: list[int] = []

    def stop_in_the_second(array: Any, rows: Any) -> object:
        sizes.append(len(rows))
        if len(sizes) == 2:
            raise KeyboardInterrupt
        return measure_apertures(array, rows)

    monkeypatch.setattr(baselines_stage, "measure_apertures", stop_in_the_second)
    assert call(*words, "--only", "baselines").exit_code == 130
    go(mine, "--only", "baselines")
    assert sizes == [25, 25, 25, 10]
    pd.testing.assert_frame_equal(pd.read_parquet(mine / "run/aperture_numbers.parquet"), before)


def test_each_of_several_targets_has_its_own_fits_of_the_galaxies_that_have_it(done: Path, tmp_path: Path) -> None:
    shutil.copytree(done, tmp_path / "other", ignore=shutil.ignore_patterns("run"))
    masses = pd.read_csv(done / "catalog.csv")["MSTAR"].to_numpy(copy=True)
    masses[::4] = np.nan
    change_catalog(tmp_path / "other", MSTAR=masses)
    output = fit_only(tmp_path / "other", "--set", 'catalog.targets=["oh_p50", "MSTAR"]')
    assert "oh_p50: 5 of 6 fitted" in output
    assert "MSTAR: 4 of 6 fitted" in output
    facts = load_facts(tmp_path / "other")
    assert facts["MSTAR"]["forest_pixel"]["num_training"] < facts["oh_p50"]["forest_pixel"]["num_training"]
    assert facts["MSTAR"]["mass_metallicity"]["left_out"] == "it predicts 12 + log10(O/H) only"
    assert facts["oh_p50"]["mass_metallicity"]["left_out"] == ""
    predicted = pd.read_parquet(tmp_path / "other/run/predictions/baselines_test.parquet")
    assert predicted["MSTAR_by_forest_pixel"].notna().all()
    assert predicted["MSTAR"].isna().any()


def test_tiny_images_have_no_rings_and_a_catalogue_without_photometry_no_forests(tmp_path: Path) -> None:
    make_sample(tmp_path, 30)
    text = QUICK.replace("baselines.kinds = []", 'baselines.kinds = "all"').replace("side = 16", "side = 4")
    (tmp_path / "recipe.toml").write_text(text)
    assert "oh_p50: 2 of 18 fitted" in fit_only(tmp_path)
    facts = load_facts(tmp_path)["oh_p50"]
    assert facts["gaussian_process"]["left_out"] == "images of 4 px a side have no rings"
    assert facts["mass_metallicity"]["left_out"] == "the catalogue has no log_mass"
    assert facts["forest_gri"]["left_out"] == "the catalogue has no magnitude_g, magnitude_r, magnitude_i"
    assert facts["forest_pixel"]["num_numbers"] == 3


def test_a_property_that_is_text_or_not_there_is_refused_before_anything_is_fitted(done: Path, tmp_path: Path) -> None:
    shutil.copytree(done, tmp_path / "other", ignore=shutil.ignore_patterns("run"))
    change_catalog(tmp_path / "other", word="spiral")
    for settings, message, status in (
        ("catalog.properties.magnitude_u=word", "does not hold numbers", 1),
        ("catalog.properties.magnitude_u=nowhere", "has no column 'nowhere'", 1),
        ("baselines.kinds=forrest", "there is no baseline 'forrest'", 2),
    ):
        assert message in refuse_run(tmp_path / "other", "--set", settings, status=status)
    assert not (tmp_path / "other/run/splits.parquet").exists()
