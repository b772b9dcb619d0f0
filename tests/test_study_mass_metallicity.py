"""Promises of `metalight study mass-metallicity`: from a run folder to tables, sentences and refusals."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import typer
from typer.testing import CliRunner

from make_universes import SeenUniverse, see_universe, write_run
from metalight.cli.study_mass_metallicity import mass_metallicity
from metalight.errors import EvaluationError, RunError
from metalight.recipe import dump_recipe, load_recipe
from metalight.run_folder import RunFolder
from metalight.studies.mass_metallicity import study_mass_metallicity, write_shuffled_catalog
from metalight.tables import Table, load_table, save_table

TABLES = {
    *("galaxies", "relation", "slopes", "scatter_ratios", "routes", "error_budget", "error_budget_by_mass"),
    *("sfr_residuals", "fundamental_relations", "fourth_parameter"),
}


@pytest.fixture(scope="module")
def seen() -> SeenUniverse:
    return see_universe("default", 1000, 5)


@pytest.fixture(scope="module")
def studied(seen: SeenUniverse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder that has been studied; tests that change it copy it."""
    folder = tmp_path_factory.mktemp("studied") / "run"
    write_run(seen, folder)
    study_mass_metallicity(folder, num_bootstrap=100)
    return folder


@pytest.fixture
def copy(studied: Path, tmp_path: Path) -> RunFolder:
    shutil.copytree(studied, tmp_path / "copy")
    return RunFolder(tmp_path / "copy")


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Studies without figures, which take longer than the numbers."""
    monkeypatch.setattr("metalight.studies.mass_metallicity.draw_mass_metallicity_study", lambda *_: [])


def change(path: Path, **columns: Any) -> None:
    """Columns of a table replaced; None drops one."""
    table = load_table(path, missing_values=())
    frame = table.frame.drop(columns=[name for name, values in columns.items() if values is None])
    for name, values in columns.items():
        if values is not None:
            frame[name] = values
    save_table(Table(frame, table.info), path)


def test_a_study_leaves_every_table_and_its_numbers(studied: Path) -> None:
    folder = studied / "studies" / "mass-metallicity"
    assert {path.stem for path in folder.glob("*.csv")} >= TABLES  # those of the figures are there, too
    results = json.loads((folder / "results.json").read_text())
    galaxies = pd.read_csv(folder / "galaxies.csv")
    assert len(galaxies) == results["num_galaxies"] == 400
    truth = load_table(RunFolder(studied).predictions("test"), missing_values=()).frame.set_index("object_id")
    matched = truth.loc[galaxies["object_id"]]
    np.testing.assert_allclose(galaxies["metallicity_predicted"], matched["oh_p50_predicted"])
    np.testing.assert_allclose(galaxies["log_mass_predicted"], matched["lgm_tot_p50_predicted"])
    np.testing.assert_allclose(galaxies["metallicity"], matched["oh_p50"])
    routes = pd.read_csv(folder / "routes.csv").set_index("route")
    error = matched["oh_p50_predicted"] - matched["oh_p50"]
    assert routes.loc["direct", "rmse"] == pytest.approx(np.sqrt(np.mean(error**2)), rel=0.03)  # of those in range
    assert routes.loc["direct", "rmse_paper"] == 0.0849
    assert "predicted mass through a relation fitted to predicted masses" in routes.index
    unverified = {known["name"]: known["unverified"] for known in results["published_relations"]}
    assert "from memory" in unverified["Lara-López 2010"]
    assert unverified["Tremonti 2004"] == ""
    assert results["knowledge"]["verdict"] == "more than mass"
    assert results["knowledge"]["sentence"] in (folder / "summary.txt").read_text()


@pytest.mark.usefixtures("undrawn")
def test_the_same_study_gives_the_same_files(copy: RunFolder) -> None:
    folder = copy.path / "studies" / "mass-metallicity"
    files = [folder / "results.json", folder / "summary.txt", *(folder / f"{name}.csv" for name in TABLES)]
    before = [path.read_bytes() for path in files]
    study_mass_metallicity(copy.path, num_bootstrap=100)
    assert [path.read_bytes() for path in files] == before


@pytest.mark.usefixtures("undrawn")
def test_the_command_prints_the_routes_the_findings_and_where_they_lie(copy: RunFolder) -> None:
    app = typer.Typer()
    app.command()(mass_metallicity)
    result = CliRunner().invoke(app, [str(copy.path), "--bootstrap", "100"])
    assert result.exit_code == 0, result.output
    assert "400 test galaxies" in result.output
    for word in ("direct", "0.0849", "see more of metallicity than mass tells", "results.json", "concentration"):
        assert word in result.output
    assert result.output.count(str(copy.path)) <= 3  # folders, not every file


@pytest.mark.usefixtures("undrawn")
def test_masses_may_be_predicted_by_another_run(seen: SeenUniverse, copy: RunFolder, tmp_path: Path) -> None:
    alone = write_run(seen, tmp_path / "alone", predicts_mass=False).path
    report = study_mass_metallicity(alone, num_bootstrap=100)
    assert "No predicted masses" in report.notes[0]
    assert not report.study.tables["routes"]["route"].str.contains("predicted mass").any()
    report = study_mass_metallicity(alone, mass_run=copy.path, num_bootstrap=100)
    assert "predicts the masses of 400 of the 400 test galaxies." in report.notes[0]
    both = study_mass_metallicity(copy.path, num_bootstrap=100)
    pd.testing.assert_frame_equal(report.study.tables["routes"], both.study.tables["routes"])


def test_galaxies_that_the_other_run_learnt_from_have_no_predicted_mass(
    seen: SeenUniverse, copy: RunFolder, tmp_path: Path
) -> None:
    alone = write_run(seen, tmp_path / "alone", predicts_mass=False).path
    splits = load_table(copy.splits, missing_values=()).frame
    turned = splits["split"].map({"train": "test", "test": "train", "validation": "validation"})
    change(copy.splits, split=turned.to_numpy())
    with pytest.raises(EvaluationError, match="predicts the mass of none of the test galaxies"):
        study_mass_metallicity(alone, mass_run=copy.path)


def test_a_shuffled_catalogue_keeps_masses_and_labels_and_severs_the_two(copy: RunFolder, tmp_path: Path) -> None:
    written = write_shuffled_catalog(copy.path, tmp_path / "shuffled.parquet", seed=3)
    before = load_table(copy.catalog, missing_values=()).frame
    after = load_table(written, missing_values=()).frame
    np.testing.assert_array_equal(after["oh_p50_unshuffled"], before["oh_p50"])
    np.testing.assert_array_equal(after["lgm_tot_p50"], before["lgm_tot_p50"])
    assert sorted(after["oh_p50"]) == sorted(before["oh_p50"])
    assert (after["oh_p50"] != before["oh_p50"]).mean() > 0.9
    # What was above its relation is so no longer, and the relation is the same.
    residuals = [(frame["oh_p50"] - frame["lgm_tot_p50"] * 0.25).to_numpy() for frame in (before, after)]
    assert np.corrcoef(before["lgm_tot_p50"], after["oh_p50"])[0, 1] == pytest.approx(
        np.corrcoef(before["lgm_tot_p50"], before["oh_p50"])[0, 1], abs=0.02
    )
    assert abs(np.corrcoef(residuals[0], residuals[1])[0, 1]) < 0.3


@pytest.mark.usefixtures("undrawn")
def test_a_run_on_shuffled_labels_is_compared_with_the_real_one(copy: RunFolder, tmp_path: Path) -> None:
    shutil.copytree(copy.path, tmp_path / "null")
    null = RunFolder(tmp_path / "null")
    with pytest.raises(EvaluationError, match=r"same metallicities as .* so it is not a null run"):
        study_mass_metallicity(copy.path, null_run=null.path, num_bootstrap=100)
    write_shuffled_catalog(copy.path, tmp_path / "shuffled.parquet")
    (tmp_path / "shuffled.parquet").replace(null.catalog)
    noise = np.random.default_rng(0).normal(0, 0.01, 1000)
    # Of what mass tells, as a network would predict it that learnt from shuffled labels.
    for split in ("validation", "test"):
        mass = load_table(null.predictions(split), missing_values=()).frame["lgm_tot_p50_predicted"]
        change(null.predictions(split), oh_p50_predicted=8.9 + 0.25 * (mass - 10).to_numpy() + noise[: len(mass)])
    report = study_mass_metallicity(copy.path, null_run=null.path, num_bootstrap=100)
    found = report.study.results["null_run"]
    assert found["rmse_difference"]["high"] < 0  # the run's own errors are smaller
    for known in ("fixed measured mass", "fixed measured and predicted mass"):
        at_fixed = found["partial_correlations"][known]
        assert at_fixed["null_run"]["corrected"]["high_95"] < at_fixed["run"]["corrected"]["low_95"]
    assert "A run on labels exchanged" in report.study.sentences[-1]


@pytest.mark.usefixtures("undrawn")
def test_a_catalogue_without_star_formation_or_photometry_is_studied_as_far_as_it_goes(copy: RunFolder) -> None:
    change(
        copy.catalog,
        **dict.fromkeys(("sfr_tot_p16", "sfr_tot_p50", "sfr_tot_p84", "modelMag_g", "petroR90_r")),
    )
    report = study_mass_metallicity(copy.path, num_bootstrap=100)
    assert "sfr_residuals" not in report.study.tables
    assert any("no star formation rates" in sentence for sentence in report.study.sentences)
    assert any("does not have them: concentration R90/R50" in sentence for sentence in report.study.sentences)
    folder = copy.path / "studies" / "mass-metallicity"
    assert not (folder / "sfr_residuals.csv").exists()  # of the study before


@pytest.mark.usefixtures("undrawn")
def test_missing_predictions_and_infinities_are_left_out_and_counted(copy: RunFolder) -> None:
    predictions = load_table(copy.predictions("test"), missing_values=()).frame
    predicted = predictions["oh_p50_predicted"].to_numpy(copy=True)
    predicted[:7], predicted[7:9] = np.nan, np.inf
    change(copy.predictions("test"), oh_p50_predicted=predicted)
    report = study_mass_metallicity(copy.path, num_bootstrap=100)
    assert report.num_left_out == 9
    assert report.study.results["num_galaxies"] == 391


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"lgm_tot_p50": None}, "has no masses, which this study needs: add a column log_mass or lgm_tot_p50"),
        ({"lgm_tot_p50": np.nan}, "has no masses"),
        ({"lgm_tot_p50": 20.0}, "has no masses, which this study needs (lgm_tot_p50: no numbers from"),
        ({"oh_p50": 8.9}, "have the same metallicity, 8.9"),
        ({"lgm_tot_p50": 10.0}, "have the same mass, 10"),
    ],
)
def test_what_cannot_be_studied_is_refused_in_a_sentence(
    copy: RunFolder, columns: dict[str, object], message: str
) -> None:
    change(copy.catalog, **columns)
    with pytest.raises(EvaluationError, match=re.escape(message)):
        study_mass_metallicity(copy.path)


def test_a_folder_that_is_no_finished_run_is_refused(copy: RunFolder, tmp_path: Path) -> None:
    with pytest.raises(RunError, match="is not a run folder"):
        study_mass_metallicity(tmp_path)
    copy.predictions("test").unlink()
    with pytest.raises(RunError, match="has no predictions of its test galaxies yet"):
        study_mass_metallicity(copy.path)
    copy.splits.unlink()
    with pytest.raises(RunError, match=r"has no splits\.parquet yet"):
        study_mass_metallicity(copy.path)


def test_targets_that_are_not_known_by_name_are_asked_for(copy: RunFolder) -> None:
    with pytest.raises(EvaluationError, match=r"has no target 'oh_p5'\. Did you mean 'oh_p50'\?"):
        study_mass_metallicity(copy.path, metallicity="oh_p5")
    with pytest.raises(EvaluationError, match="--mass names oh_p50, which is the metallicity"):
        study_mass_metallicity(copy.path, mass="oh_p50")
    predictions = load_table(copy.predictions("test"), missing_values=()).frame
    renamed = predictions.rename(columns={"oh_p50_predicted": "abundance_predicted", "oh_p50": "abundance"})
    save_table(Table(renamed, {}), copy.predictions("test"))
    with pytest.raises(EvaluationError, match="no target known as metallicity; name yours with --metallicity"):
        study_mass_metallicity(copy.path)


@pytest.mark.usefixtures("undrawn")
def test_targets_are_known_by_the_names_that_the_recipe_gives_properties(copy: RunFolder) -> None:
    names = {"oh_p50": "OH", "lgm_tot_p50": "MSTAR"}
    for path in (copy.catalog, copy.predictions("test"), copy.predictions("validation")):
        table = load_table(path, missing_values=())
        ended = {f"{old}_predicted": f"{new}_predicted" for old, new in names.items()}
        save_table(Table(table.frame.rename(columns={**names, **ended}), {}), path)
    settings = ["catalog.properties.metallicity=OH", "catalog.properties.log_mass=MSTAR"]
    recipe = load_recipe("paper", ["catalog.targets=['OH', 'MSTAR']", "catalog.path=catalog.csv", *settings])
    copy.recipe.write_text(dump_recipe(recipe), encoding="utf-8")
    report = study_mass_metallicity(copy.path, num_bootstrap=100)
    assert report.notes == []
    assert report.study.tables["routes"]["route"].str.contains("predicted mass").any()


@pytest.mark.usefixtures("undrawn")
def test_a_run_of_before_there_were_tables_of_bins_is_studied_without_a_page(copy: RunFolder) -> None:
    copy.metrics("test").write_text("{}")
    report = study_mass_metallicity(copy.path, num_bootstrap=100)
    assert copy.results not in report.paths
