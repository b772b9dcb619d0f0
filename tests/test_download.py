"""Promises of the download of cutouts, over real sockets: whole, exact, polite, and going on from where it was."""

import contextlib
import hashlib
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from cutout_server import FAULTS, CutoutServer, Handler, picture_of, send_error_picture, serve_cutouts
from metalight.cutouts import (
    CutoutService,
    DownloadLimits,
    DownloadReport,
    HipsPictures,
    LegacyViewer,
    SkyServer,
    download_cutouts,
    estimate_download,
)
from metalight.cutouts.report import report_store
from metalight.cutouts.wanted import list_wanted
from metalight.errors import InUseError, RecipeError, ServiceError
from metalight.locks import hold_lock
from metalight.recipe import NetworkSettings
from metalight.store import CutoutStore, FileReader

QUICK = NetworkSettings(requests_per_second=0, first_wait_s=0, timeout_s=0.5, tries=6, connections=4)
PATIENT = QUICK.model_copy(update={"tries": 20})


def send_outside(handler: Handler) -> bool:
    return send_error_picture(handler, 404, "NOT FOUND. Requested (ra, dec) is outside the SDSS footprint.")


def make_galaxies(number: int, *, frame_arcsec: float = 20.0) -> pd.DataFrame:
    """Galaxies with identifiers of 19 digits."""
    ra = np.arange(number) / 1000
    object_ids = 1_237_648_720_693_755_918 + np.arange(number)
    return pd.DataFrame({"object_id": object_ids, "ra": ra, "dec": -0.5, "frame_arcsec": frame_arcsec})


def read_all(folder: Path, report: DownloadReport) -> dict[int, bytes]:
    reader = FileReader(folder)
    rows = zip(report.fetched["object_id"].tolist(), report.fetched["path"].tolist(), strict=True)
    rows = zip(report.fetched["object_id"].tolist(), report.fetched["path"].tolist(), strict=True)
    return {object_id: reader.read(path) for object_id, path in rows}


def expect_pictures(galaxies: pd.DataFrame) -> dict[int, bytes]:
    rows = zip(galaxies["object_id"].tolist(), galaxies["ra"].tolist(), strict=True)
    return {object_id: picture_of(ra_deg) for object_id, ra_deg in rows}


def list_stored(galaxies: pd.DataFrame, service: CutoutService, folder: Path) -> DownloadReport:
    """What a folder has of galaxies, whom nobody asks for."""
    return report_store(list_wanted(galaxies, service), CutoutStore(folder), service.bands)


def test_every_image_is_kept_byte_for_byte_and_asked_for_once(tmp_path: Path) -> None:
    galaxies = make_galaxies(60)
    with serve_cutouts() as service:
        sky = SkyServer(128, base_url=service.url)
        report = download_cutouts(galaxies, sky, tmp_path, QUICK, limits=DownloadLimits(files_a_part=25))
        again = download_cutouts(galaxies, sky, tmp_path, QUICK)
    assert read_all(tmp_path, report) == expect_pictures(galaxies)
    assert report.fetched["object_id"].tolist() == galaxies["object_id"].tolist()
    assert (report.num_new, report.num_requests, len(report.refused)) == (60, 60, 0)
    assert (again.num_new, again.num_requests) == (0, 0)
    assert again.fetched.equals(report.fetched)
    assert set(service.asked.values()) == {1}
    assert sorted(path.name for path in tmp_path.glob("*.parquet")) == [f"part-0000{n}.parquet" for n in range(3)]


def test_what_is_kept_says_where_it_is_from(tmp_path: Path) -> None:
    with serve_cutouts() as service:
        sky = SkyServer(128, release="dr16", base_url=service.url)
        download_cutouts(make_galaxies(1), sky, tmp_path, QUICK.model_copy(update={"contact": "me@example.org"}))
    row = pd.read_parquet(tmp_path / "part-00000.parquet").iloc[0]
    assert row["object_id"] == 1_237_648_720_693_755_918
    assert (row["source"], row["width"], row["height"]) == ("sdss", 128, 128)
    assert row["pixel_scale_arcsec"] == 20 / 128
    assert row["sha256"] == hashlib.sha256(row["jpeg"]).hexdigest()
    assert row["url"].startswith(f"{service.url}/dr16/SkyServerWS/ImgCutout/getjpeg?ra=0.000000000&dec=-0.500000000&")
    assert abs(pd.Timestamp.now(tz="UTC") - row["fetched_at"]) < pd.Timedelta("1min")
    asked = {"ra": "0.000000000", "dec": "-0.500000000", "scale": "0.15625000", "opt": ""}
    assert service.requests == [{**asked, "width": "128", "height": "128"}]
    assert all(agent.startswith("metalight/") and "me@example.org" in agent for agent in service.agents)


@pytest.mark.parametrize("name", sorted(FAULTS))
def test_each_fault_that_passes_leaves_no_trace(tmp_path: Path, name: str) -> None:
    galaxies = make_galaxies(12)

    def fail_first(handler: Handler, times: int) -> bool:
        return times == 0 and FAULTS[name](handler)

    with serve_cutouts(fail_first) as service:
        report = download_cutouts(galaxies, SkyServer(128, base_url=service.url), tmp_path, QUICK)
    assert report.refused.empty
    assert read_all(tmp_path, report) == expect_pictures(galaxies)


def test_faults_of_every_kind_change_nothing_of_what_is_kept(tmp_path: Path) -> None:
    galaxies = make_galaxies(200)
    kinds = sorted(set(FAULTS) - {"drip", "text"})  # a text is not asked about as often
    random = np.random.default_rng(1)

    def fail_sometimes(handler: Handler, times: int) -> bool:
        return random.random() < 0.3 and FAULTS[kinds[int(random.integers(len(kinds)))]](handler)

    with serve_cutouts(fail_sometimes) as service:
        report = download_cutouts(galaxies, SkyServer(128, base_url=service.url), tmp_path, PATIENT)
    assert report.refused.empty
    assert read_all(tmp_path, report) == expect_pictures(galaxies)
    assert report.num_requests > 220


@pytest.mark.parametrize(
    ("fault", "kind", "words"),
    [
        (send_outside, "outside_footprint", "footprint"),
        (FAULTS["500"], "service_error", "status 500 (INTERNAL SERVER ERROR. x)"),
        (FAULTS["404"], "service_error", "status 404 (NOT FOUND. x)"),
        (FAULTS["text"], "invalid_image", "exactly black"),
        (FAULTS["truncated"], "invalid_image", "cut short"),
        (FAULTS["size"], "invalid_image", "64 × 64 px"),
        (FAULTS["html"], "service_error", "text/html"),
        (FAULTS["reset"], "service_error", "connection failed"),
        (lambda handler: handler.send(b"", status=302, Location=handler.path), "service_error", "redirects"),
    ],
)
def test_what_fails_for_good_is_refused_with_its_reason_and_tried_again_only_when_asked(
    tmp_path: Path, fault: Callable[[Handler], bool], kind: str, words: str
) -> None:
    galaxies = make_galaxies(20)
    is_mended = False

    def fail_some(handler: Handler, times: int) -> bool:
        is_bad = handler.query["ra"] in ("0.003000000", "0.007000000")
        return is_bad and not is_mended and fault(handler)

    with serve_cutouts(fail_some) as service:
        sky = SkyServer(128, base_url=service.url)
        report = download_cutouts(galaxies, sky, tmp_path, QUICK)
        assert report.refused["object_id"].tolist() == galaxies["object_id"][[3, 7]].tolist()
        assert report.refused["kind"].tolist() == [kind] * 2
        assert all(words in reason for reason in report.refused["reason"])
        assert len(report.fetched) == 18
        is_mended = True
        assert download_cutouts(galaxies, sky, tmp_path, QUICK).num_requests == 0
        retried = download_cutouts(galaxies, sky, tmp_path, QUICK, retry_refused=True)
    assert (retried.num_new, retried.num_requests, len(retried.refused)) == (2, 2, 0)
    assert read_all(tmp_path, retried) == expect_pictures(galaxies)


def test_a_picture_of_a_text_is_asked_about_three_times(tmp_path: Path) -> None:
    def send_text(handler: Handler, times: int) -> bool:
        return handler.query["ra"] == "0.001000000" and FAULTS["text"](handler)

    with serve_cutouts(send_text) as service:
        report = download_cutouts(make_galaxies(3), SkyServer(128, base_url=service.url), tmp_path, PATIENT)
    assert report.refused["kind"].tolist() == ["invalid_image"]
    assert service.asked == {0: 1, 1: 3, 2: 1} or sum(service.asked.values()) == 2 + 3 + 1


def test_a_redirect_is_followed(tmp_path: Path) -> None:
    def redirect(handler: Handler, times: int) -> bool:
        is_moved = handler.path.startswith("/new")
        return not is_moved and handler.send(b"", status=301, Location=f"/new{handler.path}")

    with serve_cutouts(redirect) as service:
        report = download_cutouts(make_galaxies(3), SkyServer(128, base_url=service.url), tmp_path, QUICK)
    assert read_all(tmp_path, report) == expect_pictures(make_galaxies(3))


def test_a_service_that_asks_to_wait_is_obeyed(tmp_path: Path) -> None:
    def ask_to_wait(handler: Handler, times: int) -> bool:
        is_first = len(handler.server.service.times) == 1
        return is_first and handler.send(b"", status=429, Retry_After="1")

    settings = QUICK.model_copy(update={"connections": 1})
    with serve_cutouts(ask_to_wait) as service:
        download_cutouts(make_galaxies(3), SkyServer(128, base_url=service.url), tmp_path, settings)
    assert service.times[1] - service.times[0] >= 1
    assert service.times[3] - service.times[1] < 0.5


def test_the_pace_is_kept(tmp_path: Path) -> None:
    settings = QUICK.model_copy(update={"requests_per_second": 50})
    with serve_cutouts() as service:
        download_cutouts(make_galaxies(40), SkyServer(128, base_url=service.url), tmp_path, settings)
    # Of the 39 turns the first may come late by nearly one, as it is the server that tells the time.
    rate = 38 / (service.times[-1] - service.times[0])
    assert 30 < rate < 51


class Closing:
    """A service that answers for so many galaxies, and for no others until it is opened again."""

    def __init__(self, num_answers: int) -> None:
        self.num_answers, self.is_closed, self.lock = num_answers, True, threading.Lock()

    def __call__(self, handler: Handler, times: int) -> bool:
        with self.lock:
            self.num_answers -= 1
            return self.is_closed and self.num_answers < 0 and FAULTS["429"](handler)


def test_a_service_that_always_says_429_is_given_up_with_a_sentence_and_what_came_is_kept(tmp_path: Path) -> None:
    galaxies = make_galaxies(100)
    closing = Closing(20)
    limits = DownloadLimits(failures_in_a_row=15)
    with serve_cutouts(closing) as service:
        sky = SkyServer(128, base_url=service.url)
        with pytest.raises(ServiceError, match=r"SkyServer gave nothing.*status 429.*kept.*run the same command"):
            download_cutouts(galaxies, sky, tmp_path, QUICK, limits=limits)
        num_asked = len(service.asked)
        assert num_asked < 60
        closing.is_closed = False
        report = download_cutouts(galaxies, sky, tmp_path, QUICK)
    assert (report.num_new, report.num_requests) == (80, 80)
    assert read_all(tmp_path, report) == expect_pictures(galaxies)


def test_a_service_that_ends_with_a_few_galaxies_left_is_not_taken_for_their_fault(tmp_path: Path) -> None:
    galaxies = make_galaxies(30)
    closing = Closing(25)
    with serve_cutouts(closing) as service:
        sky = SkyServer(128, base_url=service.url)
        for num_kept in (25, 25):
            with pytest.raises(ServiceError, match="for 5 galaxies"):
                download_cutouts(galaxies, sky, tmp_path, QUICK)
            assert len(list_stored(galaxies, sky, tmp_path).fetched) == num_kept
        assert list_stored(galaxies, sky, tmp_path).refused.empty
        closing.is_closed = False
        report = download_cutouts(galaxies, sky, tmp_path, QUICK)
    assert (report.num_new, len(report.refused)) == (5, 0)


def test_an_answer_that_was_long_under_way_blames_no_galaxy_for_a_service_that_fails_since(
    tmp_path: Path,
) -> None:
    galaxies = make_galaxies(100)
    closing = Closing(20)
    slow = threading.Event()

    def close(handler: Handler, times: int) -> bool:
        if not slow.is_set():
            slow.set()
            until = time.monotonic() + 2
            while max(handler.server.service.asked.values()) < QUICK.tries and time.monotonic() < until:
                time.sleep(0.002)
            time.sleep(0.01)
            return False
        return closing(handler, times)

    settings = QUICK.model_copy(update={"timeout_s": 5})
    with serve_cutouts(close) as service:
        sky = SkyServer(128, base_url=service.url)
        with pytest.raises(ServiceError, match="gave nothing"):
            download_cutouts(galaxies, sky, tmp_path, settings, limits=DownloadLimits(failures_in_a_row=60))
        closing.is_closed = False
        report = download_cutouts(galaxies, sky, tmp_path, settings)
    assert (report.num_new, len(report.refused)) == (79, 0)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9", "http://me:hidden@127.0.0.1:9"])
def test_a_service_that_cannot_be_reached_is_given_up_within_seconds_with_a_sentence(tmp_path: Path, url: str) -> None:
    galaxies, sky = make_galaxies(60), LegacyViewer(128, "sdss", "mine", url)
    began = time.monotonic()
    with pytest.raises(ServiceError, match=r"cannot be reached at http://127\.0\.0\.1:9/.*check your network"):
        download_cutouts(galaxies, sky, tmp_path, NetworkSettings(connections=1))
    assert time.monotonic() - began < 5
    assert list_stored(galaxies, sky, tmp_path).refused.empty


@pytest.mark.parametrize("num_outside", [140, 149])
def test_places_of_which_the_service_says_nothing_but_an_error_are_outside_if_it_is_at_work(
    tmp_path: Path, num_outside: int
) -> None:
    """As the Legacy Surveys' viewer: however many they are, and wherever in the catalogue."""
    galaxies = make_galaxies(150)

    def fail_outside(handler: Handler, times: int) -> bool:
        is_outside = float(handler.query["ra"]) < (num_outside - 0.5) / 1000
        return is_outside and handler.send(b"<h1>Server Error (500)</h1>", status=500, kind="text/html")

    with serve_cutouts(fail_outside) as service:
        viewer = LegacyViewer(128, "sdss", "mine", service.url)
        for _ in range(20):  # with a single galaxy that is not, chance may ask for a hundred others first
            with contextlib.suppress(ServiceError):
                report = download_cutouts(galaxies, viewer, tmp_path, QUICK)
                break
    assert report.fetched["object_id"].tolist() == galaxies["object_id"].tolist()[num_outside:]
    assert report.refused["object_id"].tolist() == galaxies["object_id"].tolist()[:num_outside]
    assert set(report.refused["kind"]) == {"outside_footprint"}
    assert all(service.asked[number] >= 3 for number in range(num_outside))


def test_a_service_that_fails_but_answers_is_not_taken_for_one_that_is_not_there(tmp_path: Path) -> None:
    def begin_badly(handler: Handler, times: int) -> bool:
        return float(handler.query["ra"]) < 0.02 and FAULTS["503"](handler)

    with serve_cutouts(begin_badly) as service:
        report = download_cutouts(make_galaxies(60), SkyServer(128, base_url=service.url), tmp_path, QUICK)
    assert (report.num_new, len(report.refused)) == (40, 20)


def test_a_long_time_without_any_success_is_enough_to_give_up(tmp_path: Path) -> None:
    limits = DownloadLimits(failures_without_success_s=0.0)
    with (
        serve_cutouts(lambda handler, times: FAULTS["503"](handler)) as service,
        pytest.raises(ServiceError, match="for 4 galaxies"),
    ):
        download_cutouts(make_galaxies(50), SkyServer(128, base_url=service.url), tmp_path, QUICK, limits=limits)


def test_galaxies_that_cannot_be_asked_for_are_refused_unasked(tmp_path: Path) -> None:
    galaxies = make_galaxies(8)
    galaxies.loc[0, "frame_arcsec"] = np.nan
    galaxies.loc[1, "frame_arcsec"] = 0.0
    galaxies.loc[2, "frame_arcsec"] = 128 * 0.0149
    galaxies.loc[3, "frame_arcsec"] = 128 * 60.1
    galaxies.loc[4, "dec"] = 90.1
    galaxies.loc[5, "ra"] = np.nan
    galaxies.loc[6, "ra"] = -0.1
    with serve_cutouts() as service:
        sky = SkyServer(128, base_url=service.url)
        report = download_cutouts(galaxies, sky, tmp_path, QUICK)
        again = download_cutouts(galaxies, sky, tmp_path, QUICK, retry_refused=True)
    assert report.refused["kind"].tolist() == ["no_size"] * 4 + ["bad_position"] * 3
    assert "petroR90_r" in report.refused["reason"][0]
    assert "less than 0.015 arcsec a pixel, the least that SkyServer gives" in report.refused["reason"][2]
    assert (report.num_requests, again.num_requests) == (1, 0)
    assert again.refused.equals(report.refused)
    assert len(list(tmp_path.glob("refused-*.parquet"))) == 1


def test_poles_and_the_meridian_are_asked_for_without_exponents(tmp_path: Path) -> None:
    galaxies = make_galaxies(5)
    galaxies["ra"] = [0.0, 360.0, 359.9999999, 1e-7, 180.0]
    galaxies["dec"] = [90.0, -90.0, 0.0, -1e-7, 1e-9]
    with serve_cutouts() as service:
        report = download_cutouts(galaxies, SkyServer(128, base_url=service.url), tmp_path, QUICK)
    assert len(report.fetched) == 5
    asked = {(float(query["ra"]), float(query["dec"])) for query in service.requests}
    assert asked == {(0.0, 90.0), (0.0, -90.0), (359.9999999, 0.0), (1e-7, -1e-7), (180.0, 1e-9)}
    assert not any("e" in query["ra"] + query["dec"] for query in service.requests)


def test_a_changed_frame_is_fetched_anew_and_the_old_one_is_not_taken_for_it(tmp_path: Path) -> None:
    with serve_cutouts() as service:
        sky = SkyServer(128, base_url=service.url)
        download_cutouts(make_galaxies(5), sky, tmp_path, QUICK)
        wider = download_cutouts(make_galaxies(5, frame_arcsec=30), sky, tmp_path, QUICK)
        back = download_cutouts(make_galaxies(5), sky, tmp_path, QUICK)
    assert (wider.num_new, back.num_requests) == (5, 0)
    assert set(wider.fetched["path"]).isdisjoint(back.fetched["path"])


def test_images_of_one_service_are_not_taken_for_those_of_another_under_the_same_name(tmp_path: Path) -> None:
    galaxies = make_galaxies(3)
    with serve_cutouts() as service:
        download_cutouts(galaxies, SkyServer(128, base_url=service.url, source="mine"), tmp_path, QUICK)
    for other in (
        LegacyViewer(128, "sdss", "mine"),
        LegacyViewer(128, "ls-dr10", "mine"),
        HipsPictures(128, "CDS/P/SDSS9/color", "mine"),
        SkyServer(128, source="sdss"),
    ):
        assert list_stored(galaxies, other, tmp_path).fetched.empty
    same = SkyServer(128, source="mine", base_url="http://elsewhere")
    assert len(list_stored(galaxies, same, tmp_path).fetched) == 3


def test_galaxies_that_are_added_are_fetched_alone(tmp_path: Path) -> None:
    with serve_cutouts() as service:
        sky = SkyServer(128, base_url=service.url)
        download_cutouts(make_galaxies(5), sky, tmp_path, QUICK)
        shuffled = make_galaxies(9).sample(frac=1, random_state=1)
        report = download_cutouts(shuffled, sky, tmp_path, QUICK)
    assert report.num_requests == 4
    assert report.fetched["object_id"].tolist() == shuffled["object_id"].tolist()


def test_a_second_download_into_a_folder_is_refused_and_harms_nothing(tmp_path: Path) -> None:
    with serve_cutouts() as service:
        sky = SkyServer(128, base_url=service.url)
        with hold_lock(tmp_path / "download.lock", place=tmp_path, way_out="wait"), pytest.raises(InUseError):
            download_cutouts(make_galaxies(5), sky, tmp_path, QUICK)
        assert service.requests == []


def test_a_galaxy_that_is_there_twice_is_refused(tmp_path: Path) -> None:
    twice = pd.concat([make_galaxies(2), make_galaxies(1)])
    with pytest.raises(ValueError, match="each of them once"):
        download_cutouts(twice, SkyServer(128), tmp_path, QUICK)


@pytest.mark.parametrize("side", [32, 63, 2049])
def test_a_size_that_the_service_would_clip_is_refused_at_once(side: int) -> None:
    with pytest.raises(RecipeError, match=f"64 to 2048 px, not of {side}"):
        SkyServer(side)


def test_the_estimate_follows_the_pace_and_the_size() -> None:
    seconds, num_bytes = estimate_download(142_000, NetworkSettings(), SkyServer(128))
    assert seconds == 14_200
    assert 2e8 < num_bytes < 1e9
    unlimited, larger = estimate_download(142_000, NetworkSettings(requests_per_second=0), SkyServer(256))
    assert unlimited == pytest.approx(142_000 * 0.3 / 8)
    assert larger > 3 * num_bytes


_PROGRAM = """
import signal, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from metalight.cutouts import DownloadLimits, SkyServer, download_cutouts
from test_download import PATIENT, make_galaxies
from metalight.cli.interruption import heeding_interruptions
if {ignores_ctrl_c}: signal.signal(signal.SIGINT, signal.SIG_IGN)
limits = DownloadLimits(files_a_part=10)
with heeding_interruptions():
    download_cutouts(make_galaxies(200), SkyServer(128, base_url={url!r}), Path({folder!r}), PATIENT, limits=limits)
"""


def start(url: str, folder: Path, *, ignores_ctrl_c: bool = False) -> "subprocess.Popen[bytes]":
    tests = str(Path(__file__).parent)
    program = _PROGRAM.format(tests=tests, url=url, folder=str(folder), ignores_ctrl_c=ignores_ctrl_c)
    return subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE)


def slow_down(handler: Handler, times: int) -> bool:
    time.sleep(0.02)
    return False


def wait_for_requests(service: CutoutServer, number: int) -> None:
    until = time.monotonic() + 30
    while len(service.requests) < number:
        assert time.monotonic() < until
        time.sleep(0.002)


def test_a_killed_download_loses_at_most_the_part_in_hand(tmp_path: Path) -> None:
    with serve_cutouts(slow_down) as service:
        process = start(service.url, tmp_path)
        wait_for_requests(service, 57)
        process.send_signal(signal.SIGKILL)
        process.communicate()
        num_asked = len(service.requests)
        sky = SkyServer(128, base_url=service.url)
        num_kept = len(list_stored(make_galaxies(200), sky, tmp_path).fetched)
    # Less than a part of ten, and what four connections had under way.
    assert num_kept >= num_asked - 10 - 16
    assert num_kept >= 30


@pytest.mark.parametrize(
    ("number", "ignores_ctrl_c"),
    [(signal.SIGINT, False), (signal.SIGTERM, False), (signal.SIGTERM, True)],  # the last as of `command &` in a script
)
def test_an_interruption_finishes_the_part_in_hand(
    tmp_path: Path, number: signal.Signals, ignores_ctrl_c: bool
) -> None:
    with serve_cutouts(slow_down) as service:
        process = start(service.url, tmp_path, ignores_ctrl_c=ignores_ctrl_c)
        wait_for_requests(service, 45)
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
        num_before = len(service.requests)
        report = download_cutouts(make_galaxies(200), SkyServer(128, base_url=service.url), tmp_path, PATIENT)
    assert b"KeyboardInterrupt: after " in errors
    # Nothing that was answered is asked for again.
    assert report.num_requests == 200 - num_before
    assert set(service.asked.values()) == {1}
