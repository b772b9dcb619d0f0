"""Promises of interruptions: whatever kills a run, it resumes and ends as one that was never stopped."""

import contextlib
import hashlib
import io
import json
import pickle
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import torch

from call import call, list_performed, refuse, refuse_run, run, succeed
from kill_at import MOMENTS
from make import make_sample
from metalight.images import reading
from metalight.pipeline import predict_images
from metalight.training import list_checkpoints, load_last_checkpoint

pytestmark = pytest.mark.usefixtures("unrendered")

RECIPE = """
preset = "demo"
catalog.path = "catalog.csv"
cutouts.folder = "images"
baselines.kinds = []
pixels.side = 16
model.backbone = "test_resnet"
model.hidden_features = 16
training.batch_size = 16
training.precision = "float32"
training.optimizer = "sgd"
training.momentum = 0.9
training.frozen_epochs = 2
training.frozen_learning_rate = 0.01
training.constant_epochs = 1
training.cycles = 2
training.first_cycle_epochs = 1
prediction.batch_size = 8
evaluation.bootstrap_samples = 20
"""
"""Two epochs frozen, one constant, cycles of one and two epochs."""


@pytest.fixture
def long_sample(tmp_path: Path) -> Path:
    """150 galaxies: three parts to decode, several to predict."""
    make_sample(tmp_path, 150)
    (tmp_path / "recipe.toml").write_text(RECIPE)
    return tmp_path


def call_killed(moment: str, *arguments: object) -> subprocess.CompletedProcess[str]:
    """The command in a process of its own, which is killed at that moment (`never`: which ends by itself)."""
    program = Path(__file__).with_name("kill_at.py")
    words = [sys.executable, str(program), moment, *map(str, arguments)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def digest_results(folder: Path) -> dict[str, str]:
    """Digest of every file of a run that another run of the same recipe makes too, byte for byte."""
    changing = {"stages.json", "provenance.json", "recipe.toml", "run.lock"}
    files = [path for path in sorted(folder.rglob("*")) if path.is_file() and path.name not in changing]
    return {
        path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in files
        if "checkpoints" not in path.parts  # whose names have the identity of their run's inputs
    }


def test_a_run_killed_at_every_moment_ends_with_the_same_bytes_as_one_never_stopped(long_sample: Path) -> None:
    arguments = ("run", long_sample / "recipe.toml", "--run-dir", long_sample / "killed")
    for moment in MOMENTS:
        ended = call_killed(moment, *arguments)
        assert ended.returncode == -9, (moment, ended.stderr)
        if moment == "checkpoint":
            half = list((long_sample / "killed/training/checkpoints").glob(".*.metalight-*"))
            assert len(half) == 1
    last = call_killed("never", *arguments)
    assert last.returncode == 0, last.stderr
    # What was finished before a kill was not done again by the next process.
    assert list_performed(last.stdout) == ["figures", "results"]
    records = json.loads((long_sample / "killed/stages.json").read_text())
    assert "went on after epoch 4" in records["training"]["line"]
    never_stopped = call_killed("never", *arguments[:3], long_sample / "whole")
    assert never_stopped.returncode == 0, never_stopped.stderr
    assert digest_results(long_sample / "killed") == digest_results(long_sample / "whole")
    names = [path.name for path in (long_sample / "killed").rglob("*")]
    assert [name for name in names if ".metalight-" in name or name.endswith(".unfinished")] == []


@contextlib.contextmanager
def ctrl_c_in_epoch(number: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A block in which Ctrl-C is pressed as soon as the bar of an epoch appears."""

    @contextlib.contextmanager
    def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
        if label.startswith(f"Epoch {number} "):
            raise KeyboardInterrupt
        yield lambda steps: None

    with monkeypatch.context() as patched:
        patched.setattr("metalight.progress.bar_progress", progress)
        yield


def test_ctrl_c_says_what_is_kept_and_how_to_go_on(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with ctrl_c_in_epoch(2, monkeypatch):
        result = call("run", sample / "recipe.toml", "--run-dir", sample / "run")
    assert result.exit_code == 130
    assert "Interrupted after epoch 1 of 2 of the training" in result.stderr
    assert "Run the same command again to resume" in result.stderr
    assert "went on after epoch 1" in run(sample)


def test_training_that_is_begun_anew_on_demand_goes_on_too(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(sample)
    weights = (sample / "run/model/model.safetensors").read_bytes()
    with ctrl_c_in_epoch(1, monkeypatch):
        call("run", sample / "recipe.toml", "--run-dir", sample / "run", "--from", "training")
    assert not list_checkpoints(sample / "run/training/checkpoints")  # started over
    with ctrl_c_in_epoch(2, monkeypatch):
        call("run", sample / "recipe.toml", "--run-dir", sample / "run", "--from", "training")
    output = run(sample, "--from", "training")
    assert "went on after epoch 1" in output
    assert list_performed(output) == ["training", "prediction", "evaluation", "figures", "results"]
    assert (sample / "run/model/model.safetensors").read_bytes() == weights


def test_a_damaged_checkpoint_is_passed_over_for_the_one_before(copy: Path) -> None:
    weights = (copy / "run/model/model.safetensors").read_bytes()
    for num_damaged, note in (
        (1, "went on after epoch 1; 1 damaged"),
        (2, "started over: all checkpoints were damaged"),
    ):
        files = list_checkpoints(copy / "run/training/checkpoints")
        assert [file.epochs_done for file in files] == [2, 1]
        for file in files[:num_damaged]:
            content = bytearray(file.path.read_bytes())
            content[len(content) // 2] ^= 1
            file.path.write_bytes(content)
        shutil.rmtree(copy / "run/model")
        assert note in run(copy)
        assert (copy / "run/model/model.safetensors").read_bytes() == weights


def test_a_lost_model_comes_back_from_its_last_checkpoint_without_training(copy: Path) -> None:
    weights = (copy / "run/model/model.safetensors").read_bytes()
    shutil.rmtree(copy / "run/model")
    output = run(copy)
    assert "went on after epoch 2" in output
    # The same model: nothing after it is done again.
    assert "prediction" not in list_performed(output)
    assert (copy / "run/model/model.safetensors").read_bytes() == weights


def test_a_history_that_a_kill_left_behind_the_last_checkpoint_catches_up(copy: Path) -> None:
    history = copy / "run/training/history.csv"
    whole = history.read_bytes()
    shutil.rmtree(copy / "run/model")
    history.write_bytes(whole[: len(whole) // 2])
    assert "went on after epoch 2" in run(copy)
    assert history.read_bytes() == whole


def test_parts_that_a_kill_left_beside_finished_pixels_are_deleted(copy: Path) -> None:
    records = json.loads((copy / "run/stages.json").read_text())
    del records["pixels"]
    (copy / "run/stages.json").write_text(json.dumps(records))
    (copy / "run/pixels.unfinished").mkdir()
    (copy / "run/pixels.unfinished/part-000000.parquet").touch()
    assert "pixels" in list_performed(run(copy))
    assert not (copy / "run/pixels.unfinished").exists()


def test_decoded_images_are_not_lost_to_a_kill_while_they_are_moved(
    sample: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("metalight.images.pixels._hash_content", press_ctrl_c)
        assert call("run", sample / "recipe.toml", "--run-dir", sample / "run").exit_code == 130
    monkeypatch.setattr("metalight.images.pixels.read_images", press_ctrl_c)
    assert run(sample, "--only", "pixels")


def press_ctrl_c(*_: object, **__: object) -> Any:
    raise KeyboardInterrupt


def test_a_prediction_interrupted_as_it_is_written_is_not_made_again(
    copy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = copy / "out" / "predictions.csv"
    words = ("predict", copy / "run", "--images", copy / "images", "-o", output)
    with monkeypatch.context() as patched:
        patched.setattr(import_module("metalight.pipeline.predict_images"), "save_galaxies", press_ctrl_c)
        assert call(*words).exit_code == 130
    with monkeypatch.context() as patched:
        patched.setattr("metalight.pipeline.predict_parts._predict", press_ctrl_c)
        succeed(*words)
    names = {path.name for path in output.parent.iterdir()}
    assert names == {"predictions.csv", "predictions.csv-metadata.json"}


def test_a_folder_without_a_usable_image_leaves_nothing_beside_the_output(copy: Path) -> None:
    (copy / "bad").mkdir()
    (copy / "bad/1.png").write_bytes(b"no image")
    refuse("predict", copy / "run", "--images", copy / "bad", "-o", copy / "out/predictions.csv")
    assert list((copy / "out").iterdir()) == []


CTRL_C_TWICE_LOST = """
import os, signal, sys, time, weakref
import metalight.cli.app
# Whoever runs the tests in the background has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
class Thing: pass
def press(_):
    os.kill(os.getpid(), signal.SIGINT)
    for _ in range(1000): pass
def run():
    for _ in range(2):
        thing = Thing()
        reference = weakref.ref(thing, press)
        del thing
    time.sleep(60)
metalight.cli.app.app = run
metalight.cli.main()
"""


def test_ctrl_c_is_heeded_where_python_cannot_raise_it() -> None:
    ended = subprocess.run([sys.executable, "-c", CTRL_C_TWICE_LOST], capture_output=True, text=True, check=False)
    assert ended.returncode == 130, ended.stderr
    assert len(ended.stderr.splitlines()) == 1
    assert "Run the same command again to resume" in ended.stderr


def test_a_setting_changed_by_mistake_costs_no_checkpoint(sample: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for changes in ((), ("--set", "training.seed=7")):
        with ctrl_c_in_epoch(2, monkeypatch):
            call("run", sample / "recipe.toml", "--run-dir", sample / "run", *changes)
    output = run(sample)
    assert "went on after epoch 1" in output
    assert [file.epochs_done for file in list_checkpoints(sample / "run/training/checkpoints")] == [2, 1]


def test_a_checkpoint_that_is_a_pickle_with_code_is_not_run(tmp_path: Path) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (tmp_path / "ran",))

    content = io.BytesIO()
    torch.save({"format_version": 1, "identity": Trap()}, content)
    digest = hashlib.sha256(content.getvalue()).hexdigest()[:16]
    (tmp_path / f"epoch-0001-{'a' * 8}-{digest}.pt").write_bytes(content.getvalue())
    found = load_last_checkpoint(tmp_path, "a" * 64)
    assert (found.checkpoint, found.num_damaged) == (None, 1)
    assert not (tmp_path / "ran").exists()


def test_a_prediction_goes_on_only_with_images_that_were_decoded_by_the_same_rules(
    copy: Path, images_read: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "_MOST_FILES_A_PART", 16)

    def predict(stop_after: int = 1000) -> int:
        """How many files are read, until a bar of so many steps."""
        images_read.clear()

        @contextlib.contextmanager
        def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
            done: list[int] = []

            def advance(steps: int) -> None:
                done.append(steps)
                if sum(done) >= stop_after:
                    raise KeyboardInterrupt

            yield advance

        with contextlib.suppress(KeyboardInterrupt):
            predict_images(copy / "run", copy / "images", copy / "out.csv", views="none", progress=progress)
        return len(images_read)

    assert predict(stop_after=20) == 32
    assert predict() == 24
    assert predict(stop_after=20) == 32
    monkeypatch.setattr("metalight.images.kinds.DECODING_VERSION", 999)
    assert predict() == 40


def test_a_run_passes_over_checkpoints_that_are_pickles_with_code(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Trap:
        def __reduce__(self) -> Any:
            return (Path.touch, (copy / "ran",))

    data = pickle.dumps(Trap())
    for file in list_checkpoints(copy / "run/training/checkpoints"):
        digest = hashlib.sha256(data).hexdigest()[:16]
        file.path.write_bytes(data)
        file.path.rename(file.path.with_name(f"epoch-{file.epochs_done:04}-{file.identity}-{digest}.pt"))
    (copy / "run/model/model.safetensors").write_bytes(data)
    message = refuse("predict", copy / "run", "--images", copy / "images", "-o", copy / "p.csv")
    assert "model.safetensors are missing or damaged: the file is a pickle, which may run code" in message
    message = refuse_run(copy, "--only", "prediction")
    assert "builds on what 'training' makes, which is not there or not up to date" in message
    shutil.rmtree(copy / "run/model")
    with ctrl_c_in_epoch(1, monkeypatch):
        call("run", copy / "recipe.toml", "--run-dir", copy / "run")
    assert "started over: all checkpoints were damaged (2 damaged, passed over)" in run(copy, "--only", "training")
    assert not (copy / "ran").exists()


def test_a_second_process_on_a_run_folder_is_refused_and_harms_nothing(copy: Path) -> None:
    before = digest_results(copy / "run")
    code = (
        "import sys, pathlib, time; from metalight.run_folder import RunFolder\n"
        "with RunFolder(pathlib.Path(sys.argv[1])).hold(): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, copy / "run"], stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        message = refuse_run(copy, "--from", "splits")
        holder.kill()
    assert "Another process of metalight is working on" in message
    assert digest_results(copy / "run") == before
    run(copy)  # a killed process holds nothing


def test_the_run_folder_of_another_recipe_is_refused(copy: Path) -> None:
    before = digest_results(copy / "run")
    (copy / "recipe.toml").rename(copy / "other.toml")
    message = refuse("run", copy / "other.toml", "--run-dir", copy / "run")
    assert "holds a run of the recipe 'recipe', not of 'other'; choose another --run-dir" in message
    assert digest_results(copy / "run") == before
    (copy / "other.toml").write_text('name = "recipe"\n' + (copy / "other.toml").read_text())
    assert "training" not in list_performed(succeed("run", copy / "other.toml", "--run-dir", copy / "run"))


@pytest.mark.parametrize(("limit_kb", "stage"), [(30, "pixels"), (200, "training")])
def test_a_full_disk_is_one_sentence_and_the_same_command_goes_on(sample: Path, limit_kb: int, stage: str) -> None:
    limit = f"import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({limit_kb * 1024},) * 2)\n"
    code = limit + "from metalight.cli import main; main()"
    words = ["run", str(sample / "recipe.toml"), "--run-dir", str(sample / "run")]
    ended = subprocess.run([sys.executable, "-c", code, *words], capture_output=True, text=True, check=False)
    assert ended.returncode == 1
    lines = ended.stderr.splitlines()
    errors = [line for line in lines if line.startswith("Error:")]
    assert len(errors) == 1, ended.stderr
    assert "File too large" in errors[0]
    assert "Traceback" not in ended.stderr
    assert stage in list_performed(run(sample))
