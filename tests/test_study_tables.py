"""Promises of the tables of studies: what they may say, and which runs they come to."""

from pathlib import Path

import pytest

from call import refuse, succeed
from metalight.errors import RecipeError
from metalight.recipe import Recipe, load_recipe
from metalight.studies import Plan, list_studies, load_study, plan_study

PAPER = load_recipe("paper", ["baselines.kinds=[]"])


def plan(folder: Path, text: str, recipe: Recipe = PAPER, **how: object) -> Plan:
    (folder / "mine.toml").write_text(f'purpose = "Try."\n{text}')
    return plan_study(load_study(str(folder / "mine.toml")), recipe, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("name", list_studies())
@pytest.mark.parametrize("preset", ["paper", "paper-code"])
def test_every_built_in_study_fits_the_papers_recipes(name: str, preset: str) -> None:
    recipe = load_recipe(preset)
    study = load_study(name)
    planned = plan_study(study, recipe)
    assert planned.left_out == {}
    assert planned.reference in study.table.variants
    assert len({run.folder for run in planned.runs}) == len(planned.runs)
    assert len(planned.runs) == len(study.table.variants) * planned.seeds * max(
        1, *(len(values) for values in study.table.pooled_over.values()), 1
    )
    # Every variant says something of its own; the rates of the authors' code are one already.
    assert len(planned.same_as) == (2 if (name, preset) == ("rates", "paper-code") else 0)
    # What compares trainings compares as many epochs, but where epochs are the question.
    if name != "epochs":
        assert {run.recipe.training.epochs for run in planned.runs} == {recipe.training.epochs}
    else:
        assert [run.recipe.training.epochs for run in planned.runs] == [10, 20, 40]


def test_studies_are_listed_and_shown() -> None:
    listed = succeed("study", "list")
    for name, purpose in list_studies().items():
        assert f"{name} " in listed
        assert purpose in listed
    assert "[variants]" in succeed("study", "show", "resolution")


def test_the_study_of_resolution_has_the_papers_sizes_and_three_and_starts_from_the_recipes() -> None:
    planned = plan_study(load_study("resolution"), PAPER)
    assert [run.recipe.pixels.side for run in planned.runs] == [128, 64, 32, 16, 8, 4, 3, 2, 1]
    small = plan_study(load_study("resolution"), load_recipe("demo"))
    assert [run.recipe.pixels.side for run in small.runs] == [64, 32, 16, 8, 4, 3, 2, 1]
    assert small.left_out == {"128 px": "the recipe has pixels.side = 64"}
    assert small.reference == "64 px"


def test_a_variant_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    planned = plan(tmp_path, "[variants.a]\ntraining.batch_size = 7\n[variants.b]\n")
    a, b = planned.runs
    assert b.recipe.model_copy(update={"name": PAPER.name}) == PAPER
    changed = a.recipe.model_dump()
    changed["training"]["batch_size"], changed["name"] = PAPER.training.batch_size, PAPER.name
    assert changed == PAPER.model_dump()
    assert a.recipe.training.batch_size == 7


def test_baselines_are_fitted_in_no_run_unless_asked_for(tmp_path: Path) -> None:
    override = "baselines.kinds=all"
    recipe = load_recipe("paper", [override])
    (run,) = plan(tmp_path, "[variants.a]", recipe).runs
    assert run.recipe.baselines.names == ()
    (run,) = plan(tmp_path, "[variants.a]", recipe, overrides=[override]).runs
    assert len(run.recipe.baselines.names) > 5
    (run,) = plan(tmp_path, "[variants.a]\nbaselines.kinds = ['mean']", recipe).runs
    assert run.recipe.baselines.names == ("mean",)


def test_a_value_may_be_that_of_the_recipe_one_of_several_or_a_multiple(tmp_path: Path) -> None:
    text = """[variants.a]
    model.dropout = ["recipe:model.dropout.1", "recipe:model.dropout.0"]
    training.batch_size = "recipe:training.batch_size * 0.5"
    training.frozen_learning_rate = "recipe:training.learning_rates.2 * 3" """
    (run,) = plan(tmp_path, text).runs
    assert run.recipe.model.dropout == (0.5, 0.25)
    assert run.recipe.training.batch_size == 128
    assert run.recipe.training.frozen_learning_rate == pytest.approx(0.3)


def test_repetitions_add_to_the_seeds_they_name(tmp_path: Path) -> None:
    text = 'repeated_over = ["training.seed", "splits.seed"]\nseeds = 2\n[variants.a]\ntraining.seed = 5\n[variants.b]'
    planned = plan(tmp_path, text)
    assert [(run.folder, run.recipe.training.seed, run.recipe.splits.seed) for run in planned.runs] == [
        ("a", 5, 0),
        ("a-seed1", 6, 1),
        ("b", 0, 0),
        ("b-seed1", 1, 1),
    ]
    assert len(plan(tmp_path, text, seeds=3).runs) == 6
    assert [run.folder for run in plan(tmp_path, text, seeds=1, only=["b"]).runs] == ["b"]


def test_set_holds_for_all_runs_but_not_for_what_is_varied(tmp_path: Path) -> None:
    text = '[variants.a]\nmodel.weights = "hub"\npixels.side = 8\n[variants.b]\nmodel.weights = "hub"\npixels.side = 4'
    overrides = ["model.weights=none", "pixels.side=16", "training.seed=3"]
    planned = plan(tmp_path, text, load_recipe("paper", overrides), overrides=overrides)
    assert [run.recipe.pixels.side for run in planned.runs] == [8, 4]
    assert {run.recipe.model.weights for run in planned.runs} == {"none"}
    assert {run.recipe.training.seed for run in planned.runs} == {3}


def test_variants_that_come_to_the_same_are_known(tmp_path: Path) -> None:
    planned = plan(tmp_path, "[variants.a]\n[variants.b]\ntraining.batch_size = 256\n[variants.c]\npixels.side = 4")
    assert planned.same_as == {"b": "a"}


@pytest.mark.parametrize(
    ("text", "flaw"),
    [
        ("", "variants: field required"),
        ("[variants]", r"it has no \[variants.NAME\]"),
        ("varaints = 1\n[variants.a]", "Unknown key 'varaints' in .*Did you mean 'variants'"),
        ("[variants.a]\ntraining.batch = 3", "Unknown setting 'training.batch' in the variant 'a' .*batch_size"),
        ("[variants.a]\ntraining.batch_size = 'x'", "the variant 'a' of the study 'mine', training.batch_size = 'x'"),
        (
            "[variants.a]\ntraining.batch_size = 'recipe:training.size'",
            "speaks of 'training.size', which no recipe has",
        ),
        (
            "[variants.a]\nmodel.weights = 'recipe:model.weights * 2'",
            "multiplies 'model.weights', which is not a number",
        ),
        ("[variants.a]\nmodel.weights = 'recipe:Model'", "is not of the form recipe:SECTION.KEY"),
        ("reference = 'b'\n[variants.a]", "reference names no variant: 'b'"),
        ("[variants.'a b']\n[variants.a-b]", "would have the same folder"),
        ("seeds = 2\n[variants.a]\n[variants.a-seed1]", "Two runs of the study 'mine' would have the folder a-seed1"),
        ("[variants.'../a']", "is not a name of a variant"),
        ("repeated_over = ['training.sead']\n[variants.a]", "speaks of 'training.sead'"),
        ("needs = 'fetching'\n[variants.a]", "needs images of several kinds, which only a service gives"),
        ("[variants.a\n", "is not TOML"),
        ("[variants.a]\ntraining.batch_size = 'recipe:training.batch_size * 1.2.3'", "is not of the form recipe:"),
        (
            "repeated_over = ['training.optimizer']\n[variants.a]",
            "names 'training.optimizer', which is not a whole number",
        ),
        (
            "repeated_over = ['training.fraction']\n[variants.a]",
            "names 'training.fraction', which is not a whole number",
        ),
        ("at_most = 'model.dropout'\n[variants.a]", "names 'model.dropout', which is not a number"),
        (
            "axis = { setting = 'training.loss', label = 'x' }\n[variants.a]",
            "names 'training.loss', which is not a number",
        ),
        ("axis = { setting = 'training.lost', label = 'x' }\n[variants.a]", "speaks of 'training.lost'"),
        ("has_published_values = true\n[variants.a]", "is for variants whose axis is pixels.side"),
    ],
)
def test_what_is_no_study_is_refused_in_one_sentence(tmp_path: Path, text: str, flaw: str) -> None:
    recipe = PAPER.model_copy(update={"cutouts": load_recipe("demo", ["cutouts.folder=images"]).cutouts})
    with pytest.raises(RecipeError, match=flaw):
        plan(tmp_path, text, recipe)


def test_names_that_are_none_are_refused_with_the_nearest() -> None:
    assert "no study 'resolutoin'" in refuse("study", "resolutoin", "demo", status=2)
    assert "Did you mean 'resolution'?" in refuse("study", "resolutoin", "demo", status=2)
    message = refuse("study", "resolution", "paper", "--only", "12 px", status=2)
    assert "has no variant '12 px'. Did you mean '128 px'?" in message
    assert "There are: none, none; none, paper;" in refuse("study", "views", "demo", "--only", "xyz", status=2)
    assert "There is no file nowhere.toml" in refuse("study", "nowhere.toml", "demo", status=2)


def test_the_help_of_a_study_is_its_own(tmp_path: Path) -> None:
    words = " ".join(succeed("study", "bands", "--help").replace("│", " ").split())
    table = load_study("bands").table
    assert "study bands [OPTIONS]" in words
    assert table.purpose in words
    assert all(variant in words for variant in table.variants)
    assert "STUDY" not in words.split("--output")[0]
    own = tmp_path / "own.toml"
    own.write_text(load_study("bands").text.replace(table.purpose, "A study of my own."))
    assert "A study of my own." in succeed("study", own, "--help")


def test_the_help_of_studies_lists_them() -> None:
    words = " ".join(succeed("study", "--help").replace("│", " ").split())
    assert [name for name in list_studies() if f" {name} " not in words] == []
    assert " perform " not in words
