"""Promises of `metalight run` and the small commands: what is done again, and one sentence for bad input."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from safetensors.numpy import save_file

from call import QUICK, call, change_catalog, ctrl_c_in, list_performed, refuse, refuse_run, run, succeed
from make import FIRST_ID
from metalight import __version__
from metalight.figures import draw_training_history
from metalight.tables import ColumnInfo, Table, load_table, save_table

STAGES = [
    "catalog",
    "cutouts",
    "pixels",
    "splits",
    "baselines",
    "training",
    "prediction",
    "evaluation",
    "figures",
    "results",
]


def assert_ends_in_five_lines(output: str) -> None:
    lines = output.splitlines()
    has_failed = any(line.startswith("Do not use this model") for line in lines)
    score, best, look, *following = lines[-4 if has_failed else -5 :]
    assert score.startswith("oh_p50: RMSE ")
    assert "predicting the mean gives" in score
    assert "The network is" in best
    assert Path(look.removeprefix("Look first at ").split(";")[0]).is_file()
    wanted = ["inspect"] if has_failed else ["predict", "inspect"]
    assert [line.split("metalight ")[1].split()[0] for line in following] == wanted


def test_a_run_leaves_every_artefact_and_shows_its_scores(finished: Path) -> None:
    output = (finished / "output.txt").read_text()
    assert list_performed(output) == STAGES
    assert "24 train, 8 validation, 8 test" in output
    assert_ends_in_five_lines(output)
    run_folder = finished / "run"
    for name in (
        "recipe.toml",
        "catalog.parquet",
        "cuts.csv",
        "cutouts.parquet",
        "pixels/pixels.npy",
        "splits.parquet",
        "model/model.safetensors",
        "model/config.json",
        "model/README.md",
        "training/history.csv",
        "metrics.json",
        "provenance.json",
        "refused/catalog.csv",
        *(f"figures/{figure}.{suffix}" for figure in FIGURES for suffix in ("png", "pdf", "csv")),
    ):
        assert (run_folder / name).stat().st_size > 0, name
    predictions = load_table(run_folder / "predictions/test.parquet")
    assert list(predictions.frame) == ["object_id", "oh_p50", "oh_p50_predicted"]
    assert predictions.info["oh_p50_predicted"].unit == "dex"
    splits = load_table(run_folder / "splits.parquet").frame
    assert predictions.frame["object_id"].tolist() == splits["object_id"][splits["split"] == "test"].tolist()
    truth = pd.read_csv(finished / "catalog.csv").set_index("objID")["oh_p50"]
    assert predictions.frame["oh_p50"].tolist() == truth.loc[predictions.frame["object_id"]].tolist()
    residual = predictions.frame["oh_p50_predicted"] - predictions.frame["oh_p50"]
    scores = json.loads((run_folder / "metrics.json").read_text())["oh_p50"]
    assert scores["metrics"]["rmse"]["value"] == pytest.approx(float(np.sqrt((residual**2).mean())))
    train = splits["object_id"][splits["split"] == "train"]
    assert scores["baseline_mean"] == pytest.approx(float(truth.loc[train].mean()))


FIGURES = ("prediction_summary", "value_distributions", "example_grid", "training_history")


def test_a_finished_run_does_nothing_and_says_so_without_torch(finished: Path) -> None:
    code = (
        "import sys; from metalight.cli import main\n"
        "try: main()\nexcept SystemExit as end: assert not end.code\n"
        "print('torch' in sys.modules, 'matplotlib' in sys.modules)"
    )
    before = {path: path.stat().st_mtime_ns for path in (finished / "run").rglob("*")}
    arguments = ["run", str(finished / "recipe.toml"), "--run-dir", str(finished / "run")]
    ended = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, check=True)
    assert "is finished: its settings and inputs are as they were, so nothing was done" in ended.stdout
    assert list_performed(ended.stdout) == []
    assert "oh_p50: RMSE " in ended.stdout
    assert ended.stdout.splitlines()[-1] == "False False"
    assert {path: path.stat().st_mtime_ns for path in (finished / "run").rglob("*")} == before


def test_the_figure_of_the_training_has_the_unit_and_the_name_of_the_target_that_it_shows(sample: Path) -> None:
    catalog = pd.read_csv(sample / "catalog.csv").assign(age=lambda frame: frame["oh_p50"] - 8)
    save_table(Table(catalog, {"age": ColumnInfo("Gyr")}), sample / "catalog.ecsv")
    change = ("--set", f"catalog.path={sample / 'catalog.ecsv'}", "--set", 'catalog.targets=["age", "oh_p50"]')
    run(sample, *change)
    history = pd.read_csv(sample / "run/training/history.csv")
    draw_training_history(history, path_stem=sample / "again", name="age", unit="Gyr")
    assert (sample / "run/figures/training_history.png").read_bytes() == (sample / "again.png").read_bytes()


def test_settings_that_change_run_their_stage_and_what_reads_it(copy: Path) -> None:
    # The copy lies elsewhere, which alone must not matter to anything but the first two stages.
    assert "training" not in list_performed(run(copy))
    assert list_performed(run(copy, "--set", "evaluation.seed=5")) == ["evaluation", "figures", "results"]
    output = run(copy, "--set", "prediction.views=none")
    assert list_performed(output) == ["prediction", "evaluation", "figures", "results"]


def test_a_run_s_own_recipe_says_the_same_as_the_one_it_was_made_from(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(sample, "--set", "training.first_cycle_epochs=1")
    shutil.copy(sample / "run/model/model.safetensors", sample / "start.safetensors")
    monkeypatch.chdir(sample)
    arguments = ("--set", "model.weights=start.safetensors", "--run-dir", "again")
    succeed("run", "recipe.toml", *arguments)
    assert list_performed(succeed("run", "again/recipe.toml", "--run-dir", "again")) == []


def test_decoded_images_that_become_others_are_learnt_anew(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(copy)
    output = run(copy, "--set", "pixels.side=8")
    assert list_performed(output) == [
        "pixels",
        "splits",
        "baselines",
        "training",
        "prediction",
        "evaluation",
        "figures",
        "results",
    ]
    assert json.loads((copy / "run/model/config.json").read_text())["images"]["side"] == 8
    # Read once more, with the same outcome, nothing follows; so after an update that decodes otherwise only in name.
    for path in (copy / "images").iterdir():
        os.utime(path)
    assert list_performed(run(copy, "--set", "pixels.side=8")) == ["cutouts", "pixels"]
    monkeypatch.setattr("metalight.images.kinds.DECODING_VERSION", 999)
    monkeypatch.setattr("metalight.pipeline.data_stages.DECODING_VERSION", 999)
    assert list_performed(run(copy, "--set", "pixels.side=8")) == ["pixels"]


def test_a_changed_image_is_decoded_anew_and_the_rest_follows(copy: Path) -> None:
    run(copy)
    path = copy / "images" / f"{FIRST_ID}.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 255, (16, 16, 3), dtype=np.uint8)).save(path)
    performed = list_performed(run(copy))
    assert performed[:2] == ["cutouts", "pixels"]
    assert "training" in performed


def test_artefacts_that_are_gone_are_made_again_and_a_cache_alone_brings_no_training(copy: Path) -> None:
    run(copy)
    shutil.rmtree(copy / "run/pixels")
    assert list_performed(run(copy)) == ["pixels"]
    (copy / "run/metrics.json").unlink()
    assert list_performed(run(copy)) == ["evaluation"]
    shutil.rmtree(copy / "run/figures")
    assert list_performed(run(copy)) == ["figures"]


def test_stages_can_be_done_anew_from_one_on_or_alone(copy: Path) -> None:
    run(copy)
    assert list_performed(run(copy, "--from", "prediction")) == ["prediction", "evaluation", "figures", "results"]
    assert list_performed(run(copy, "--only", "evaluation")) == ["evaluation"]


def test_a_single_stage_refuses_to_read_what_is_out_of_date(copy: Path) -> None:
    assert "run without --only" in refuse_run(copy, "--only", "training", "--set", "splits.seed=9")
    assert "exclude each other" in refuse_run(copy, "--only", "training", "--from", "training")
    assert "There is no stage 'predict'. Did you mean 'prediction'?" in refuse_run(copy, "--from", "predict")


def test_the_folder_of_a_run_resumes_that_run(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(copy)
    told = succeed("run", "run", "--verbose")
    assert not list_performed(told)
    assert "predict the mean" in told
    assert list_performed(succeed("run", "run", "--set", "prediction.views=none"))[0] == "prediction"
    assert not (copy / "runs").exists()


def test_a_float32_run_repeats_bit_for_bit(finished: Path, sample: Path) -> None:
    run(sample)
    for name in ("model/model.safetensors", "predictions/test.parquet", "metrics.json", "training/history.csv"):
        assert (sample / "run" / name).read_bytes() == (finished / "run" / name).read_bytes(), name


def test_the_user_s_own_sets_names_and_several_targets_are_taken(sample: Path) -> None:
    num = 40
    names = [f"sub/galaxy {row}.png" for row in range(num)]
    (sample / "images/sub").mkdir()
    for object_id, name in zip(pd.read_csv(sample / "catalog.csv")["objID"], names, strict=True):
        (sample / f"images/{object_id}.png").rename(sample / "images" / name)
    sets = ["Train"] * 24 + ["val"] * 6 + ["test"] * 10
    change_catalog(sample, image=names, part=sets, lgm_tot_p50=np.linspace(8, 11, num))
    (sample / "recipe.toml").write_text(
        QUICK + 'catalog.targets = ["oh_p50", "lgm_tot_p50"]\ncatalog.file_name = "image"\n'
        'splits.method = "column"\nsplits.column = "part"\n'
    )
    output = run(sample)
    assert "24 train, 6 validation, 10 test" in output
    predictions = pd.read_parquet(sample / "run/predictions/test.parquet")
    assert predictions["object_id"].tolist() == [FIRST_ID + row for row in range(30, 40)]
    assert predictions["lgm_tot_p50_predicted"].between(5, 14).all()
    assert (sample / "run/figures/prediction_summary_lgm_tot_p50.png").is_file()
    assert set(json.loads((sample / "run/metrics.json").read_text())) == {"oh_p50", "lgm_tot_p50"}


def test_bad_images_and_labels_are_refused_counted_and_listed(sample: Path) -> None:
    catalog = pd.read_csv(sample / "catalog.csv")
    ids = catalog["objID"].tolist()
    images = sample / "images"
    catalog.loc[0, "oh_p50"] = -9999
    catalog.loc[1, "oh_p50"] = np.nan
    catalog.to_csv(sample / "catalog.csv", index=False)
    Image.open(images / f"{ids[2]}.png").resize((128, 128)).save(images / f"{ids[2]}.jpg")
    whole = (images / f"{ids[2]}.jpg").read_bytes()
    (images / f"{ids[2]}.jpg").write_bytes(whole[: len(whole) // 2])
    (images / f"{ids[2]}.png").unlink()
    (images / f"{ids[3]}.png").rename(images / f"{ids[3]}.jpg")
    (images / f"{ids[3]}.jpg").write_text("this is text")
    Image.new("RGB", (16, 16), (9, 9, 9)).save(images / f"{ids[4]}.png")
    shutil.copy(images / f"{ids[5]}.png", images / f"{ids[6]}.png")
    (images / f"{ids[7]}.png").unlink()
    output = run(sample)
    assert "38 of 40 galaxies have oh_p50; 2 refused: 2 × has no oh_p50" in output
    assert "37 of 38 have an image; 1 refused: 1 × no image file" in output
    assert "32 images at 16 × 16" in output
    assert "5 refused" in output
    reasons = pd.concat(
        pd.read_csv(sample / f"run/refused/{stage}.csv") for stage in ("catalog", "cutouts", "pixels")
    ).set_index("object_id")["reason"]
    assert sorted(reasons.index) == ids[:8]
    assert "truncated" in reasons[ids[2]] or "whole" in reasons[ids[2]]
    assert "blank" in reasons[ids[4]]
    assert str(ids[6]) in reasons[ids[5]]
    splits = pd.read_parquet(sample / "run/splits.parquet")
    assert not set(splits["object_id"]) & set(ids[:8])


def test_bad_catalogues_end_with_one_sentence(sample: Path) -> None:
    catalog = (sample / "catalog.csv").read_text()

    def write(text: str) -> None:
        (sample / "catalog.csv").write_text(text)

    assert "no file" in refuse_run(sample, "--set", f"catalog.path={sample}/nowhere.csv")
    message = refuse_run(sample, "--set", 'catalog.targets=["oh_p5"]')
    assert "has no column 'oh_p5', which [catalog] targets names. Did you mean 'oh_p50'?" in message
    assert "Did you mean 'objID'?" in refuse_run(sample, "--set", "catalog.object_id=object")
    write(catalog + catalog.splitlines()[1] + "\n")
    assert str(FIRST_ID) in refuse_run(sample)
    write(catalog.replace(str(FIRST_ID), f"{float(FIRST_ID)}"))
    assert "decimal numbers" in refuse_run(sample) or "not an integer" in refuse_run(sample)
    write(catalog.splitlines()[0] + "\n")
    assert "has no rows" in refuse_run(sample)
    write("")
    assert "is empty" in refuse_run(sample)
    write("objID,oh_p50\n5,8.9\n6,8.8\n")
    message = refuse_run(sample)
    assert "None of the 2 galaxies of the catalogue has an image" in message
    assert "ids look like '5'" in message
    write("objID,oh_p50\n" + "".join(f"{FIRST_ID + row},nan\n" for row in range(5)))
    assert "None of the 5 galaxies" in refuse_run(sample)
    write("objID,oh_p50,part\n" + "".join(f"{FIRST_ID + row},8.{row},test\n" for row in range(9)))
    single = ["--set", "splits.method=column", "--set", "splits.column=part"]
    write((sample / "catalog.csv").read_text().replace("8.0,test", "8.0,train"))
    assert "only 1 galaxy is left for training" in refuse_run(sample, *single)


def test_float_identifiers_in_a_binary_table_are_refused_with_the_reason(sample: Path) -> None:
    frame = pd.read_csv(sample / "catalog.csv").astype({"objID": float})
    frame.to_parquet(sample / "catalog.parquet")
    message = refuse_run(sample, "--set", f"catalog.path={sample}/catalog.parquet")
    assert "decimal numbers (float64), which above 2**53 cannot tell neighbouring integers apart" in message


def test_bad_settings_end_with_one_sentence_and_status_2(sample: Path) -> None:
    def with_line(line: str) -> str:
        (sample / "recipe.toml").write_text(QUICK + line + "\n")
        return refuse_run(sample, status=2)

    assert "Unknown setting 'training.epoch'" in with_line("training.epoch = 3")
    assert "Unknown setting 'trainig'" in with_line("trainig.batches = 3")
    assert "Did you mean 'training'?" in with_line("trainig.batches = 3")
    assert "training.seed = '3' does not fit" in with_line('training.seed = "3"')
    assert "is not TOML" in with_line("training.seed = ")
    for mistaken in ("catalog.csv", "images"):
        assert "metalight init" in refuse("run", sample / mistaken, "--run-dir", sample / "run", status=2)
    assert "names no catalogue" in refuse(
        *("run", "paper", "--set", "catalog.source=table", "--run-dir", sample / "run"), status=2
    )
    assert "neither a preset nor a file. Did you mean 'paper'?" in refuse("run", "papr", status=2)
    assert "There is no recipe file" in refuse("run", sample / "nowhere.toml", status=2)
    assert not (sample / "run").exists()


def save_other_weights(folder: Path) -> Path:
    save_file({"weight": np.zeros(3, dtype=np.float32)}, folder / "other.safetensors")
    return folder / "other.safetensors"


def test_what_cannot_train_is_refused_before_the_long_work(sample: Path) -> None:
    for setting, message in (
        ("model.backbone=resnet35", "has no model 'resnet35'"),
        ("model.backbone=vit_tiny_patch16_224", "does not take images of any size"),
        ("model.weights=nowhere.safetensors", "There is no weights file nowhere.safetensors"),
        (f"model.weights={save_other_weights(sample)}", "are not those of the backbone 'test_resnet'"),
    ):
        assert message in refuse_run(sample, "--set", setting)
        assert not (sample / "run/pixels").exists()
    assert "--device gpu is unknown" in refuse_run(sample, "--device", "gpu")


def test_ctrl_c_keeps_what_is_finished_and_the_same_command_goes_on(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ctrl_c_in("Epoch", monkeypatch):
        result = call("run", sample / "recipe.toml", "--run-dir", sample / "run")
    assert result.exit_code == 130
    assert "Interrupted after epoch 0 of 2 of the training. Everything finished is kept" in result.stderr
    assert list_performed(result.output) == STAGES[:5]
    assert list_performed(run(sample)) == STAGES[5:]


def test_a_way_over_a_folder_that_is_not_there_makes_none(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(sample)
    succeed("run", "recipe.toml", "--run-dir", "detour/../run")
    assert list_performed(succeed("run", "recipe.toml", "--run-dir", "run/../other/../run")) == []
    succeed("predict", "run", "--images", "images", "-o", "detour/../predictions.csv")
    columns = ["--truth", "oh_p50", "--predicted", "oh_p50_predicted"]
    succeed("evaluate", "run/predictions/test.parquet", *columns, "-o", "detour/../scores")
    succeed("compare", "run", "run", "-o", "detour/../comparison")
    names = {"catalog.csv", "images", "recipe.toml", "run", "predictions.csv", "scores", "comparison"}
    assert {path.name for path in sample.iterdir()} == names | {"predictions.csv-metadata.json"}


def test_paths_with_blanks_accents_and_marks_of_patterns_work_in_every_command(finished: Path, tmp_path: Path) -> None:
    place = tmp_path / "Mes galaxies (été) [1] '%s' #2"
    shutil.copytree(finished, place)
    (place / "images").rename(place / "les images à lire")
    (place / "recipe.toml").rename(place / "Rezept für alle.toml")
    (place / "catalog.csv").rename(place / "Σ catalogue.csv")
    recipe = QUICK.replace("catalog.csv", "Σ catalogue.csv").replace('"images"', '"les images à lire"')
    (place / "Rezept für alle.toml").write_text(f'name = "recipe"\n{recipe}', encoding="utf-8")
    words = ["run", place / "Rezept für alle.toml", "--run-dir", place / "run"]
    assert "training" not in list_performed(succeed(*words))
    assert list_performed(succeed(*words, "--from", "figures")) == ["figures", "results"]
    catalog = ["--catalog", place / "Σ catalogue.csv", "--id", "objID"]
    output = place / "nos prédictions.csv"
    succeed("predict", place / "run", "--images", place / "les images à lire", *catalog, "-o", output)
    assert len(pd.read_csv(output)) == 40
    predictions, columns = place / "run/predictions/test.parquet", ["--truth", "oh_p50"]
    succeed("evaluate", predictions, *columns, "--predicted", "oh_p50_predicted", "-o", place / "les résultats")
    succeed("compare", place / "run", output, "-o", place / "la comparaison")
    for name in ("les résultats/prediction_summary.png", "la comparaison/comparison.json"):
        assert (place / name).stat().st_size > 0


def test_a_folder_that_denies_the_recipe_is_refused(sample: Path) -> None:
    (sample / "images/cutouts.json").write_text('{"framing": "fixed", "source": "simulated"}')
    message = refuse_run(sample)
    assert "state the framing 'fixed' in cutouts.json, but the recipe says 'petrosian'" in message
    (sample / "images/cutouts.json").write_text('{"framing": "wide"}')
    assert "states the framing 'wide'; known are petrosian" in refuse_run(sample)


def test_a_run_never_takes_over_a_folder_of_something_else(sample: Path) -> None:
    (sample / "run").mkdir()
    (sample / "run/thesis.tex").write_text("mine")
    assert "is a folder of something else" in refuse_run(sample)
    assert sorted(path.name for path in (sample / "run").iterdir()) == ["thesis.tex"]


@pytest.mark.parametrize("name", ["paper", "paper-code", "demo"])
def test_presets_are_listed_shown_and_valid(name: str) -> None:
    assert name in succeed("recipe", "list")
    assert succeed("recipe", "show", name).startswith("# ")
    assert "is a valid recipe" in succeed("recipe", "check", name)


def test_a_shown_preset_is_a_recipe_file(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(succeed("recipe", "show", "paper-code"))
    assert "batch_size = 128" in succeed("recipe", "check", tmp_path / "mine.toml")
    assert "There is no preset 'papre'. Did you mean 'paper'?" in refuse("recipe", "show", "papre", status=2)


def test_version_and_help_come_without_heavy_imports() -> None:
    assert succeed("--version").strip() == f"metalight {__version__}"
    for command in ([], ["run"], ["predict"], ["evaluate"], ["compare"], ["rank"], ["recipe"], ["simulate"]):
        assert "Usage" in succeed(*command, "--help")
    code = (
        "import sys, metalight.cli; print(sorted({'numpy', 'pandas', 'pydantic', 'torch', 'timm'} & set(sys.modules)))"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ended.stdout.strip() == "[]"


def test_a_simulated_survey_is_learnt_better_than_its_mean(tmp_path: Path) -> None:
    assert "240 galaxies" in succeed("simulate", "--galaxies", 240, "--seed", 5, "--side", 32, "-o", tmp_path / "sky")
    places = [f"catalog.path={tmp_path}/sky/catalog.csv", f"cutouts.folder={tmp_path}/sky/images"]
    changes = [*places, "pixels.side=32", "training.batch_size=24", "training.precision=float32"]
    settings = [word for change in changes for word in ("--set", change)]
    succeed("run", "demo", "--run-dir", tmp_path / "run", *settings)
    scores = json.loads((tmp_path / "run/metrics.json").read_text())["oh_p50"]
    assert scores["baseline"]["rmse"]["value"] > 1.25 * scores["metrics"]["rmse"]["value"]
