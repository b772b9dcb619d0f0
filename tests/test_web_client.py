"""Promises of the client of services, over real sockets to servers that say what a script tells them to."""

import email.utils
import gzip
import os
import signal
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metalight.errors import ServiceError, hide_secrets
from metalight.recipe import NetworkSettings
from metalight.web import (
    Answer,
    Errand,
    Outcome,
    Pace,
    Request,
    Verdict,
    WebClient,
    fetch_file,
    join_query,
    judge_status,
)
from scripted_server import ScriptedServer, Visit, answer, reset, serve_script

QUICK = NetworkSettings(requests_per_second=0, first_wait_s=0, timeout_s=1, tries=3, connections=2)


def fetch(url: str, settings: NetworkSettings = QUICK, max_bytes: int = 1_000_000) -> Outcome:
    with WebClient(settings) as client:
        return client.fetch(url, judge=judge_status, max_bytes=max_bytes)


def body_of(outcome: Outcome) -> bytes:
    assert outcome.answer is not None, outcome.verdict
    return outcome.answer.body


@pytest.mark.parametrize(
    ("coding", "pack"),
    [("gzip", gzip.compress), ("deflate", zlib.compress), ("identity", bytes)],
)
def test_compressed_answers_are_unpacked(coding: str, pack: "type[bytes]") -> None:
    words = b"objid,ra\n" * 1000
    with serve_script(lambda visit: answer(pack(words), f"Content-Encoding: {coding}")) as server:
        assert body_of(fetch(server.url)) == words
    assert "Accept-Encoding: gzip, deflate" in server.visits[0].head


def test_an_answer_in_chunks_is_put_together() -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Type: Text/CSV; x=1\r\n\r\n"
    words = head + b"3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"
    with serve_script(lambda visit: words) as server:
        outcome = fetch(server.url)
    assert body_of(outcome) == b"abcde"
    assert outcome.answer is not None
    assert outcome.answer.content_type == "text/csv"


def test_damaged_compression_may_pass() -> None:
    whole = gzip.compress(b"objid" * 1000)

    def damage_first(visit: Visit) -> bytes:
        return answer(b"\0" * 50 if visit.number == 0 else whole, "Content-Encoding: gzip")

    with serve_script(damage_first) as server:
        outcome = fetch(server.url)
    assert (body_of(outcome), outcome.num_tries) == (b"objid" * 1000, 2)


@pytest.mark.parametrize("is_told", [True, False])
def test_an_answer_longer_than_wanted_is_not_read_to_its_end(is_told: bool) -> None:
    def send_for_ever(visit: Visit) -> bytes | None:
        length = "Content-Length: 100000000000\r\n" if is_told else ""
        visit.connection.sendall(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        for _ in range(10_000):
            visit.connection.sendall(b"x" * 10_000)
        return None

    with serve_script(send_for_ever) as server:
        outcome = fetch(server.url, max_bytes=200_000)
    assert outcome.verdict == Verdict("final", "the answer is longer than 200,000 bytes")
    assert outcome.num_tries == 1


def test_an_answer_that_unpacks_to_more_than_wanted_is_not_good() -> None:
    packed = answer(gzip.compress(bytes(50_000_000)), "Content-Encoding: gzip")
    with serve_script(lambda visit: packed) as server:
        assert fetch(server.url, max_bytes=100_000).verdict.reason == "the answer is longer than 100,000 bytes"


def test_an_answer_just_as_long_as_wanted_is_good() -> None:
    with serve_script(lambda visit: answer(b"x" * 100_000)) as server:
        assert len(body_of(fetch(server.url, max_bytes=100_000))) == 100_000
        assert fetch(server.url, max_bytes=99_999).verdict.kind == "final"


def test_a_connection_is_kept_for_what_comes_next() -> None:
    with serve_script(lambda visit: answer(b"x")) as server, WebClient(QUICK) as client:
        for _ in range(20):
            assert client.fetch(server.url, judge=judge_status, max_bytes=10).verdict.kind == "good"
    assert (server.num_connections, len(server.visits)) == (1, 20)


def test_no_more_connections_are_open_than_allowed_and_no_more_is_under_way() -> None:
    under_way, most = 0, 0
    lock = threading.Lock()

    def count(visit: Visit) -> bytes:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        time.sleep(0.01)
        with lock:
            under_way -= 1
        return answer(b"x")

    with serve_script(count) as server, WebClient(QUICK.model_copy(update={"connections": 3})) as client:
        errands = [Errand([Request(server.url, judge_status, 10)]) for _ in range(30)]
        assert sum(len(ended) for ended in client.fetch_each(errands)) == 30
    assert (most, server.num_connections) == (3, 3)


def test_a_request_that_meets_a_closing_connection_is_made_again_and_counted_and_paced() -> None:
    def close_often(visit: Visit) -> bytes | None:
        if visit.place == 1:
            reset(visit.connection)
            return None
        return answer(b"x")

    settings = QUICK.model_copy(update={"requests_per_second": 50, "connections": 1})
    with serve_script(close_often) as server, WebClient(settings) as client:
        began = time.monotonic()
        for number in range(10):
            outcome = client.fetch(f"{server.url}/{'x' * number}", judge=judge_status, max_bytes=10)
            assert outcome.verdict.kind == "good"
        seconds = time.monotonic() - began
    assert client.num_requests == len(server.visits) > 15
    assert (len(server.visits) - 2) / seconds < 51


def test_every_request_of_a_redirect_is_counted_and_paced() -> None:
    def redirect(visit: Visit) -> bytes:
        return answer(b"x") if visit.path == "/there" else answer(b"moved", "Location: /there", status="301 Moved")

    settings = QUICK.model_copy(update={"requests_per_second": 50})
    with serve_script(redirect) as server, WebClient(settings) as client:
        began = time.monotonic()
        for _ in range(5):
            outcome = client.fetch(f"{server.url}/here", judge=judge_status, max_bytes=10)
        seconds = time.monotonic() - began
    assert outcome.answer is not None
    assert (outcome.answer.url, outcome.answer.reason, client.num_requests) == (f"{server.url}/there", "OK", 10)
    assert seconds > 7.9 / 50  # nine turns, of which the first may come late by nearly one
    assert server.num_connections == 1


@pytest.mark.parametrize("place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "gopher://127.0.0.1/"])
def test_a_redirect_to_what_is_not_the_web_is_not_followed(place: str) -> None:
    with serve_script(lambda visit: answer(b"", f"Location: {place}", status="302 Found")) as server:
        outcome = fetch(server.url)
    assert (outcome.answer, outcome.verdict.kind, outcome.num_tries) == (None, "final", 1)
    assert "not a web address" in outcome.verdict.reason


@pytest.mark.parametrize("url", ["file:///etc/passwd", "http://[", "no address", "http://127.0.0.1:99999/", "x\0y"])
def test_what_is_no_address_of_the_web_is_told_at_once(url: str) -> None:
    outcome = fetch(url)
    assert (outcome.answer, outcome.verdict.kind, outcome.num_tries) == (None, "final", 1)
    assert "not a web address" in outcome.verdict.reason


def test_silence_is_given_up() -> None:
    def keep_silent(visit: Visit) -> None:
        time.sleep(1.5)

    with serve_script(keep_silent) as server:
        outcome = fetch(server.url, QUICK.model_copy(update={"timeout_s": 0.2, "tries": 2}))
    assert (outcome.answer, outcome.num_tries) == (None, 2)
    assert (outcome.verdict.kind, "0.2 s" in outcome.verdict.reason) == ("again", True)


def send_slowly(visit: Visit, words: bytes, num_bytes: int = 1) -> None:
    for first in range(0, len(words), num_bytes):
        visit.connection.sendall(words[first : first + num_bytes])
        time.sleep(0.05)


@pytest.mark.parametrize("part", ["headers", "body", "page of a redirect", "further headers"])
def test_an_answer_that_comes_in_drips_is_given_up(part: str) -> None:
    """However often something comes: headers have one deadline, and a body must make progress."""

    def drip(visit: Visit) -> None:
        head, _, body = answer(b"x" * 1000).partition(b"\r\n\r\n")
        if part == "body":
            visit.connection.sendall(head + b"\r\n\r\n")
        elif part == "page of a redirect":
            visit.connection.sendall(answer(b"x" * 1000, "Location: /x", status="302 Found")[:-1000])
        elif part == "further headers":
            for number in range(100):
                send_slowly(visit, f"HTTP/1.1 103 Early\r\nX: {number}\r\n\r\n".encode(), 100)
        else:
            send_slowly(visit, b"HTTP/1.1 200 OK\r\n" + b"X-More: x\r\n" * 100, 11)
        send_slowly(visit, body)

    with serve_script(drip) as server:
        began = time.monotonic()
        outcome = fetch(server.url, QUICK.model_copy(update={"timeout_s": 0.3, "tries": 2}))
    assert (outcome.answer, outcome.verdict.kind, outcome.num_tries) == (None, "again", 2)
    assert "0.3 s" in outcome.verdict.reason
    assert time.monotonic() - began < 2


def test_silence_in_the_middle_of_an_answer_is_given_up() -> None:
    def fall_silent(visit: Visit) -> None:
        visit.connection.sendall(answer(b"x" * 1000)[:-500])
        time.sleep(1.5)

    with serve_script(fall_silent) as server:
        outcome = fetch(server.url, QUICK.model_copy(update={"timeout_s": 0.2, "tries": 1}))
    assert (outcome.verdict.kind, "0.2 s" in outcome.verdict.reason) == ("again", True)


def test_words_that_come_slowly_but_steadily_are_heard_to_their_end() -> None:
    def speak_slowly(visit: Visit) -> bytes:
        words = answer(b"x" * 1000)
        for first in range(0, len(words) - 100, 100):
            visit.connection.sendall(words[first : first + 100])
            time.sleep(0.05)
        return words[len(words) - len(words) % 100 - 100 * (len(words) % 100 == 0) :]

    with serve_script(speak_slowly) as server:
        outcome = fetch(server.url, QUICK.model_copy(update={"timeout_s": 0.3, "tries": 1}))
    assert body_of(outcome) == b"x" * 1000


@pytest.mark.parametrize("is_date", [True, False])
def test_a_wait_longer_than_the_longest_is_not_waited_for(is_date: bool) -> None:
    when = email.utils.formatdate(time.time() + 3600, usegmt=True) if is_date else "3600"
    with serve_script(lambda visit: answer(b"", f"retry-AFTER: {when}", status="503 Busy")) as server:
        outcome = fetch(server.url)
    assert outcome.num_tries == 1
    assert outcome.verdict == Verdict("again", "the service answered with status 503 (Busy)")


@pytest.mark.parametrize(
    "wait", ["Fri, 31 Dec 9999 23:59:59 -99999999999999", "Mon, 01 Jan 0001 00:00:00 GMT", "-1", "soon"]
)
def test_a_wait_that_is_none_is_passed_over(wait: str) -> None:
    script = [answer(b"", f"Retry-After: {wait}", status="503 Busy"), answer(b"x")]
    with serve_script(lambda visit: script[visit.number]) as server:
        assert body_of(fetch(server.url)) == b"x"


def test_words_beside_a_status_are_read_as_they_stand() -> None:
    words = "404 NOT FOUND. Requested (ra, dec) is outside the SDSS footprint."
    with serve_script(lambda visit: answer(b"", status=words)) as server:
        outcome = fetch(server.url)
    assert outcome.answer is not None
    assert f"{outcome.answer.status} {outcome.answer.reason}" == words


def test_an_errand_ends_with_the_first_thing_that_is_not_good() -> None:
    def serve(visit: Visit) -> bytes:
        return answer(visit.path.encode()) if "bad" not in visit.path else answer(b"", status="404 Not Found")

    with serve_script(serve) as server, WebClient(QUICK) as client:
        paths = [["/a", "/b", "/c"], ["/d", "/bad", "/never"], ["/e"]]
        errands = [Errand([Request(server.url + path, judge_status, 10) for path in some]) for some in paths]
        ended = [errand for some in client.fetch_each(errands) for errand in some]
    assert sorted(map(id, ended)) == sorted(map(id, errands))
    assert [[outcome.verdict.kind for outcome in errand.outcomes] for errand in errands] == [
        ["good"] * 3,
        ["good", "final"],
        ["good"],
    ]
    assert [body_of(outcome) for outcome in errands[0].outcomes] == [b"/a", b"/b", b"/c"]
    assert "/never" not in [visit.path for visit in server.visits]


def test_who_waits_keeps_the_connection_from_others() -> None:
    settings = QUICK.model_copy(update={"first_wait_s": 0.3, "tries": 2})
    with serve_script(lambda visit: answer(b"", status="503 Busy")) as server, WebClient(settings) as client:
        errands = [Errand([Request(f"{server.url}/{number}", judge_status, 10)]) for number in range(9)]
        began = time.monotonic()
        for _ in client.fetch_each(errands):
            if time.monotonic() - began > 0.1:
                break
    assert {visit.path for visit in server.visits} == {"/0", "/1"}


def test_stop_ends_waits_and_what_has_not_begun_has_no_answer() -> None:
    settings = QUICK.model_copy(update={"first_wait_s": 60, "connections": 1})
    with serve_script(lambda visit: answer(b"", status="503 Busy")) as server, WebClient(settings) as client:
        threading.Timer(0.1, client.stop).start()
        began = time.monotonic()
        outcome = client.fetch(server.url, judge=judge_status, max_bytes=10)
        later = client.fetch(server.url, judge=judge_status, max_bytes=10)
    assert time.monotonic() - began < 5
    assert (outcome.verdict.kind, outcome.num_tries) == ("again", 1)
    assert (later.answer, later.num_tries, len(server.visits)) == (None, 0, 1)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/x", "http://nowhere.invalid/x", "https://[::1]:9/x"])
def test_a_service_that_was_never_reached_is_given_up_within_seconds(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_proxies(monkeypatch)
    outcome = fetch(url, NetworkSettings())
    assert (outcome.answer, outcome.num_tries, outcome.verdict.is_unreachable) == (None, 2, True)
    assert "check your network" in outcome.verdict.reason


def test_a_service_that_has_answered_and_then_dies_is_waited_for() -> None:
    with WebClient(QUICK.model_copy(update={"tries": 5})) as client:
        with serve_script(lambda visit: answer(b"x")) as server:
            assert client.fetch(server.url, judge=judge_status, max_bytes=10).verdict.kind == "good"
        outcome = client.fetch(server.url, judge=judge_status, max_bytes=10)
    assert (outcome.answer, outcome.num_tries, outcome.verdict.is_unreachable) == (None, 5, False)


def test_names_and_passwords_are_sent_but_not_shown() -> None:
    def redirect(visit: Visit) -> bytes:
        return answer(b"", "Location: there?token=hidden", status="302 Found") if visit.number == 0 else answer(b"x")

    with serve_script(redirect) as server:
        outcome = fetch(server.url.replace("://", "://somebody:hidden@"))
    assert "\r\nAuthorization: Basic " in server.visits[0].head
    assert outcome.answer is not None
    assert outcome.answer.url.startswith(f"{server.url}/there?token=")
    assert "hidden" not in outcome.answer.url


def test_a_password_is_not_sent_elsewhere() -> None:
    with serve_script(lambda visit: answer(b"x")) as other:
        there = answer(b"", f"Location: {other.url}/x", status="302 Found")
        with serve_script(lambda visit: there) as server:
            assert body_of(fetch(server.url.replace("://", "://somebody:hidden@"))) == b"x"
    assert "Authorization" not in other.visits[0].head


@pytest.mark.parametrize(
    ("proxy", "words"),
    [("socks5://127.0.0.1:1", "socks"), ("ftp://me:hidden@127.0.0.1:1", "ftp"), ("http://x:y", "port")],
)
def test_a_proxy_that_cannot_be_used_is_told_in_a_sentence(
    proxy: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    forget_proxies(monkeypatch)
    monkeypatch.setenv("ALL_PROXY", proxy)
    with pytest.raises(ServiceError, match="ALL_PROXY") as error:
        fetch("http://127.0.0.1:9/")
    assert words in str(error.value).lower()
    assert "hidden" not in str(error.value)


def test_an_error_of_who_judges_is_raised() -> None:
    def fail(answer: Answer) -> Verdict:
        raise ZeroDivisionError

    with serve_script(lambda visit: answer(b"x")) as server, WebClient(QUICK) as client:  # noqa: SIM117
        with pytest.raises(ZeroDivisionError):
            client.fetch(server.url, judge=fail, max_bytes=10)


@given(
    per_second=st.floats(0.1, 1000),
    steps=st.lists(st.tuples(st.floats(0, 5), st.integers(0, 12)), min_size=2, max_size=60),
)
def test_no_more_turns_are_taken_than_the_pace_has(per_second: float, steps: list[tuple[float, int]]) -> None:
    now = 1000.0
    pace = Pace(per_second, clock=lambda: now)
    taken = []
    for wait_in_turns, num_asked in steps:
        now += wait_in_turns / per_second
        for _ in range(num_asked):
            wait_s = pace.take_turn()
            assert 0 <= wait_s <= 1.001 / per_second
            if not wait_s:
                taken.append(now)
    # As many as the time between has turns, but for one that comes late and does not put off those after it.
    for first in range(len(taken)):
        for last in range(first, len(taken)):
            assert last - first <= (taken[last] - taken[first]) * per_second + 1.001


def test_turns_come_in_time_where_everybody_is_a_little_late() -> None:
    now = 0.0
    pace = Pace(10, clock=lambda: now)
    num_taken = 0
    while now < 10:
        wait_s = pace.take_turn()
        now += wait_s + 0.03 if wait_s else 0.0
        num_taken += not wait_s
    assert 95 <= num_taken <= 101


def test_a_contact_adds_no_headers() -> None:
    settings = QUICK.model_copy(update={"contact": "mé@example.org\r\nX-Other:\0 1"})
    with serve_script(lambda visit: answer(b"x")) as server:
        fetch(server.url, settings)
    assert "(mé@example.org X-Other: 1)" in server.visits[0].head
    assert "\r\nX-Other" not in server.visits[0].head


def forget_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    """Name none in the environment until the test ends; what names one meanwhile is forgotten too."""
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy"):
        for spelt in (name, name.upper()):
            monkeypatch.setenv(spelt, "")
            monkeypatch.delenv(spelt)


@pytest.mark.parametrize("name", ["http_proxy", "HTTP_PROXY", "all_proxy"])
def test_the_proxy_of_the_environment_is_asked_but_not_for_what_it_excepts(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with serve_script(lambda visit: answer(b"by proxy")) as proxy, serve_script(lambda visit: answer(b"x")) as server:
        forget_proxies(monkeypatch)
        monkeypatch.setenv(name, proxy.url)
        assert body_of(fetch("http://somewhere.invalid/x")) == b"by proxy"
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert body_of(fetch(server.url)) == b"x"
    assert [visit.path for visit in proxy.visits] == ["http://somewhere.invalid/x"]


def test_certificates_are_checked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = write_certificate(tmp_path)
    with serve_script(lambda visit: answer(b"secret"), certificate=str(certificate)) as server:
        stranger = fetch(server.url)
        monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
        known = fetch(server.url)
        elsewhere = fetch(server.url.replace("127.0.0.1", "localhost"))
    assert body_of(known) == b"secret"
    for refused in (stranger, elsewhere):
        assert (refused.answer, refused.verdict.kind) == (None, "again")
        assert "connection failed" in refused.verdict.reason
        assert "certificate" in refused.verdict.reason.lower()
    assert len(server.visits) == 1


def write_certificate(folder: Path) -> Path:
    parts = (("PRIVATE KEY", _KEY), ("CERTIFICATE", _CERTIFICATE))
    (folder / "certificate.pem").write_text("".join(_write_pem(*part) for part in parts))
    return folder / "certificate.pem"


def _write_pem(kind: str, words: str) -> str:
    return f"-----BEGIN {kind}-----{words}-----END {kind}-----\n"


@pytest.mark.parametrize(
    ("value", "written"),
    [("180.000000000", "180.000000000"), ("", ""), ("a b&c=d+e", "a+b%26c%3Dd%2Be"), ("é/ü", "%C3%A9%2F%C3%BC")],
)
def test_parameters_are_written_so_that_they_stay_what_they_are(value: str, written: str) -> None:
    assert join_query("http://x/y", {"ra": value, "opt": ""}) == f"http://x/y?ra={written}&opt="
    assert join_query("http://x/y?z=1", {"ra": value}) == f"http://x/y?z=1&ra={written}"


_SILENT = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)  # also where the tests themselves were started to ignore it
from metalight.recipe import NetworkSettings
from metalight.web import WebClient, judge_status
with WebClient(NetworkSettings(first_wait_s=60)) as client:
    print("begun", flush=True)
    client.fetch("{url}", judge=judge_status, max_bytes=10)
"""


@pytest.mark.parametrize("is_silent", [True, False])
def test_ctrl_c_ends_a_request_and_a_wait_at_once(is_silent: bool) -> None:
    def answer_late(visit: Visit) -> bytes:
        time.sleep(20 if is_silent else 0)
        return answer(b"", status="503 Busy")

    with serve_script(answer_late) as server:
        program = _SILENT.format(url=server.url)
        process = subprocess.Popen(
            [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=os.environ
        )
        try:
            wait_for_visits(server, 1)
            time.sleep(0.1)
            process.send_signal(signal.SIGINT)
            # Long before the answer, and before the wait that follows it.
            _, errors = process.communicate(timeout=10)
        finally:
            process.kill()  # or the server would wait for it
    assert b"KeyboardInterrupt" in errors


def wait_for_visits(server: ScriptedServer, number: int) -> None:
    until = time.monotonic() + 20
    while len(server.visits) < number:
        assert time.monotonic() < until
        time.sleep(0.005)


def test_a_large_file_that_falls_silent_goes_on_with_what_has_come(tmp_path: Path) -> None:
    data = os.urandom(300_000)

    def fall_silent(visit: Visit) -> bytes | None:
        if visit.number == 0:
            visit.connection.sendall(answer(data, 'ETag: "1"')[:-100_000])
            time.sleep(1.5)
            return None
        first = int(visit.head.partition("bytes=")[2].partition("-")[0])
        span = f"Content-Range: bytes {first}-{len(data) - 1}/{len(data)}"
        return answer(data[first:], span, status="206 Partial Content")

    with serve_script(fall_silent) as server:
        fetch_file(f"{server.url}/x.zip", tmp_path / "x.zip", QUICK.model_copy(update={"timeout_s": 0.3}))
    assert (tmp_path / "x.zip").read_bytes() == data
    assert '\r\nIf-Range: "1"' in server.visits[1].head


def test_the_client_is_not_imported_before_something_is_asked_for() -> None:
    program = "import sys, metalight.cli.app, metalight.web, metalight.cutouts; sys.exit('httpx2' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


# Of nobody: made for these tests with openssl, for 127.0.0.1, until the year 2126.
_KEY = """
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghcoJlbFRZqtwb9Cc
U0eAVxWCWENDb6VezCOn+UPqCFehRANCAASuOZfT8arlHaNfPK4ZK2O9J+V0zD9W
8JbiaSZv/24XGA2tZSHyYypy0c9eiq+S5cOpLNb9NmOD+ueg/Q0QSdFh
"""
_CERTIFICATE = """
MIIBmTCCAUCgAwIBAgIUYr5hQwRDouJBQfiU4WNZnn9d398wCgYIKoZIzj0EAwIw
GTEXMBUGA1UEAwwObWV0YWxpZ2h0IHRlc3QwIBcNMjYxMTI3MDM0MDEwWhgPMjEy
NjExMDMwMzQwMTBaMBkxFzAVBgNVBAMMDm1ldGFsaWdodCB0ZXN0MFkwEwYHKoZI
zj0CAQYIKoZIzj0DAQcDQgAErjmX0/Gq5R2jXzyuGStjvSfldMw/VvCW4mkmb/9u
FxgNrWUh8mMqctHPXoqvkuXDqSzW/TZjg/rnoP0NEEnRYaNkMGIwHQYDVR0OBBYE
FEta020igXr8arYjpNOEwczya4sEMB8GA1UdIwQYMBaAFEta020igXr8arYjpNOE
wczya4sEMA8GA1UdEwEB/wQFMAMBAf8wDwYDVR0RBAgwBocEfwAAATAKBggqhkjO
PQQDAgNHADBEAiAbACxlL9KPFUMPVnvXdVQrUjl3Yy11wB26vIDb+d7BLwIgX57/
ObmwPih+OzSqmMbwCD1IE5TlrjSvBDwMximTaJA=
"""


def test_a_proxy_for_plain_addresses_in_capitals_is_not_asked_for_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    certificate = write_certificate(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    forget_proxies(monkeypatch)
    with serve_script(lambda visit: answer(b"secret"), certificate=str(certificate)) as server:
        there = answer(b"", f"Location: {server.url}/x", status="302 Found")
        with serve_script(lambda visit: there) as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            assert body_of(fetch("http://somewhere.invalid/x")) == b"secret"
    assert [visit.path for visit in proxy.visits] == ["http://somewhere.invalid/x"]


@given(
    user=st.from_regex(r"[a-z]{3,9}", fullmatch=True),
    password=st.from_regex(r"[0-9]{0,3}[a-zA-Z!%._~-][a-zA-Z0-9:@/!%._~-]{3,9}", fullmatch=True),
    rest=st.sampled_from(["", "/", "/a/b.tar?x=1", ":8080/a", "/user@home"]),
)
def test_no_name_or_password_of_an_address_is_shown(user: str, password: str, rest: str) -> None:
    for text in (f"http://{user}:{password}@host{rest}", f"see 'https://{user}:{password}@host{rest}', twice"):
        shown = hide_secrets(text)
        assert f"{user}:" not in shown
        assert "host" in shown or "@" in rest
        assert str(ServiceError(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        *("http://host/a@b", "http://host:80/a@b", "http://[::1]:80/x@y", "me@example.org", "https://a/b?x=1&y=2"),
        *("http://host, then you@example.org", "C:\\a@b", "tokens=3"),
    ],
)
def test_what_is_no_secret_is_shown_as_it_is(text: str) -> None:
    assert hide_secrets(text) == text


@pytest.mark.parametrize("name", ["token", "access_token", "X-Amz-Signature", "api_key", "apikey", "password"])
def test_the_value_of_a_secret_parameter_is_not_shown(name: str) -> None:
    assert hide_secrets(f"https://a/b?x=1&{name}=hidden&y=2#z") == f"https://a/b?x=1&{name}=…&y=2#z"
