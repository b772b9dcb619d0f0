"""Where commands may write what a user asks for: not over the files of a run, and not where a run is in progress."""

from pathlib import Path

from metalight.errors import RunError
from metalight.run_folder import RunFolder


def check_outputs(*files: Path) -> None:
    """Refuse places that belong to a run.

    Args:
        files: What a command is about to write.

    Raises:
        RunError: One of them is a file of a run, or lies in a folder that holds only such files.
        InUseError: One of them lies in the folder of a run in progress.
    """
    for file in files:
        place = file.resolve()
        for folder in place.parents:
            run = RunFolder(folder)
            if not run.has_begun():
                continue
            run.check_idle(way_out="wait until it has ended, or choose an output folder outside the run")
            if place in run.list_files() or not set(place.parents).isdisjoint(run.list_folders()):
                raise RunError(f"{file} belongs to the run in {folder}; choose an output folder outside the run.")
