"""Promises of recipes: what a file means, round trips, and refusals that name the nearest key."""

import re
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalight.errors import RecipeError
from metalight.recipe import KNOWN_BASELINES, dump_recipe, list_presets, load_recipe, show_preset, validate_recipe


@pytest.mark.parametrize("name", ["paper", "paper-code", "demo"])
def test_a_recipe_survives_being_written_and_read(name: str, tmp_path: Path) -> None:
    recipe = load_recipe(name, ["catalog.path=here.csv", "cutouts.folder=images"])
    path = tmp_path / f"{name}.toml"
    path.write_text(dump_recipe(recipe))
    again = load_recipe(str(path))
    assert dump_recipe(again) == dump_recipe(recipe)
    assert again.training == recipe.training


def test_the_presets_are_the_paper_s_words_and_the_authors_code() -> None:
    paper, code = load_recipe("paper"), load_recipe("paper-code")
    assert paper.training.learning_rates == (0.001, 0.01, 0.1)
    assert (paper.training.batch_size, paper.training.num_views) == (256, 5)
    assert (paper.training.frozen_epochs, paper.training.frozen_learning_rate) == (2, 0.1)
    assert code.training.learning_rates == (0.1, 0.1, 0.1)
    assert (code.training.batch_size, code.training.num_views) == (128, 1)
    for recipe in (paper, code):
        assert recipe.model.backbone == "resnet34.tv_in1k"
        assert recipe.model.dropout == (0.25, 0.5)
        assert (recipe.training.optimizer, recipe.training.momentum, recipe.training.loss) == ("sgd", 0.9, "rmse")
        assert recipe.training.epochs == 10
        assert recipe.splits.fractions == (0.6, 0.2, 0.2)
        assert recipe.prediction.views == "paper"


def test_a_file_builds_on_a_preset_and_its_paths_are_relative_to_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text('preset = "paper"\ncatalog.path = "data/galaxies.fits"\n[training]\nbatch_size = 32\n')
    recipe = load_recipe(str(path))
    assert recipe.name == "mine"
    assert recipe.catalog.path == str(tmp_path / "data/galaxies.fits")
    assert recipe.training.batch_size == 32
    assert recipe.training.learning_rates == load_recipe("paper").training.learning_rates
    assert recipe.model.weights == "hub"


def test_single_settings_come_last_and_reach_any_depth() -> None:
    changes = ["training.batch_size=8", "training.augmentation.max_zoom=1.5", "model.weights=none", "splits.seed = 4"]
    recipe = load_recipe("paper", changes)
    assert recipe.training.batch_size == 8
    assert recipe.training.augmentation.max_zoom == 1.5
    assert recipe.training.augmentation.max_rotation_deg == 10
    assert (recipe.model.weights, recipe.splits.seed) == ("none", 4)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("training.epochs=20", r"'training\.epochs'.*cycles"),
        ("baselines.kinds=forest", r"no baseline 'forest'.* Did you mean 'forest_gri'"),
        ("training.batchsize=8", r"Unknown setting 'training\.batchsize'.* Did you mean 'batch_size'\?"),
        ("traning.batch_size=8", r"Unknown setting 'traning'.* Did you mean 'training'\?"),
        ("training.augmentation.zoom=2", r"Unknown setting 'training\.augmentation\.zoom'.* Did you mean '.*zoom"),
        ("training.batch_size=2.5", r"training\.batch_size = 2\.5 does not fit"),
        ("training.batch_size='8'", r"training\.batch_size = '8' does not fit"),
        ("training.batch_size=1", r"training\.batch_size = 1 does not fit.*greater than or equal to 2"),
        ("training.optimizer=adam", r"training\.optimizer = 'adam' does not fit.*'sgd' or 'adamw'"),
        ("training.learning_rates=[0.1]", r"training\.learning_rates"),
        ("model.dropout=[0.25,1.5]", r"model\.dropout"),
        ("splits.fractions=[0.5,0.2,0.2]", r"\[splits\]: fractions must be at least 0 and add up to 1"),
        ("splits.method=column", r"needs column ="),
        ("catalog.targets=[]", r"name at least one column"),
        ("training.augmented_views=8", None),
        ("batch_size=8", r"is not of the form section\.key=value"),
        ("training.batch_size", r"is not of the form section\.key=value"),
        ("training=3", r"is not of the form section\.key=value"),
    ],
)
def test_settings_that_do_not_fit_are_refused_by_name(change: str, message: str | None) -> None:
    if message is None:
        load_recipe("paper", [change])
        return
    with pytest.raises(RecipeError, match=message) as caught:
        load_recipe("paper", [change])
    assert "\n" not in str(caught.value)
    assert caught.value.exit_status == 2


def test_a_path_may_begin_with_home_wherever_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/somebody")
    recipe = load_recipe("paper", ["catalog.path=~/galaxies.csv", "cutouts.folder=images", "model.weights=none"])
    assert (recipe.catalog.path, recipe.cutouts.folder) == ("/somebody/galaxies.csv", "images")
    assert recipe.model.weights == "none"


def test_a_recipe_that_learns_nothing_is_refused() -> None:
    with pytest.raises(RecipeError, match="nothing would be learnt"):
        load_recipe("demo", ["training.cycles=0"])
    with pytest.raises(RecipeError, match="needs augmented_views of 1 or more"):
        load_recipe("demo", ["training.augmented_views=0"])


def test_files_that_are_no_recipe_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    with pytest.raises(RecipeError, match="There is no recipe file"):
        load_recipe(str(path))
    path.write_bytes(b"\xff\xfe")
    with pytest.raises(RecipeError, match="cannot be read"):
        load_recipe(str(path))
    path.write_text('preset = "papr"')
    with pytest.raises(RecipeError, match=r"no preset 'papr'\. Did you mean 'paper'"):
        load_recipe(str(path))
    path.write_text("preset = 3")
    with pytest.raises(RecipeError, match="preset must be a name in quotes"):
        load_recipe(str(path))
    path.unlink()
    with pytest.raises(RecipeError, match="give a TOML file or a run"):
        load_recipe(str(tmp_path))


@given(st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5), st.lists, max_leaves=4))
def test_whatever_a_setting_is_set_to_it_fits_or_is_refused_in_one_sentence(value: object) -> None:
    for section, key in (("training", "batch_size"), ("splits", "fractions"), ("catalog", "targets")):
        try:
            refusal = ""
            validate_recipe({section: {key: value}}, "a test")
        except RecipeError as error:
            refusal = str(error)
        assert refusal == "" or (section in refusal and "\n" not in refusal)


def test_every_preset_says_in_its_first_line_what_it_is() -> None:
    for name, purpose in list_presets().items():
        assert len(purpose) > 20
        assert purpose.endswith("."), name
        tomllib.loads(show_preset(name))


@pytest.mark.parametrize(
    "override",
    ["cycles=9223372036854775808", "cycles=60", "frozen_epochs=100001", "first_cycle_epochs=1000000000000000000000"],
)
def test_a_training_without_end_is_refused_at_once(override: str) -> None:
    with pytest.raises(RecipeError, match="training"):
        load_recipe("paper", [f"training.{override}"])
    assert load_recipe("paper", ["training.cycles=0", "training.frozen_epochs=90000"]).training.epochs == 90_001


def test_one_word_is_a_list_of_one_wherever_a_list_is_wanted() -> None:
    changes = ["catalog.targets=oh_p50", "baselines.kinds=mean", "catalog.cuts=paper"]
    recipe = load_recipe("paper", changes)
    assert recipe == load_recipe("paper", [re.sub("=(.*)", r'=["\1"]', change) for change in changes])
    assert recipe.catalog.targets == ("oh_p50",)


@pytest.mark.parametrize(("word", "num"), [("none", 0), ("all", len(KNOWN_BASELINES)), ("mean", 1)])
def test_words_for_baselines(word: str, num: int) -> None:
    assert len(load_recipe("paper", [f"baselines.kinds={word}"]).baselines.names) == num


def test_a_run_folder_stands_for_its_recipe(tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(dump_recipe(load_recipe("paper", ["training.batch_size=8"])))
    assert load_recipe(str(tmp_path)).training.batch_size == 8
    (tmp_path / "recipe.toml").unlink()
    with pytest.raises(RecipeError, match=r"folder without recipe\.toml"):
        load_recipe(str(tmp_path))
