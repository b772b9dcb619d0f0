"""Promises of `metalight compare`: the same galaxies for both, nothing passed over in silence, clear refusals."""

import json
import math
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from call import call, refuse, succeed
from make import FIRST_ID
from metalight.pipeline import SideColumns
from metalight.pipeline import compare as compare_paths
from metalight.tables import ColumnInfo, Table, save_table

NAMED = ["--id", "id", "--truth", "oh", "--predicted", "guess"]


@pytest.fixture(scope="session")
def pair(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with run/, other/ (the same model, predictions of single views) and shuffled/ (other splits)."""
    folder = tmp_path_factory.mktemp("pair")
    for name in ("run", "other", "shuffled"):
        shutil.copytree(finished / "run", folder / name)
    redo(folder, "other", "prediction", "prediction.views=none")
    for stage in ("splits", "training", "prediction"):
        redo(folder, "shuffled", stage, "splits.seed=28")
    return folder


@pytest.fixture
def runs(pair: Path, tmp_path: Path) -> Path:
    """A copy of `pair`, to be changed."""
    shutil.copytree(pair, tmp_path / "runs")
    return tmp_path / "runs"


@pytest.fixture
def tables(tmp_path: Path) -> Path:
    """A folder with a.csv and b.csv: id, oh and guess of the same 60 galaxies."""
    write(tmp_path / "a.csv", make_frame(sigma=0.1))
    write(tmp_path / "b.csv", make_frame(sigma=0.05, seed=1))
    return tmp_path


def redo(folder: Path, name: str, stage: str, setting: str) -> None:
    """One stage of a run again, and no other: the figures take longer than all the rest."""
    arguments = ["--run-dir", folder / name, "--only", stage, "--set", setting]
    succeed("run", folder / name / "recipe.toml", *arguments)


def make_frame(num: int = 60, *, sigma: float, seed: int = 0) -> pd.DataFrame:
    truth = np.random.default_rng(99).normal(8.9, 0.2, num).round(6)
    guess = truth + np.random.default_rng(seed).normal(0, sigma, num)
    return pd.DataFrame({"id": FIRST_ID + np.arange(num), "oh": truth, "guess": guess})


def write(path: Path, frame: pd.DataFrame, unit: str = "") -> Path:
    save_table(Table(frame, {"oh": ColumnInfo(unit, "abundance")} if unit else {}), path)
    return path


def compare(*arguments: object) -> tuple[dict[str, Any], str]:
    """What comparison.json says, and what is shown; `-o FOLDER` is the last pair of the arguments."""
    shown = succeed("compare", *arguments)
    return json.loads((Path(str(arguments[-1])) / "comparison.json").read_text()), shown


def test_two_runs_are_compared_and_what_differs_in_them_is_told(runs: Path) -> None:
    record, shown = compare(runs / "run", runs / "other", "-o", runs / "out")
    of_target = record["targets"]["oh_p50"]
    a, b = (pd.read_parquet(runs / f"{name}/predictions/test.parquet") for name in ("run", "other"))
    for side, frame in (("a", a), ("b", b)):
        rmse = float(np.sqrt(np.mean((frame["oh_p50_predicted"] - frame["oh_p50"]) ** 2)))
        assert of_target["metrics"]["rmse"][side]["value"] == pytest.approx(rmse)
    assert of_target["num_galaxies"] == 8
    assert of_target["rms_between"] > 0
    assert record["split"] == "test"
    assert record["training_overlap"] == {"num_a_in_b": 0, "num_b_in_a": 0}
    assert record["differences"] == [{"what": "prediction.views", "a": "eight", "b": "none"}]
    assert record["notes"] == []
    assert shown.startswith("A: run\nB: other\n")
    assert "oh_p50 (12 + log10(O/H)) of 8 test galaxies of both\n" in shown
    assert of_target["verdict"] in " ".join(shown.split())
    assert "prediction.views  eight  none\n" in shown


def test_the_galaxies_and_the_figure_are_written_with_the_numbers(runs: Path) -> None:
    shown = succeed("compare", runs / "run", runs / "other", "-o", runs / "out")
    figure = [f"paired_difference{end}" for end in (".png", ".pdf", ".csv", "_residuals.csv", "_bootstrap.csv")]
    names = ["comparison.json", "comparison.csv", *figure]
    assert sorted(path.name for path in (runs / "out").iterdir()) == sorted(names)
    assert [Path(line).name for line in shown.splitlines()[-7:]] == names
    galaxies = pd.read_csv(runs / "out/comparison.csv")
    of_run = pd.read_parquet(runs / "run/predictions/test.parquet").sort_values("object_id")
    assert galaxies["object_id"].tolist() == of_run["object_id"].tolist()
    np.testing.assert_allclose(galaxies["predicted_a"], of_run["oh_p50_predicted"])
    np.testing.assert_allclose(galaxies["residual_b"], galaxies["predicted_b"] - galaxies["truth"], atol=1e-12)
    np.testing.assert_allclose(galaxies["difference"], galaxies["predicted_b"] - galaxies["predicted_a"], atol=1e-12)


def test_the_validation_galaxies_can_be_compared_too(runs: Path) -> None:
    arguments = [runs / "run", runs / "other", "--split", "validation"]
    galaxies = pd.read_parquet(runs / "run/predictions/validation.parquet")["object_id"]
    record, shown = compare(*arguments, "-o", runs / "out")
    assert record["split"] == "validation"
    assert "of 8 validation galaxies of both" in shown
    assert set(pd.read_csv(runs / "out/comparison.csv")["object_id"]) == set(galaxies)


def test_galaxies_that_trained_the_other_run_are_warned_of_and_not_compared(pair: Path, tmp_path: Path) -> None:
    record, shown = compare(pair / "run", pair / "shuffled", "-o", tmp_path)
    a, b = (
        pd.read_parquet(pair / f"{name}/splits.parquet").set_index("object_id")["split"] for name in ("run", "shuffled")
    )
    b = b.reindex(a.index)
    num_a_in_b, num_b_in_a = int(((a == "test") & (b == "train")).sum()), int(((b == "test") & (a == "train")).sum())
    both = set(a[(a == "test") & (b == "test")].index)
    assert min(num_a_in_b, num_b_in_a, len(both) - 1) > 0
    assert record["training_overlap"] == {"num_a_in_b": num_a_in_b, "num_b_in_a": num_b_in_a}
    assert set(pd.read_csv(tmp_path / "comparison.csv")["object_id"]) == both
    assert f"Warning: {num_a_in_b} test galaxies of A are training galaxies of B, and {num_b_in_a} test" in shown
    assert f"only the {len(both)} that are test galaxies of both" in shown
    assert f"of {len(both)} test galaxies of both; {8 - len(both)} only in A; {8 - len(both)} only in B\n" in shown
    # Two trainings may take the same time, to what is recorded of it.
    what = {difference["what"] for difference in record["differences"]} - {"time of training"}
    assert what == {"splits.seed", "weights of the model (sha256)"}


def test_predictions_of_what_are_now_training_galaxies_are_left_out(runs: Path) -> None:
    redo(runs, "other", "splits", "splits.seed=28")
    shown = succeed("compare", runs / "run", runs / "other")
    splits = pd.read_parquet(runs / "other/splits.parquet").set_index("object_id")["split"]
    of_run = pd.read_parquet(runs / "run/predictions/test.parquet")["object_id"]
    num_trained = int((splits[of_run] == "train").sum())
    assert num_trained > 0
    assert f"of {8 - num_trained} test galaxies of both; {num_trained} left out as training galaxies\n" in shown
    assert f"B: the recipe in {runs / 'other'} has been changed since these predictions were made; `metalight" in shown
    assert "A: the recipe" not in shown


def test_runs_without_a_test_galaxy_in_common_are_refused(runs: Path) -> None:
    predictions = runs / "other/predictions"
    shutil.copy(predictions / "validation.parquet", predictions / "test.parquet")
    message = refuse("compare", runs / "run", runs / "other")
    assert "No galaxy is in both: the identifiers look like '1237648720693755" in message
    assert message.endswith("give both runs the same catalogue and the same [splits].")


def test_a_catalogue_of_several_files_is_compared_by_their_content(finished: Path, runs: Path) -> None:
    catalog = pd.read_csv(finished / "catalog.csv")
    for name in ("again", "changed"):
        shutil.copytree(runs / "run", runs / name)
        (runs / f"parts-{name}").mkdir()
        catalog[:20].to_parquet(runs / f"parts-{name}/a.parquet")
        rest = catalog[20:] if name == "again" else catalog[20:].assign(more=1)
        rest.to_parquet(runs / f"parts-{name}/b.parquet")
        if name == "changed":
            catalog[:20].assign(more=1).to_parquet(runs / f"parts-{name}/a.parquet")
        redo(runs, name, "catalog", f"catalog.path={runs}/parts-{name}")
    shutil.copytree(runs / "again", runs / "copy")
    assert "do not differ in recipe, environment or model" in succeed("compare", runs / "again", runs / "copy")
    for other in ("run", "changed"):
        assert "content of the catalogue (sha256)" in succeed("compare", runs / "again", runs / other)


def test_a_path_that_leads_to_the_same_content_is_no_difference(finished: Path, runs: Path) -> None:
    shutil.copy(finished / "catalog.csv", runs / "same.csv")
    shutil.copytree(runs / "run", runs / "again")
    redo(runs, "again", "catalog", f"catalog.path={runs}/same.csv")
    shown = succeed("compare", runs / "run", runs / "again")
    assert "The two runs do not differ in recipe, environment or model." in shown
    (runs / "deep").mkdir()
    (runs / "deep/same.csv").write_text((finished / "catalog.csv").read_text() + "\n")
    redo(runs, "again", "catalog", f"catalog.path={runs}/deep/same.csv")
    differences = compare(runs / "run", runs / "again", "-o", runs / "out")[0]["differences"]
    assert [each["what"] for each in differences] == ["catalog.path", "content of the catalogue (sha256)"]
    assert differences[0] == {
        "what": "catalog.path",
        "a": f"{finished.name}/catalog.csv",
        "b": "runs/deep/same.csv",
    }


def test_a_run_is_compared_without_what_only_describes_it(runs: Path) -> None:
    (runs / "other/provenance.json").write_text("{")
    (runs / "other/recipe.toml").write_text("[model")
    shutil.rmtree(runs / "other/model")
    shown = succeed("compare", runs / "run", runs / "other")
    assert [line.split() for line in shown.splitlines() if line.endswith("not known")] == [
        [what, "known", "not", "known"] for what in ("recipe", "environment")
    ]
    assert "of 8 test galaxies of both" in shown


@pytest.mark.parametrize("is_run", [True, False])
def test_the_same_path_twice_is_said_to_be_the_same(finished: Path, tables: Path, is_run: bool) -> None:
    path, options = (finished / "run", []) if is_run else (tables / "a.csv", NAMED)
    shown = succeed("compare", path, path, *options)
    assert f"A and B are the same {'run' if is_run else 'file'}, {path}." in shown
    assert "A and B are identical predictions of these" in shown


def test_a_run_and_new_predictions_without_truth_are_compared_by_the_truth_of_the_run(
    finished: Path, tmp_path: Path
) -> None:
    output = tmp_path / "new.csv"
    succeed("predict", finished / "run", "--images", finished / "images", "-o", output, "--views", "none")
    record, _ = compare(finished / "run", output, "-o", tmp_path / "out")
    of_target = record["targets"]["oh_p50"]
    assert (of_target["num_galaxies"], of_target["num_only_a"], of_target["num_only_b"]) == (8, 0, 32)
    assert record["training_overlap"] == {"num_a_in_b": 0, "num_b_in_a": 0}
    assert record["notes"] == [
        "Whether a model was trained on these galaxies is not known of B, as a table does not say."
    ]
    assert record["differences"] is None
    message = refuse("compare", output, output)
    assert "Neither A nor B has a column 'oh_p50' of true values; name it with --truth, or" in message
    truth = ["--truth-table", finished / "catalog.csv", "--truth-table-id", "objID"]
    assert "40 galaxies of both" in succeed("compare", output, output, *truth)
    message = refuse("compare", output, output, *truth, "--truth", "oh_p5")
    assert "has no column 'oh_p5_predicted'" in message
    assert message.endswith("Did you mean 'oh_p50_predicted'?")


@pytest.mark.parametrize("suffix", ["csv", "parquet", "fits"])
def test_tables_in_any_order_and_format_are_paired_by_identifier(tables: Path, suffix: str) -> None:
    expected = succeed("compare", tables / "a.csv", tables / "b.csv", *NAMED)
    shuffled = make_frame(sigma=0.05, seed=1).sample(frac=1, random_state=0)
    other = write(tables / f"c.{suffix}", shuffled.rename(columns={"id": "ID", "oh": "OH", "guess": "g"}))
    options = ["--id-b", "ID", "--truth-b", "OH", "--predicted-b", "g"]
    shown = succeed("compare", tables / "a.csv", other, *NAMED, *options)
    assert shown == expected.replace("B: b.csv", f"B: c.{suffix}")


def test_columns_may_be_named_in_another_case(tables: Path) -> None:
    named = succeed("compare", tables / "a.csv", tables / "b.csv", *NAMED)
    shouted = [word if word.startswith("--") else word.upper() for word in NAMED]
    assert succeed("compare", tables / "a.csv", tables / "b.csv", *shouted) == named
    truth = ["--truth-table", tables / "a.csv", "--truth-table-id", "ID"]
    assert "oh of 60 galaxies" in succeed("compare", tables / "a.csv", tables / "b.csv", *NAMED, *truth)


def test_exchanging_a_and_b_changes_the_signs(tables: Path) -> None:
    columns = SideColumns("id", "oh", "guess")
    a, b = tables / "a.csv", tables / "b.csv"
    first, second = (compare_paths(*paths, columns=columns).targets["oh"].comparison for paths in ((a, b), (b, a)))
    for name, metric in first.metrics.items():
        one, two = metric.difference_95, second.metrics[name].difference_95
        np.testing.assert_array_equal([one.value, one.low, one.high], [-two.value, -two.high, -two.low], name)
    assert first.metrics["rmse"].fraction_b_better > 0.9


def test_only_whole_galaxies_of_both_are_compared_and_the_others_are_counted(tables: Path) -> None:
    a, b = make_frame(sigma=0.1), make_frame(sigma=0.05, seed=1)
    a.loc[3, "guess"] = a.loc[4, "oh"] = np.nan
    b.loc[4, "oh"], b.loc[5, "guess"] = -9999, np.inf
    write(tables / "a.parquet", a.iloc[:50])
    write(tables / "b.parquet", b.iloc[2:])
    shown = succeed("compare", tables / "a.parquet", tables / "b.parquet", *NAMED)
    counts = "45 galaxies of both; 2 only in A; 10 only in B; 3 left out for want of a true value or a prediction"
    assert f"oh of {counts}\n" in shown


def test_several_targets_are_compared_each_or_one_of_them(tables: Path) -> None:
    for name, sigma in (("a", 0.1), ("b", 0.05)):
        frame = make_frame(sigma=sigma).rename(columns={"id": "object_id", "guess": "oh_predicted"})
        frame = frame.assign(mass=frame["oh"] + 1, mass_predicted=frame["oh_predicted"] + 1.1)
        save_table(Table(frame.assign(**{f"{name}_predicted": 1.0}), {}), tables / f"{name}.parquet")
    both = [tables / "a.parquet", tables / "b.parquet"]
    record, _ = compare(*both, "-o", tables / "out")
    assert list(record["targets"]) == ["oh", "mass"]
    assert {"comparison_oh.csv", "paired_difference_mass.png"} < {path.name for path in (tables / "out").iterdir()}
    shown = succeed("compare", *both, "--target", "mass")
    assert "mass of 60 galaxies of both" in shown
    assert "oh of" not in shown
    assert "has no predictions of 'mas'. Did you mean 'mass'?" in refuse("compare", *both, "--target", "mas")
    write(tables / "c.csv", make_frame(sigma=0.1))
    named = ["--id-b", "id", "--predicted-b", "guess"]
    assert "predicts oh, mass, a; say with --target" in refuse("compare", both[0], tables / "c.csv", *named)
    assert "oh of 60 galaxies" in succeed("compare", both[0], tables / "c.csv", *named, "--target", "oh")
    assert "oh of 60 galaxies" in succeed("compare", both[0], tables / "c.csv", *named, "--truth-b", "oh")


def test_two_columns_of_one_table_are_told_apart(tables: Path) -> None:
    frame = make_frame(sigma=0.1)
    write(tables / "c.csv", frame.assign(second=frame["guess"] + 0.01))
    shown = succeed("compare", tables / "c.csv", tables / "c.csv", *NAMED, "--predicted-b", "second")
    assert shown.startswith("A: c.csv [guess]\nB: c.csv [second]\n")
    (tables / "deep").mkdir()
    shutil.copy(tables / "a.csv", tables / "deep/a.csv")
    shown = succeed("compare", tables / "a.csv", tables / "deep/a.csv", *NAMED)
    assert shown.startswith(f"A: {tables.name}/a.csv\nB: deep/a.csv\n")


def test_truths_may_differ_as_their_formats_round_them_and_no_more(tables: Path) -> None:
    rounded = make_frame(sigma=0.05, seed=1).round({"oh": 4}).astype({"oh": np.float32})
    write(tables / "b.parquet", rounded)
    assert "60 galaxies of both" in succeed("compare", tables / "a.csv", tables / "b.parquet", *NAMED)
    frame = make_frame(sigma=0.05, seed=1)
    values = frame["oh"].to_numpy().copy()
    values[7], values[8] = 8.5, values[8] + 0.001
    frame["oh"] = values
    write(tables / "b.csv", frame)
    message = refuse("compare", tables / "a.csv", tables / "b.csv", *NAMED)
    first = float(make_frame(sigma=0.1)["oh"].iloc[7])
    assert f"The true value of galaxy {FIRST_ID + 7} is {first:.8g} in A (a.csv) and 8.5 in B (b.csv)" in message
    assert "2 of 60 galaxies have two true values" in message
    truth = ["--truth-table", tables / "a.csv", "--truth-table-id", "id"]
    assert "60 galaxies of both" in succeed("compare", tables / "a.csv", tables / "b.csv", *NAMED, *truth)


def test_the_unit_of_a_target_stands_with_its_numbers(tables: Path) -> None:
    for name, sigma in (("a", 0.1), ("b", 0.05)):
        write(tables / f"{name}.fits", make_frame(sigma=sigma), unit="Gyr")
    shown = succeed("compare", tables / "a.fits", tables / "b.fits", *NAMED)
    assert "oh (abundance) of 60 galaxies" in shown
    assert "RMSE (Gyr)" in shown
    assert "Gyr (68 % interval" in shown


def test_the_published_resolutions_differ_as_known(shared_folder: Path, tmp_path: Path) -> None:
    options = ["--id", "objID", "--truth", "oh_p50", "--predicted", "prediction", "--bootstrap", 100]
    files = [shared_folder / f"published/predictions_{size}px.csv" for size in (128, 64)]
    record, _ = compare(*files, *options, "-o", tmp_path / "out")
    oh = record["targets"]["oh_p50"]
    assert oh["num_galaxies"] == 20_366
    assert oh["residual_correlation"] == pytest.approx(0.947, abs=1e-3)
    assert (oh["rmse_of_mean"], oh["nmad_of_mean"]) == pytest.approx((0.0852, 0.0659), abs=1e-4)
    assert oh["verdict"].startswith("B's RMSE is higher than A's by 0.0030")


def test_what_is_neither_a_run_nor_a_table_is_refused(finished: Path, tables: Path) -> None:
    good = finished / "run"
    assert f"There is no file or folder {tables / 'none'}" in refuse("compare", good, tables / "none")
    assert "is a folder, but not of a run: it has no recipe.toml" in refuse("compare", finished / "images", good)
    (tables / "notes.log").write_text("text")
    assert "'.log', which metalight does not know" in refuse("compare", good, tables / "notes.log")
    (tables / "bad.parquet").write_text("text")
    assert "cannot be read as Parquet" in refuse("compare", good, tables / "bad.parquet")


def test_an_unfinished_run_is_refused_with_the_command_that_finishes_it(runs: Path) -> None:
    (runs / "other/predictions/test.parquet").unlink()
    message = refuse("compare", runs / "run", runs / "other")
    assert "has no predictions of its test galaxies yet" in message
    command = message.split("`")[1].split()
    assert command[:2] == ["metalight", "run"]
    succeed(*command[1:], "--only", "prediction")
    assert "8 test galaxies of both" in succeed("compare", runs / "run", runs / "other")


def test_columns_that_are_not_there_are_refused_with_the_nearest_name(finished: Path, tables: Path) -> None:
    a, b = tables / "a.csv", tables / "b.csv"
    assert "has no column 'object_id', which --id names. There are: id, oh, guess." in refuse("compare", a, b)
    assert "has no column that ends in _predicted" in refuse("compare", a, b, "--id", "id")
    message = refuse("compare", a, b, "--id", "id", "--truth", "oh")
    assert "has no column 'oh_predicted', so name its column of predictions with --predicted." in message
    assert "Did you mean 'guess'?" in refuse("compare", a, b, *NAMED[:4], "--predicted", "gues")
    assert "'ho', which --truth names. Did you mean 'oh'?" in refuse(
        "compare", a, b, *NAMED[:2], *NAMED[4:], "--truth", "ho"
    )
    assert "which --truth-b names. Did you mean 'oh'?" in refuse("compare", a, b, *NAMED, "--truth-b", "hoh")
    message = refuse("compare", a, b, *NAMED, "--predicted-b", "ges")
    assert "which --predicted or --predicted-b names. Did you mean 'guess'?" in message
    write(tables / "words.csv", make_frame(sigma=0.1).assign(guess="many"))
    assert "does not hold numbers" in refuse("compare", a, tables / "words.csv", *NAMED)


def test_options_that_could_do_nothing_are_refused(finished: Path, tables: Path) -> None:
    good, a = finished / "run", tables / "a.csv"
    assert "A and B are runs, whose columns are known" in refuse("compare", good, good, "--truth", "oh_p50")
    assert "is a run, whose columns are known; leave out --id-b" in refuse("compare", a, good, *NAMED, "--id-b", "id")
    message = refuse("compare", a, a, *NAMED, "--split", "validation")
    assert "--split validation chooses galaxies of a run, but A and B are tables" in message


def test_predictions_of_different_things_are_refused(finished: Path, tables: Path) -> None:
    frame = make_frame(sigma=0.1).rename(columns={"id": "object_id", "oh": "mass", "guess": "mass_predicted"})
    save_table(Table(frame, {}), tables / "mass.csv")
    message = refuse("compare", finished / "run", tables / "mass.csv")
    assert "A and B have no target in common" in message
    assert f"{finished / 'run'} predicts oh_p50 and {tables / 'mass.csv'} predicts mass;" in message


def test_too_few_galaxies_in_common_are_refused(tables: Path) -> None:
    a, frame = tables / "a.csv", make_frame(sigma=0.1)
    write(tables / "far.csv", frame.assign(id=np.arange(60) + 5))
    message = refuse("compare", a, tables / "far.csv", *NAMED)
    assert (
        f"No galaxy is in both: the identifiers look like '{FIRST_ID}' in A (a.csv) and '5' in B (far.csv)" in message
    )
    assert "check which columns are meant (--id" in message
    write(tables / "one.csv", frame[:1])
    message = refuse("compare", a, tables / "one.csv", *NAMED)
    assert "Of 1 galaxy in both A (a.csv) and B (one.csv), 1 has a true value and two predictions" in message
    write(tables / "empty.csv", frame[:0])
    assert "'nothing" not in (message := refuse("compare", a, tables / "empty.csv", *NAMED))
    assert "nothing (there are no rows) in B (empty.csv)" in message
    write(tables / "gaps.parquet", frame.assign(guess=math.nan))
    assert "0 have a true value and two predictions" in refuse("compare", a, tables / "gaps.parquet", *NAMED)


def test_a_place_that_cannot_be_written_is_refused(tables: Path) -> None:
    message = refuse("compare", tables / "a.csv", tables / "b.csv", *NAMED, "-o", tables / "a.csv/out")
    assert "The results cannot be written to" in message
    assert call("compare", tables / "a.csv", tables / "b.csv", *NAMED, "--bootstrap", 5).exit_code == 2


def test_a_comparison_does_without_torch(runs: Path) -> None:
    code = (
        "import sys; from metalight.cli.app import app; "
        f"app(['compare', {str(runs / 'run')!r}, {str(runs / 'other')!r}, '-o', {str(runs / 'out')!r}], "
        "standalone_mode=False); print(sorted({'torch', 'timm', 'lightning'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.splitlines()[-1] == "[]"
