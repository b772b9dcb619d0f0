"""Promises to targets of any name: files of their own, and words that are shown as they are."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from call import QUICK, change_catalog, run
from legible import texts_of
from metalight.evaluation import compute_score_tables, load_score_table, save_score_tables
from metalight.evaluation.score_tables import TablePlaces
from metalight.figures.prediction_summary import build_figure, compute_summary
from metalight.run_folder import name_endings
from metalight.safe_text import for_markdown

ODD = ("log(M/Msun)", r"a$\b$", "../up")


@given(st.lists(st.text(min_size=1), min_size=2, max_size=6, unique=True))
def test_each_of_several_targets_has_files_of_its_own_in_one_folder(targets: list[str]) -> None:
    endings = name_endings(targets)
    assert list(endings) == targets
    assert len({ending.casefold() for ending in endings.values()}) == len(targets)
    for ending in endings.values():
        assert Path(f"figures/summary{ending}.csv").parent == Path("figures")


def test_usual_names_stay_as_they_are_and_a_single_target_needs_none() -> None:
    assert name_endings(["oh_p50", "lgm_tot_p50"]) == {"oh_p50": "_oh_p50", "lgm_tot_p50": "_lgm_tot_p50"}
    assert name_endings(["../up"]) == {"../up": ""}
    assert list(name_endings(["a/b", "A b", "a_b"]).values()) == ["_a_b", "_A_b_2", "_a_b_3"]


def test_a_run_with_targets_of_odd_names_ends_with_all_of_its_figures(sample: Path) -> None:
    truth = pd.read_csv(sample / "catalog.csv")["oh_p50"].to_numpy()
    change_catalog(sample, **{name: scale * truth for scale, name in enumerate(ODD, start=1)})
    named = ", ".join(f"'{name}'" for name in ODD)
    (sample / "recipe.toml").write_text(f'{QUICK}catalog.targets = [{named}]\nmodel.target_scaling = "standard"\n')
    run(sample)
    figures = sample / "run/figures"
    assert not [path for path in figures.iterdir() if path.is_dir()]
    assert len(list(figures.glob("prediction_summary_*.png"))) == len(ODD)
    page = (sample / "run/results.md").read_text(encoding="utf-8")
    assert all(f"## {for_markdown(name)} of the test galaxies" in page for name in ODD)


def test_a_dollar_in_a_name_begins_no_formula() -> None:
    truth = np.linspace(0, 1, 30)
    figure = build_figure(compute_summary(truth, truth), r"price [US$] $\b$", "")
    texts_of(figure)  # drawn, which no formula of these would be
    assert figure.axes[0].get_xlabel() == r"True price [US\$] \$\b\$"


@pytest.mark.parametrize("target", ["1", "NA", "nan", "1.0"])
def test_tables_of_a_target_called_like_a_number_are_found_again(target: str, tmp_path: Path) -> None:
    truth = np.linspace(8, 9, 40)
    places = TablePlaces(*(tmp_path / f"{name}.csv" for name in ("truth", "prediction", "selection")))
    tables = compute_score_tables(truth, truth + 0.01, num_bootstrap=0)
    save_score_tables({target: tables}, places)
    found = load_score_table(places.by_truth)[target]
    assert found["num"].tolist() == tables.by_truth["num"].tolist()
    assert np.array_equal(found["rmse"], tables.by_truth["rmse"], equal_nan=True)
