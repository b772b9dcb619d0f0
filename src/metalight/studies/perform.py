"""A study from beginning to end: its runs one after the other, what they found, the figure and the table."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import metalight
from metalight.atomic import replace_file, save_json
from metalight.errors import MetalightError, RunError, explain_system, is_of_the_place
from metalight.locks import hold_lock
from metalight.outputs import check_outputs
from metalight.pipeline import adopt_stages, explain_failure, format_bytes, format_seconds, list_ahead, run_recipe
from metalight.progress import Progress, no_progress
from metalight.recipe import dump_recipe
from metalight.run_folder import RunFolder
from metalight.safe_text import guard_formulas
from metalight.small_files import load_json
from metalight.studies.cost import estimate_study
from metalight.studies.draw import draw_study
from metalight.studies.plan import Plan, PlannedRun
from metalight.studies.predictions import load_tested
from metalight.studies.report import format_resolution, format_study
from metalight.studies.resolution import Resolution, build_resolution
from metalight.studies.results import Summary, build_table, collect_results, summarise

_STUDY, _RESULTS, _TEXT, _LOCK, _RUNS = "study.json", "results.csv", "results.txt", "study.lock", "runs"
_LAST_STAGE = "evaluation"
"""Figures of single runs are left out: the study has its own, and `metalight run` draws the others if wanted."""


@dataclass(frozen=True)
class StudyReport:
    """Result of a study."""

    folder: Path
    plan: Plan
    summaries: tuple[Summary, ...]
    text: str
    """The table and its notes."""

    files: tuple[Path, ...]
    """That were written beside the runs."""


def perform_study(
    plan: Plan,
    folder: Path,
    *,
    device: str = "auto",
    progress: Progress = no_progress,
    tell: Callable[[str], None] = lambda line: None,
) -> StudyReport:
    """Bring every run of a study up to date, and tell what they found together.

    A finished run is left as it is; an interrupted one resumes; one that cannot be done is told of, and the others
    go on. What runs have in common is made once.

    Args:
        plan: The runs.
        folder: STUDY: study.json, results.csv, results.txt, figures, and the run folders in runs/.
        device: Name of the processor, or `auto`.
        progress: Shows long work.
        tell: Told in words of what is ahead and of every run as it ends.

    Raises:
        InUseError: Another process works on this study.
        RunError: The folder cannot be used, or holds another study.
    """
    with _hold(folder, plan):
        _check_same_study(folder, plan)
        save_json(_describe(plan), folder / _STUDY)
        flaws = _do_runs(plan, folder / _RUNS, device, progress, tell)
        return _conclude(plan, folder, flaws)


@contextlib.contextmanager
def _hold(folder: Path, plan: Plan) -> Iterator[None]:
    check_outputs(folder / _STUDY)
    is_other = folder.is_dir() and any(folder.iterdir()) and not (folder / _LOCK).exists()
    if is_other or (folder.exists() and not folder.is_dir()):
        raise RunError(f"{folder} is something else than the folder of a study; choose another --output.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with hold_lock(folder / _LOCK, place=folder, way_out="wait until it has ended, or choose another --output"):
            yield
    except OSError as error:
        if not is_of_the_place(error):
            raise
        raise RunError(
            f"The study cannot use {error.filename or folder}: {explain_system(error)}. Fix that and run the same "
            "command again to resume."
        ) from error


def _check_same_study(folder: Path, plan: Plan) -> None:
    """Refuse the folder of another study or recipe, whose results would be overwritten."""
    try:
        stored = load_json(folder / _STUDY)
        names = (str(stored["study"]), str(stored["recipe_name"]))
    except (OSError, ValueError, KeyError, TypeError):
        return
    if names != (plan.study.name, plan.recipe.name):
        raise RunError(
            f"{folder} holds the study '{names[0]}' of the recipe '{names[1]}', not '{plan.study.name}' of "
            f"'{plan.recipe.name}'; choose another --output."
        )


def _describe(plan: Plan) -> dict[str, Any]:
    """Description of the study for study.json."""
    return {
        "study": plan.study.name,
        "recipe_name": plan.recipe.name,
        "metalight": metalight.__version__,
        "seeds": plan.seeds,
        "reference": plan.reference,
        "runs": [
            {"variant": run.variant, "repetition": run.repetition, "part": run.part, "folder": f"{_RUNS}/{run.folder}"}
            for run in plan.runs
        ],
        "left_out": plan.left_out,
        "table": plan.study.text,
        "recipe": dump_recipe(plan.recipe),
    }


def _do_runs(
    plan: Plan, runs_folder: Path, device: str, progress: Progress, tell: Callable[[str], None]
) -> dict[str, str]:
    flaws: dict[str, str] = {}
    ahead = [run for run in plan.runs if _LAST_STAGE in list_ahead(run.recipe, runs_folder / run.folder)]
    if not ahead:
        tell(f"All {len(plan.runs)} runs are finished: their settings and inputs are as they were.")
        return flaws
    _foretell(plan, ahead, runs_folder, device, progress, tell)
    for number, run in enumerate(plan.runs, start=1):
        place = runs_folder / run.folder
        count = f"[{number}/{len(plan.runs)}] {run.folder}"
        if run not in ahead:
            tell(f"· {count}: {_describe_run(place)}")
            continue
        try:
            adopt_stages(run.recipe, place, _list_donors(plan, runs_folder, place))
            report = run_recipe(run.recipe, place, last=_LAST_STAGE, device=device, progress=progress, tell_change=tell)
        except MetalightError as error:
            flaws[run.folder] = str(error)
            tell(f"✗ {count}: {error}")
        else:
            failure = explain_failure(report.run)
            mark, told = ("!", f"; {failure}") if failure else ("✓", "")
            tell(f"{mark} {count}: {report.records[_LAST_STAGE].line}; {_describe_time(place)}{told}")
    return flaws


def _foretell(
    plan: Plan,
    ahead: list[PlannedRun],
    runs_folder: Path,
    device: str,
    progress: Progress,
    tell: Callable[[str], None],
) -> None:
    """Make the catalogue and find the images, which all runs need, and tell what the whole will take."""
    first = ahead[0]
    place = runs_folder / first.folder
    try:
        adopt_stages(first.recipe, place, _list_donors(plan, runs_folder, place))
        run_recipe(first.recipe, place, last="cutouts", device=device, progress=progress, tell=tell, tell_change=tell)
    except MetalightError:
        return  # its own turn comes, and says so
    cost = estimate_study(plan, runs_folder, place, device=device)
    trainings = f"{cost.num_trainings} trainings" if cost.num_trainings != 1 else "1 training"
    tell(
        f"Ahead: {cost.num_runs} of {len(plan.runs)} runs with {trainings}, about {format_seconds(cost.seconds)} in "
        f"all, the longest run about {format_seconds(cost.longest_seconds)}; {format_bytes(cost.disk_bytes)} of disk."
    )


def _list_donors(plan: Plan, runs_folder: Path, place: Path) -> list[Path]:
    """Other runs of the study that have been begun, in the plan's order."""
    others = [runs_folder / run.folder for run in plan.runs]
    return [other for other in others if other != place and RunFolder(other).load_records()]


def _describe_run(place: Path) -> str:
    record = RunFolder(place).load_records().get(_LAST_STAGE)
    return record.line if record else ""


def _describe_time(place: Path) -> str:
    records = RunFolder(place).load_records()
    training = records["training"].seconds
    whole = sum(record.seconds for record in records.values())
    return f"{whole:.1f} s, of which training {training:.1f} s" if training else f"{whole:.1f} s, training shared"


def _conclude(plan: Plan, folder: Path, flaws: dict[str, str]) -> StudyReport:
    runs_folder = folder / _RUNS
    results = collect_results(plan, runs_folder, flaws)
    summaries = summarise(results, reference=plan.reference)
    files = [folder / _RESULTS, folder / _TEXT]
    with replace_file(files[0]) as temporary:
        guard_formulas(build_table(results)).to_csv(temporary, index=False, lineterminator="\n")
    resolutions: list[Resolution] = []
    if plan.study.table.has_published_values:
        targets = dict.fromkeys(summary.target for summary in summaries if summary.results)
        resolutions = [build_resolution(plan, runs_folder, summaries, target) for target in targets]
    units = _find_units(plan, runs_folder, summaries)
    text = "\n\n".join([format_study(plan, summaries, units), *map(format_resolution, resolutions)])
    with replace_file(files[1]) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
    files += draw_study(plan, summaries, resolutions, units, folder)
    return StudyReport(folder, plan, tuple(summaries), text, tuple(files))


def _find_units(plan: Plan, runs_folder: Path, summaries: list[Summary]) -> dict[str, str]:
    units: dict[str, str] = {}
    for summary in summaries:
        if summary.target in units or not summary.results:
            continue
        runs = plan.runs_of(summary.variant, summary.results[0].repetition)
        units[summary.target] = load_tested([runs_folder / run.folder for run in runs], summary.target).info.unit
    return units
