"""Promises of what is made of SkyServer's answers as they really come: throttles, errors of any form, odd tables."""

import csv
import gzip
import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pandas as pd
import pytest

from metalight.catalog import SKY_SERVER_COLUMNS, Selection, select_sky_server
from metalight.catalog.sky_server.answers import Reading, read_answer
from metalight.errors import ServiceError
from metalight.recipe import NetworkSettings
from metalight.web import Answer
from sky_server import (
    NETWORK,
    QUOTA,
    FakeSkyServer,
    Fault,
    Reply,
    changed,
    error_json,
    error_row,
    make_galaxies,
    page_of,
    serve,
)

GALAXIES = make_galaxies(30)
CUTS = ("redshift",)
NUM_COUNTS = len(CUTS) + 1
NUM_PAGES = 2
NAMES = [column.name for column in SKY_SERVER_COLUMNS]


@pytest.fixture
def server() -> Iterator[FakeSkyServer]:
    with serve(GALAXIES, GALAXIES.iloc[:3].assign(specObjID=GALAXIES["specObjID"].iloc[:3] + 1)) as running:
        yield running


def select(server: FakeSkyServer, folder: Path, network: NetworkSettings = NETWORK) -> Selection:
    settings = server.settings(page_size=20)
    return select_sky_server(settings, network, cuts=CUTS, folder=folder / "queries")


def refuse(server: FakeSkyServer, folder: Path, network: NetworkSettings = NETWORK) -> str:
    with pytest.raises(ServiceError) as caught:
        select(server, folder, network)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def assert_whole(selection: Selection) -> None:
    pd.testing.assert_frame_equal(selection.table.frame, GALAXIES[NAMES], check_dtype=False)
    assert [count.num_left for count in selection.counts] == [30] * NUM_COUNTS
    assert selection.spectra is not None
    assert len(selection.spectra) == 3


@pytest.mark.parametrize("place", range(NUM_COUNTS + NUM_PAGES + 2))
@pytest.mark.parametrize("num_refusals", [1, 9])
def test_a_throttle_is_waited_for_wherever_it_comes_and_uses_up_no_try(
    server: FakeSkyServer, tmp_path: Path, place: int, num_refusals: int
) -> None:
    server.faults = [None] * place + [QUOTA] * num_refusals
    selection = select(server, tmp_path, NETWORK.model_copy(update={"tries": 1, "longest_wait_s": 0.01}))
    assert_whole(selection)
    assert server.queries[place] == server.queries[place + num_refusals]
    assert any("limit of queries" in note for note in selection.notes)


def test_a_throttle_that_does_not_end_is_quoted_and_what_was_answered_is_kept(
    server: FakeSkyServer, tmp_path: Path
) -> None:
    server.faults = [None] * NUM_COUNTS + [QUOTA] * 100
    message = refuse(server, tmp_path, NETWORK.model_copy(update={"longest_wait_s": 0.001}))
    assert "Maximum 60 queries allowed per minute" in message
    assert "run the command again" in message
    server.faults, num_asked = [], len(server.queries)
    assert_whole(select(server, tmp_path))
    assert len(server.queries) == num_asked + NUM_PAGES + 2


def test_a_throttle_is_waited_for_longer_after_each_refusal(server: FakeSkyServer, tmp_path: Path) -> None:
    server.faults = [QUOTA] * 3
    select(server, tmp_path, NETWORK.model_copy(update={"first_wait_s": 0.1}))
    waits = [later - earlier for earlier, later in zip(server.times, server.times[1:4], strict=False)]
    assert waits[0] >= 0.1
    assert waits[1] >= 0.2
    assert waits[2] >= 0.4


WRONG_FOR_GOOD: dict[str, tuple[Fault, str]] = {
    "a row of error_message": (error_row("error: must be a select statement"), "must be a select statement"),
    "a limit of rows": (error_row("error: limit is  top 1000 "), "limit is top 1000"),
    "in any case of letters": (changed(lambda body: b"ERROR_MESSAGE\r\nno, not this\r\n"), "no, not this"),
    "an unknown table": (error_json("Invalid object name 'galSpecExtra'."), "Invalid object name 'galSpecExtra'"),
    "an unknown column": (error_json("Invalid column name 'oh_p50'."), "Invalid column name"),
    "a number that is too large": (error_json("Arithmetic overflow error converting bigint."), "Arithmetic overflow"),
    "no right to read": (error_json("The SELECT permission was denied on 'SpecObj'."), "permission was denied"),
    "with status 200": (error_json("Invalid object name 'x'.", 200), "Invalid object name"),
    "as a page": (page_of("Incorrect syntax near 'TOP'.", 500), "Incorrect syntax near 'TOP'"),
    "of CasJobs": (
        lambda reply: Reply(b'{"Error Code": 400, "Error Message": "Invalid object name"}', 500, "application/json"),
        "Invalid object name",
    ),
    "an address that is too long": (page_of("The length of the query string exceeds the limit", 404), "exceeds"),
    "no entry": (page_of("Forbidden", 403), "Forbidden"),
    "JSON instead of CSV": (lambda reply: Reply(b'[{"TableName": "Table1", "Rows": []}]'), "Table1"),
    "a page to log in": (
        lambda reply: Reply(b'<html><form>Welcome <input type="password"></form></html>', 200, "text/html"),
        "Welcome",
    ),
}


def read(fault: Fault) -> Reading:
    """What an answer with that fault means."""
    reply = fault(Reply(b"#Table1\nnum\n5\n"))
    return read_answer(Answer("http://sky", reply.status, reply.content_type, "", reply.body), ["num"])


@pytest.mark.parametrize("way", WRONG_FOR_GOOD)
def test_an_error_that_stays_is_known_by_its_words(way: str) -> None:
    fault, words = WRONG_FOR_GOOD[way]
    assert read(fault).kind == "final"
    assert words in read(fault).words


@pytest.mark.parametrize("way", ["a row of error_message", "an unknown table", "a page to log in"])
def test_an_error_that_stays_is_quoted_at_once_and_nobody_is_told_to_come_back_later(
    server: FakeSkyServer, tmp_path: Path, way: str
) -> None:
    fault, words = WRONG_FOR_GOOD[way]
    server.faults = [fault]
    message = refuse(server, tmp_path)
    assert words in message
    assert "later" not in message
    assert len(server.queries) == 1


PASSES: dict[str, Fault] = {
    "a deadlock": error_json("Transaction (Process ID 5) was deadlocked on lock resources. Rerun the transaction."),
    "no database": error_json("A network-related or instance-specific error occurred while establishing a connection"),
    "a restart": error_json("Cannot open database 'BestDR14' requested by the login. The login failed."),
    "no memory": error_json("There is insufficient system memory in resource pool 'default' to run this query."),
    "a bug of the service": error_json("Object reference not set to an instance of an object."),
    "an error of no words": page_of("An error occured", 200),
    "no words at all": lambda reply: Reply(b"", 503),
    "nothing, with status 200": lambda reply: Reply(b""),
    "blanks": lambda reply: Reply(b" \r\n\r\n"),
    "maintenance": page_of("SkyServer is down for maintenance"),
    "a gateway": page_of("Bad Gateway", 502),
    "a guard before it": page_of("Web server is down", 521),
    "a page of IIS": page_of("Runtime Error", 500),
    "JSON of IIS": lambda reply: Reply(b'{"Message": "An error has occurred."}', 500, "application/json"),
    "a page in Latin-1": lambda reply: Reply("<html>Dienst gest\xf6rt</html>".encode("latin-1"), 200, "text/html"),
    "a damaged table": changed(lambda body: body[:-2] + b"\xff\xfe" + body[-2:]),
    "half of what was packed": changed(lambda body: gzip.compress(body)[:-20]),
}


@pytest.mark.parametrize("way", PASSES)
def test_an_outage_is_known_by_its_words_and_status(way: str) -> None:
    assert read(PASSES[way]).kind == "again"


@pytest.mark.parametrize("way", ["a deadlock", "maintenance", "nothing, with status 200", "half of what was packed"])
@pytest.mark.parametrize("place", [0, NUM_COUNTS])
def test_an_outage_is_waited_for_and_changes_nothing(
    server: FakeSkyServer, tmp_path: Path, way: str, place: int
) -> None:
    server.faults = [None] * place + [PASSES[way]] * 2
    assert_whole(select(server, tmp_path))
    assert server.queries[place] == server.queries[place + 2]


@pytest.mark.parametrize("way", ["a deadlock", "maintenance"])
def test_an_outage_that_does_not_end_says_to_come_back_later(server: FakeSkyServer, tmp_path: Path, way: str) -> None:
    server.faults = [PASSES[way]] * NETWORK.tries
    assert "Try again later" in refuse(server, tmp_path)
    assert len(server.queries) == NETWORK.tries


def test_a_service_that_asks_for_a_longer_wait_than_allowed_is_left_alone(
    server: FakeSkyServer, tmp_path: Path
) -> None:
    server.faults = [lambda reply: Reply(b"slow down", 429, headers={"Retry-After": "3600"})]
    started = time.monotonic()
    assert "status 429" in refuse(server, tmp_path)
    assert len(server.queries) == 1
    assert time.monotonic() - started < 5


def end_with_commas(body: bytes) -> bytes:
    first, *lines = body.split(b"\n")
    return b"\n".join([first, *(line + b"," if line else line for line in lines)])


def quote(body: bytes) -> bytes:
    rows = list(csv.reader(io.StringIO(body.decode().partition("\n")[2])))
    text = io.StringIO()
    csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(rows)
    return b"#Table1\n" + text.getvalue().encode()


def use_powers(body: bytes) -> bytes:
    """The errors of redshifts as .NET writes them."""
    return body.replace(b",1e-05,", b",1E-05,")


ODD_TABLES: dict[str, Callable[[bytes], bytes]] = {
    "a blank line at the end": lambda body: body + b"\n",
    "blank lines anywhere": lambda body: b"\n \n" + body.replace(b"\n", b"\n\n") + b"\n\n",
    "no line break at the end": lambda body: body.rstrip(b"\n"),
    "no #Table1": lambda body: body.partition(b"\n")[2],
    "none of both": lambda body: body.partition(b"\n")[2].rstrip(b"\n"),
    "another title": lambda body: b"# table 1\n" + body.partition(b"\n")[2],
    "line breaks of Windows": lambda body: body.replace(b"\n", b"\r\n"),
    "a mark of the byte order": lambda body: b"\xef\xbb\xbf" + body,
    "UTF-16": lambda body: body.decode().encode("utf-16"),
    "fields in quotes": quote,
    "a comma at the end of each line": end_with_commas,
    "names in capitals": lambda body: body.split(b"\n")[0] + b"\n" + body.split(b"\n")[1].upper() + b"\n"
    + b"\n".join(body.split(b"\n")[2:]),
    "null for what is missing": lambda body: body.replace(b",,", b",null,").replace(b",,", b",NULL,"),
    "powers of ten": use_powers,
    "packed": gzip.compress,
}  # fmt: skip


@pytest.mark.parametrize("way", ODD_TABLES)
def test_a_whole_table_is_read_however_it_is_written(server: FakeSkyServer, tmp_path: Path, way: str) -> None:
    server.faults = [changed(ODD_TABLES[way])] * 100
    assert_whole(select(server, tmp_path, NETWORK.model_copy(update={"tries": 1})))


def test_a_table_without_an_end_is_not_believed_before_it_has_come_twice(server: FakeSkyServer, tmp_path: Path) -> None:
    cut_by_two, cut_by_one = changed(lambda body: body[:-3]), changed(lambda body: body[:-2])
    server.faults = [None] * NUM_COUNTS + [cut_by_two, cut_by_one]
    assert_whole(select(server, tmp_path))
    assert len(server.pages) == NUM_PAGES + 2


def test_rows_that_old_releases_say_they_have_not_found_are_none(server: FakeSkyServer, tmp_path: Path) -> None:
    server.faults = [None] * (NUM_COUNTS + NUM_PAGES) + [changed(lambda body: b"No objects have been found\n")]
    selection = select(server, tmp_path)
    assert selection.spectra is not None
    assert selection.spectra.empty


def test_answers_that_try_to_keep_the_reader_busy_do_not() -> None:
    hostile = [
        b"<" * 2_000_000,
        b"<script" * 300_000,
        b"{" * 1_000_000,
        b"&" * 1_000_000,
        b"#Table1\n" + b'"' * 999_999,
    ]
    hostile += [b"\n " * 1_000_000, b"#" * 1_000_000, b"," * 1_000_000 + b"\n" + b"," * 1_000_000, b"[" * 1_000_000]
    started = time.process_time()
    for body in hostile:
        for status in (200, 500):
            assert read_answer(Answer("http://x", status, "", "", body), NAMES).kind != "table"
    assert time.process_time() - started < 5
