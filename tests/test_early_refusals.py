"""Promises of the moment of a refusal: what is wrong is told before torch is imported, which takes seconds."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy.io import fits

from call import change_catalog, refuse, refuse_run, run
from make import FIRST_ID
from metalight.tables import Table, save_table

_EACH = """
import json, sys
from metalight.cli.app import app
for words in json.loads(sys.stdin.read()):
    try: app(words)
    except SystemExit as end: print("status", end.code, file=sys.stderr)
    print(sorted({"torch", "timm", "lightning"} & set(sys.modules)), file=sys.stderr)
"""


def refuse_early(*commands: list[object]) -> list[str]:
    """The messages of commands that are refused, one after another, by a process that never imports torch."""
    asked = json.dumps([[str(word) for word in words] for words in commands])
    command = [sys.executable, "-c", _EACH]
    ended = subprocess.run(command, input=asked, capture_output=True, text=True, timeout=120, check=True)
    lines = ended.stderr.strip().splitlines()
    assert len(lines) == 3 * len(commands), ended.stderr
    assert set(lines[2::3]) == {"[]"}, ended.stderr
    assert set(lines[1::3]) == {"status 1"}, ended.stderr
    return lines[::3]


def test_a_run_is_refused_before_torch(sample: Path) -> None:
    pd.read_csv(sample / "catalog.csv").assign(oh_p50=8.7).to_csv(sample / "equal.csv", index=False)
    pd.read_csv(sample / "catalog.csv").assign(objID=range(40)).to_csv(sample / "foreign.csv", index=False)
    pd.read_csv(sample / "catalog.csv").assign(oh_p50=np.inf).to_csv(sample / "infinite.csv", index=False)
    (sample / "file").write_text("mine")
    (sample / "pickle.pth").write_bytes(b"\x80\x04N.")
    nothing = "so there is nothing to learn; check [catalog] targets."
    cases: list[tuple[list[object], str]] = [
        (["--set", "model.backbone=resnet35"], "timm has no model 'resnet35'. Did you mean 'resnet"),
        (["--set", "model.backbone=../resnet34"], "timm has no model '../resnet34'."),
        (["--device", "gpu"], "--device gpu is unknown; accepted are auto, cpu, cuda, mps, and cuda:N."),
        (["--set", f"model.weights={sample}/pickle.pth"], "pickle.pth is a pickle, which may run code"),
        (["--set", f"catalog.path={sample}/none.csv"], "There is no file"),
        (
            ["--set", 'catalog.targets=["oh"]'],
            "'oh', which [catalog] targets names. Did you mean 'oh_p50'",
        ),
        (["--set", f"catalog.path={sample}/infinite.csv"], "can be used: 40 × 'oh_p50 is infinite'. Check [catalog]"),
        (
            ["--set", f"catalog.path={sample}/equal.csv"],
            f"equal.csv that can be used have the same oh_p50, 8.7, {nothing}",
        ),
        (["--set", f"cutouts.folder={sample}/none"], "There is no folder"),
        (["--set", f"cutouts.folder={sample}/file"], "is a file, not a folder of images; check its path."),
        (["--set", f"catalog.path={sample}/foreign.csv"], "None of the 40 galaxies of the catalogue has an image in"),
    ]
    messages = refuse_early(
        *(["run", sample / "recipe.toml", "--run-dir", sample / "run", *words] for words, _ in cases)
    )
    for message, (_, expected) in zip(messages, cases, strict=True):
        assert expected in message
    assert not (sample / "run/pixels").exists()


def test_a_prediction_is_refused_before_torch(finished: Path, tmp_path: Path) -> None:
    predict = ["predict", finished / "run", "--images", finished / "images", "-o", tmp_path / "p.csv"]
    (tmp_path / "model").mkdir()
    (tmp_path / "model/config.json").write_bytes((finished / "run/model/config.json").read_bytes())
    (tmp_path / "model/model.safetensors").write_bytes(b"\x80\x04N.")
    (tmp_path / "ids.csv").write_text("id\n5\n")
    messages = refuse_early(
        [*predict, "--device", "gpu"],
        ["predict", tmp_path / "model", *predict[2:]],
        ["predict", tmp_path / "none", *predict[2:]],
        [*predict, "--catalog", tmp_path / "none.csv"],
        [*predict, "--catalog", tmp_path / "ids.csv"],
        [*predict, "--catalog", tmp_path / "ids.csv", "--id", "id"],
        [*predict[:-1], tmp_path / "p.xls"],
    )
    expected = (
        "--device gpu is unknown",
        "are missing or damaged: the file is a pickle, which may run code when it is opened",
        "There is no folder",
        "There is no file",
        "has no column 'object_id'",
        "None of the 1 galaxies of the catalogue has an image",
        "'.xls', which metalight does not know",
    )
    for message, words in zip(messages, expected, strict=True):
        assert words in message


def test_labels_that_are_all_equal_are_refused_where_they_are_known(sample: Path) -> None:
    varied = pd.read_csv(sample / "catalog.csv")["oh_p50"].tolist()
    message = "so there is nothing to learn; check [catalog] targets."
    change_catalog(sample, oh_p50=[8.7] * 39 + [np.nan], mass=np.arange(40.0))
    given = ["--set", 'catalog.targets=["mass", "oh_p50"]', "--set", "model.target_scaling=none"]
    assert f"All 39 galaxies of {sample}/catalog.csv that can be used have the same oh_p50, 8.7, {message}" in (
        refuse_run(sample, *given)
    )
    change_catalog(sample, oh_p50=[8.7] * 20 + varied[20:], part=["train"] * 20 + ["test"] * 20)
    column = ["--set", "splits.method=column", "--set", "splits.column=part"]
    for stage in ("catalog", "cutouts", "pixels"):
        run(sample, *column, "--only", stage)
    assert f"All 20 galaxies of the training set have the same oh_p50, 8.7, {message}" in (
        refuse_run(sample, *column, "--only", "splits")
    )
    assert not (sample / "run/splits.parquet").exists()


@pytest.mark.parametrize("suffix", [".csv", ".ecsv", ".vot", ".fits", ".parquet"])
def test_a_name_that_two_columns_may_mean_is_refused_in_every_format(sample: Path, suffix: str) -> None:
    frame = pd.read_csv(sample / "catalog.csv").assign(OH_P50=8.5)
    path = sample / f"twice{suffix}"
    if suffix == ".fits":  # astropy tells names apart by case only if asked to
        columns = [fits.Column(name, "K" if name == "objID" else "D", array=frame[name]) for name in frame]
        fits.BinTableHDU.from_columns(columns).writeto(path)
    else:
        save_table(Table(frame, {}), path)
    given = ["--set", f"catalog.path={path}", "--only", "catalog"]
    message = refuse_run(sample, *given, "--set", 'catalog.targets=["Oh_P50"]')
    assert f"{path} has the columns 'oh_p50' and 'OH_P50', and [catalog] targets names 'Oh_P50'; write one" in message
    run(sample, *given)
    assert pd.read_parquet(sample / "run/catalog.parquet")["oh_p50"].nunique() > 30
    assert "names 'Oh_P50'; write one of them exactly." in refuse(
        *("evaluate", path, "--id", "objID", "--truth", "Oh_P50", "--predicted", "oh_p50", "-o", sample / "scores")
    )


def test_a_number_that_is_not_finite_refuses_its_galaxy_with_the_reason(sample: Path) -> None:
    labels = pd.read_csv(sample / "catalog.csv")["oh_p50"].tolist()
    change_catalog(sample, oh_p50=[np.nan, np.inf, -np.inf, -9999, *labels[4:]])
    output = run(sample, "--only", "catalog")
    assert "36 of 40 galaxies have oh_p50; 4 refused: 2 × has no oh_p50, 2 × oh_p50 is infinite" in output
    refused = pd.read_csv(sample / "run/refused/catalog.csv")
    assert refused["object_id"].tolist() == [FIRST_ID + row for row in range(4)]
    reasons = ["has no oh_p50", "oh_p50 is infinite", "oh_p50 is infinite", "has no oh_p50"]
    assert refused["reason"].tolist() == reasons
