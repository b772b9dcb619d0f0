"""Promises of `metalight rank`, and of the tables of scores in runs and beside `metalight evaluate`."""

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from call import change_catalog, list_performed, refuse, run, succeed
from make import FIRST_ID

LONG_TABLES = ("metrics_by_truth.csv", "metrics_by_prediction.csv", "selection.csv")


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """60 galaxies: identifiers, places, true values and predictions that are noisy."""
    generator = np.random.default_rng(0)
    truth = np.linspace(8.3, 9.2, 60)
    frame = pd.DataFrame(
        {
            "object_id": FIRST_ID + np.arange(60),
            "RA": np.linspace(10, 20, 60),
            "dec": np.linspace(-5, 5, 60),
            "oh_p50": truth,
            "oh_p50_predicted": truth + generator.normal(0, 0.05, 60),
        }
    )
    frame.sample(frac=1, random_state=1).to_csv(tmp_path / "predictions.csv", index=False)
    return tmp_path / "predictions.csv"


def score(path: Path, folder: Path, *arguments: object) -> list[object]:
    columns = ["--truth", "oh_p50", "--predicted", "oh_p50_predicted", "--bootstrap", 20]
    return ["evaluate", path, *columns, "-o", folder, *arguments]


@pytest.mark.parametrize("end", ["lowest", "highest"])
def test_the_list_has_ranks_identifiers_places_predictions_and_truths(table: Path, tmp_path: Path, end: str) -> None:
    output = succeed("rank", table, "-n", 12, "-o", tmp_path / "list.csv", *(["--highest"] * (end == "highest")))
    listed, given = pd.read_csv(tmp_path / "list.csv"), pd.read_csv(table)
    assert listed.columns.tolist() == ["rank", "object_id", "ra", "dec", "oh_p50_predicted", "oh_p50"]
    assert listed["rank"].tolist() == list(range(1, 13))
    expected = given.sort_values("oh_p50_predicted", ascending=end == "lowest").head(12)
    for column, own in (("object_id", "object_id"), ("ra", "RA"), ("dec", "dec"), ("oh_p50", "oh_p50")):
        np.testing.assert_array_equal(listed[column], expected[own])
    truths = given["oh_p50"].nsmallest(12) if end == "lowest" else given["oh_p50"].nlargest(12)
    num = int(listed["oh_p50"].isin(truths).sum())
    assert f"Of the 12 {end} predictions {num} are among the 12 {end} true values of 60" in output
    assert "by chance 20 %" in " ".join(output.split())
    assert max(map(len, output.replace(str(tmp_path), "").splitlines())) <= 120
    assert "… and 2 more" in output


def test_new_predictions_without_truths_are_ranked_and_a_catalogue_tells_where_they_are(
    table: Path, tmp_path: Path
) -> None:
    frame = pd.read_csv(table)
    frame[["object_id", "oh_p50_predicted"]].to_csv(tmp_path / "new.csv", index=False)
    frame[["object_id", "RA", "dec"]].iloc[:50].to_csv(tmp_path / "sky.csv", index=False)
    output = succeed("rank", tmp_path / "new.csv", "-n", 5)
    assert "No true values are known, so that the list cannot be judged." in output
    assert "The lowest of 60 predictions: 5 galaxies" in output
    succeed("rank", tmp_path / "new.csv", "-n", 60, "--catalog", tmp_path / "sky.csv", "-o", tmp_path / "list.parquet")
    listed = pd.read_parquet(tmp_path / "list.parquet")
    assert listed["ra"].notna().sum() == 50  # the catalogue does not have the others
    known = listed.dropna().set_index("object_id")
    assert known["ra"].to_dict() == frame.iloc[:50].set_index("object_id")["RA"].to_dict()


def test_a_list_can_be_ranked_again_and_every_format_can_be_written(table: Path, tmp_path: Path) -> None:
    for suffix in ("ecsv", "vot", "fits", "parquet", "csv.gz"):
        path = tmp_path / f"list.{suffix}"
        succeed("rank", table, "-n", 20, "-o", path)
        again = succeed("rank", path, "-n", 20)
        assert "The lowest of 20 predictions: 20 galaxies" in again
        assert "Only 20 true values are known, no more than the 20 asked for: all count." in again


def test_missing_and_infinite_predictions_are_counted_and_never_listed(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table)
    frame.loc[:2, "oh_p50_predicted"] = [np.nan, np.inf, -np.inf]
    frame.loc[3, "oh_p50"] = np.nan
    frame.to_csv(table, index=False)
    output = succeed("rank", table, "-n", 57, "-o", tmp_path / "list.csv")
    assert "The lowest of 57 predictions: 57 galaxies" in output
    assert "3 without a prediction" in output
    assert np.isfinite(pd.read_csv(tmp_path / "list.csv")["oh_p50_predicted"]).all()
    judged = succeed("rank", table, "-n", 7)
    assert "true values of 56" in judged
    frame["oh_p50_predicted"] = np.nan
    frame.to_csv(table, index=False)
    assert "None of 60 galaxies has a finite prediction to rank" in refuse("rank", table)


def test_a_run_is_ranked_by_its_target(finished: Path, tmp_path: Path) -> None:
    output = succeed("rank", finished / "run", "-n", 3, "-o", tmp_path / "list.csv")
    listed = pd.read_csv(tmp_path / "list.csv")
    assert listed.columns.tolist() == ["rank", "object_id", "oh_p50_predicted", "oh_p50"]
    predictions = pd.read_parquet(finished / "run/predictions/test.parquet")
    assert listed["object_id"].tolist() == predictions.nsmallest(3, "oh_p50_predicted")["object_id"].tolist()
    assert "Of the 3 lowest predictions" in output
    assert "are the 3" not in succeed("rank", finished / "run", "-n", 3, "--split", "validation")


def test_a_run_whose_catalogue_knows_places_lists_them(copy: Path) -> None:
    catalog = pd.read_csv(copy / "catalog.csv")
    places = np.linspace(1, 2, len(catalog))
    change_catalog(copy, ra=places, dec=-places)
    run(copy)
    succeed("rank", copy / "run", "-n", 4, "-o", copy / "list.csv")
    listed = pd.read_csv(copy / "list.csv")
    expected = dict(zip(catalog["objID"], places, strict=True))
    assert listed["ra"].tolist() == [expected[object_id] for object_id in listed["object_id"]]
    assert (listed["dec"] == -listed["ra"]).all()


def test_what_cannot_be_meant_is_refused_in_a_sentence(table: Path, finished: Path, tmp_path: Path) -> None:
    two = pd.read_csv(table).assign(mass_predicted=1.0)
    two.to_csv(tmp_path / "two.csv", index=False)
    for arguments, message in (
        (
            [table, "--truth", "oh_p5", "--predicted", "oh_p50_predicted"],
            "has no column 'oh_p5', which --truth names. Did you mean 'oh_p50'?",
        ),
        ([table, "--predicted", "guess"], "has no column 'guess', which --predicted names."),
        ([table, "--split", "validation"], "--split validation chooses galaxies of a run, but"),
        ([table, "--catalog-id", "objID"], "--catalog-id names a column of the catalogue; give --catalog too"),
        ([table, "--catalog", finished / "catalog.csv", "--catalog-id", "objID"], "has no column 'ra'"),
        ([tmp_path / "two.csv"], "predicts oh_p50, mass; say with --target which one is meant."),
        ([finished / "run", "--truth", "oh_p50"], "is a run, whose columns are known"),
        ([finished / "run", "--target", "mass"], "has no predictions of 'mass'."),
        ([tmp_path / "none.csv"], "give a run folder or a table of predictions."),
        ([table, "-o", tmp_path / "list.doc"], "has the suffix '.doc', which metalight does not know"),
    ):
        assert message in refuse("rank", *arguments), arguments


def test_runs_and_evaluations_leave_the_long_tables_beside_metrics_json(finished: Path, tmp_path: Path) -> None:
    predictions = finished / "run/predictions/test.parquet"
    settings = ["--bootstrap", 20]
    output = succeed(*score(predictions, tmp_path), *settings)
    for name in LONG_TABLES:
        in_run = pd.read_csv(finished / "run" / name)
        pd.testing.assert_frame_equal(in_run, pd.read_csv(tmp_path / name))
        assert in_run["target"].eq("oh_p50").all()
        assert str(tmp_path / name) in output
        assert (finished / "run" / f"{Path(name).stem}_validation.csv").is_file()
    in_run, alone = (
        json.loads((folder / "metrics.json").read_text())["oh_p50"] for folder in (finished / "run", tmp_path)
    )
    assert in_run["metrics"] == alone["metrics"]
    assert in_run["breakdown"] == alone["breakdown"]
    by_truth = pd.read_csv(tmp_path / "metrics_by_truth.csv")
    assert by_truth["num"].sum() <= alone["num_galaxies"] == len(pd.read_parquet(predictions))


def test_a_long_table_that_is_lost_is_made_anew(copy: Path) -> None:
    run(copy)
    (copy / "run/metrics_by_prediction.csv").unlink()
    assert list_performed(run(copy)) == ["evaluation"]
    assert (copy / "run/metrics_by_prediction.csv").is_file()


def test_a_run_of_before_there_were_long_tables_gets_them_when_it_goes_on(copy: Path) -> None:
    run(copy)
    path = copy / "run/stages.json"
    records = json.loads(path.read_text())
    del records["evaluation"]["fingerprint"]["settings"]["writes"]
    for name in LONG_TABLES:
        (copy / "run" / name).unlink()
        del records["evaluation"]["outputs"][name]
    path.write_text(json.dumps(records))
    assert list_performed(run(copy)) == ["evaluation"]
    assert all((copy / "run" / name).is_file() for name in LONG_TABLES)


@pytest.mark.filterwarnings("error")
def test_infinities_and_gaps_are_left_out_of_an_evaluation_and_counted(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table)
    frame.loc[0, ["oh_p50", "oh_p50_predicted"]] = np.inf
    frame.loc[1, "oh_p50_predicted"] = -np.inf
    frame.loc[2, "oh_p50"] = np.nan
    frame.to_csv(table, index=False)
    output = succeed(*score(table, tmp_path / "scores"))
    assert "57 galaxies scored; 3 left out, which lack a true value or a prediction." in output
    scores = json.loads((tmp_path / "scores/metrics.json").read_text())["oh_p50"]
    assert (scores["num_galaxies"], scores["num_left_out"]) == (57, 3)
    assert pd.read_csv(tmp_path / "scores/residuals.csv")["residual"].isna().sum() == 3


def test_a_number_that_stands_for_a_missing_one_is_refused_and_not_squared(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table)
    frame.loc[5, "oh_p50_predicted"] = -1.7e308
    frame.to_csv(table, index=False)
    message = refuse(*score(table, tmp_path / "scores"))
    assert "The prediction of 1 of 60 galaxies is beyond 1e100, first -1.7e+308" in message


def test_equal_labels_one_galaxy_a_bin_and_one_row_end_in_a_sentence_or_in_empty_bins(
    table: Path, tmp_path: Path
) -> None:
    frame = pd.read_csv(table)
    frame.assign(oh_p50=8.9).to_csv(table, index=False)
    output = succeed(*score(table, tmp_path / "equal"))
    assert [line.split() for line in output.splitlines() if line.startswith("R²")] == [["R²", "–", "–", "–"]]
    sparse = frame.sort_values("oh_p50").iloc[[0, 12, 25, 38, 51]]
    sparse.to_csv(table, index=False)
    output = succeed(*score(table, tmp_path / "sparse"))
    assert "No range of predictions holds enough galaxies to tell whether they are biased" in output
    bins = pd.read_csv(tmp_path / "sparse/metrics_by_truth.csv")
    assert bins["num"].max() == 1
    assert bins["nmad"].isna().all()
    assert bins.loc[bins["num"] == 1, "mean_bias"].notna().all()
    frame.iloc[:1].to_csv(table, index=False)
    assert "Of 1 galaxies, 1 has both a true value and a prediction; at least 2 are needed" in refuse(
        *score(table, tmp_path / "one")
    )


def test_every_command_that_reads_a_table_names_the_columns_that_it_leaves_out(table: Path, tmp_path: Path) -> None:
    frame = pd.read_csv(table)
    frame["spectrum"] = [[1.0, 2.0]] * len(frame)
    odd = tmp_path / "odd.parquet"
    frame.to_parquet(odd)
    for arguments in (
        ["rank", odd, "-n", 5],
        ["rank", table, "-n", 5, "--catalog", odd],
        score(odd, tmp_path / "scores"),
        ["compare", odd, table, "--bootstrap", 100],
    ):
        output = succeed(*arguments)
        assert "'spectrum'" in output
        assert "odd.parquet" in output
