"""Promises of a process that is told to stop, or is killed: how it ends, what it keeps, and what it leaves behind."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from metalight.atomic import replace_file, replace_folder

SLEEPS = """
import sys, time
import metalight.cli.app
def run():
    print("begun", flush=True)
    {work}
metalight.cli.app.app = run
metalight.cli.main()
"""


def start(work: str, *before: str) -> "subprocess.Popen[str]":
    """A process of the command line that says when it has begun its work."""
    command = [*before, sys.executable, "-c", SLEEPS.format(work=work)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"
    return process


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_a_scheduler_and_a_closed_terminal_stop_as_ctrl_c_does(number: signal.Signals, status: int) -> None:
    with start("time.sleep(60)") as process:
        process.send_signal(number)
        process.send_signal(number)  # as `timeout` does
        errors = process.communicate()[1]
    assert process.returncode == status
    assert len(errors.splitlines()) == 1
    assert "Interrupted" in errors
    assert "Run the same command again to resume" in errors


def test_a_signal_that_is_ignored_at_the_start_stays_ignored() -> None:
    with start("time.sleep(0.5)", "nohup") as process:
        process.send_signal(signal.SIGHUP)
        process.communicate()
    assert process.returncode == 0


def test_a_closed_terminal_stops_what_writes_to_it_in_an_orderly_way(tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    work = f"""
    try:
        while True: print("x", file=sys.stderr, flush=True); time.sleep(0.01)
    except KeyboardInterrupt:
        print("stopping", flush=True); open({str(kept)!r}, "w").close(); raise
    """
    pid, terminal = pty.fork()
    if pid == 0:
        os.execv(sys.executable, [sys.executable, "-c", SLEEPS.format(work=work.strip())])
    while b"x" not in os.read(terminal, 1000):
        pass
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 129
    assert kept.exists()


def test_an_error_that_an_interruption_is_turned_into_is_told_as_the_interruption() -> None:
    work = "\n    ".join(["try: time.sleep(60)", "except KeyboardInterrupt: raise ImportError('of numpy') from None"])
    with start(work) as process:
        process.send_signal(signal.SIGINT)
        errors = process.communicate()[1]
    assert (process.returncode, len(errors.splitlines())) == (130, 1)


def test_workers_end_with_a_parent_that_is_killed() -> None:
    # One task ends at once, so that the process is known to work; the others would take hours.
    lines = ["from metalight.processes import share_out as share"]
    lines += ["for _ in share(time.sleep, [0, 9999, 9999], 2, name='slept'): print('works', flush=True)"]
    with start("\n    ".join(lines)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "works\n"
        workers = list_workers(process.pid)
        process.kill()
    assert len(workers) == 2
    until = time.monotonic() + 30
    while any(is_alive(worker) for worker in workers):
        assert time.monotonic() < until
        time.sleep(0.05)


def list_workers(parent: int) -> list[int]:
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            fields = (entry / "stat").read_text().rpartition(")")[2].split()
            if int(fields[1]) == parent and b"--multiprocessing-fork" in (entry / "cmdline").read_bytes():
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


DIES_AS_IT_WRITES = """
import os, signal, sys
from pathlib import Path
from metalight.atomic import replace_file, replace_folder
place = Path(sys.argv[1])
with replace_file(place / "a.csv") as file, replace_folder(place / "b") as folder:
    file.write_text("half")
    (folder / "c").write_text("half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_the_next_process_deletes_what_a_killed_one_left_but_not_what_another_is_writing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / ".b.tmp-abcdefgh").touch()  # of another program
    ended = subprocess.run([sys.executable, "-c", DIES_AS_IT_WRITES, str(tmp_path)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(list(tmp_path.glob(".*.metalight-*"))) == 2
    with replace_file(tmp_path / "d.csv") as mine, replace_folder(tmp_path / "e") as my_folder:
        monkeypatch.setattr("metalight.atomic._swept", set())  # as in another process
        with replace_file(tmp_path / "f.csv") as other:
            other.write_text("whole")
        assert mine.exists()
        assert my_folder.exists()
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {".b.tmp-abcdefgh", "d.csv", "e", "f.csv"}


def test_a_figure_that_the_disk_has_no_room_for_is_told_as_that(tmp_path: Path) -> None:
    code = (
        "import resource, sys; from pathlib import Path; from metalight.figures.style import make_figure, save_figure\n"
        "figure = make_figure(3, 3); figure.add_subplot().plot(range(9))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]),) * 2)\n"
        "try: save_figure(figure, Path(sys.argv[1]), dpi=50)\n"
        "except OSError as error: print(error.strerror, error.filename)"
    )
    for limit, suffix in ((100, ".png"), (4000, ".pdf")):
        words = [sys.executable, "-c", code, str(tmp_path / "a"), str(limit)]
        told = subprocess.run(words, capture_output=True, text=True, check=True).stdout
        assert told == f"File too large {tmp_path / 'a'}{suffix}\n"
    assert not list(tmp_path.glob(".*"))
