"""Promises of the stand-in as to queries: no query and no client takes it over, and selections survive its faults."""

import contextlib
import json
import resource
import socket
import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metalight.catalog import Selection, select_sky_server
from metalight.errors import ServiceError
from metalight.recipe import NetworkSettings, SkyServerSettings
from metalight.stand_in import FAULTS, OF_QUERIES, Faults, StandIn, database, serve, server
from metalight.stand_in.database import Database
from metalight.stand_in.sky import load_sky
from metalight.stand_in.sql_search import SqlSearch
from metalight.stand_in.t_sql import QueryRefusedError, translate

NETWORK = NetworkSettings(first_wait_s=0.01, requests_per_second=0, timeout_s=10)
CUTS = ("redshift", "metallicity", "z_warning", "photometry_clean")
NUM_GALAXIES = 400
FIRST_ID = 1237648720693755918


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Galaxies of which there is one image."""
    folder = tmp_path_factory.mktemp("stand-in")
    (folder / "images").mkdir()
    ids = [FIRST_ID + 7 * number for number in range(NUM_GALAXIES)]
    for object_id in ids:
        (folder / "images" / f"{object_id}.jpg").write_bytes(b"\xff\xd8\xff\xd9")
    pd.DataFrame({"objID": ids, "oh_p50": 8.9}).to_csv(folder / "catalog.csv", index=False)
    return folder


@pytest.fixture(scope="module")
def tables(folder: Path) -> Iterator[Database]:
    tables = Database(load_sky(folder))
    yield tables
    tables.close()


def select(server: StandIn, folder: Path) -> Selection:
    wanted = SkyServerSettings(base_url=server.url, queries_per_minute=0, timeout_s=10, page_size=100)
    return select_sky_server(wanted, NETWORK, cuts=CUTS, folder=folder / "queries")


def ask(tables: Database, query: str) -> list[tuple[object, ...]]:
    with tables.select(query, 500_000) as (_, rows):
        return list(rows)


# Selections.


@pytest.fixture(scope="module")
def clean(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Selection:
    with serve(folder) as running:
        return select(running, tmp_path_factory.mktemp("clean"))


@pytest.mark.parametrize("kind", sorted({*OF_QUERIES, "429", "500", "html", "truncated", "reset", "longer"} - {"sql"}))
def test_a_selection_is_the_same_through_every_fault_of_queries(
    folder: Path, clean: Selection, tmp_path: Path, kind: str
) -> None:
    with serve(folder, faults=Faults({kind: 0.6}, retry_after_s=0)) as running:
        found = select(running, tmp_path)
        assert running.counts[kind] >= 3
    pd.testing.assert_frame_equal(found.table.frame, clean.table.frame)
    assert found.counts == clean.counts


def test_an_error_of_the_database_ends_a_selection_and_it_goes_on_later(
    folder: Path, clean: Selection, tmp_path: Path
) -> None:
    with serve(folder, faults=Faults({"sql": 1.0})) as running:
        with pytest.raises(ServiceError) as caught:
            select(running, tmp_path)
        assert running.counts == {"sql": 1}
    assert "Invalid object name 'galSpecExtra'" in str(caught.value)
    assert "later" not in str(caught.value)
    with serve(folder) as running:
        pd.testing.assert_frame_equal(select(running, tmp_path).table.frame, clean.table.frame)


def test_flags_of_redshift_and_photometry_cut_and_are_counted(clean: Selection) -> None:
    counts = [count.num_left for count in clean.counts]
    assert counts == sorted(counts, reverse=True)
    assert counts[2] > counts[3] > counts[4] == len(clean.table.frame)
    assert (clean.table.frame[["zWarning", "clean"]] == [0, 1]).all(axis=None)


# Queries.

TOO_MUCH = {
    "a long blob": "SELECT zeroblob(1000000000)",
    "a long text": "SELECT hex(zeroblob(900000000))",
    "a text of texts": f"SELECT {'||'.join(['a'] * 32)} FROM (SELECT {'||'.join(['b'] * 32)} AS a FROM "
    f"(SELECT {'||'.join(['c'] * 32)} AS b FROM (SELECT {'||'.join(['d'] * 32)} AS c FROM (SELECT 'x' AS d))))",
    "a long text in pieces": f"SELECT '{'a' * 9_000}' || '{'a' * 9_000}'",
    "replaced": "SELECT replace('aaaaaaaa', 'a', 'aaaaaaaa')",
    "printed": "SELECT printf('%1000000d', 1)",
    "put together": "SELECT group_concat(objID) FROM Galaxy",
    "drawn at random": "SELECT randomblob(100000000)",
    "all with all": "SELECT COUNT(*) FROM Galaxy a, Galaxy b, Galaxy c, Galaxy d, Galaxy e",
    "all with most": "SELECT COUNT(*) FROM Galaxy a JOIN Galaxy b ON a.objID > b.objID JOIN Galaxy c ON a.run > c.run",
    "all with all, sorted": "SELECT TOP 5 a.objID FROM Galaxy a, Galaxy b, Galaxy c ORDER BY b.ra + c.ra",
    "all with all, once": "SELECT DISTINCT a.ra + b.ra FROM Galaxy a, Galaxy b, Galaxy c",
    "all with all, hidden": "SELECT COUNT(*) FROM (SELECT ra FROM Galaxy) a, (SELECT ra FROM Galaxy) b",
    "without end": "SELECT * FROM (WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n)",
    "one after the other": "SELECT 1 UNION ALL SELECT 2",
    "a slow pattern": "SELECT 1 FROM Galaxy WHERE 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa' LIKE '%a%a%a%a%a%a%a%a%a%a%b'",
    "another slow pattern": "SELECT 1 WHERE 'aaaaaaaaaaaaaaaaaaaa' GLOB '*a*a*a*a*a*a*a*b'",
    "JSON": "SELECT json_array(1, 2)",
    "a table of JSON": "SELECT * FROM json_each('[1, 2]')",
    "a table of settings": "SELECT * FROM pragma_database_list",
    "its schema": "SELECT sql FROM sqlite_schema",
    "an extension": "SELECT load_extension('x')",
    "among many": "SELECT COUNT(*) FROM Galaxy a" + "".join(f" JOIN Galaxy g{n} ON g{n}.run=a.run" for n in range(60)),
    "a name used often": f"SELECT ra IN ({'ra,' * 600}1) AS x FROM Galaxy WHERE x IN ({'x,' * 900}1)",
    "deep": f"SELECT {'(' * 400}1{')' * 400}{'+1' * 400}",
    "long": f"SELECT {'1,' * 60_000}1",
    "many columns": f"SELECT {'1,' * 900}1",
    "a large number": f"SELECT TOP {'9' * 5000} objID FROM Galaxy",
    "a null character": "SELECT '\0'",
    "a comment without end": "SELECT 1 /*",
}


@pytest.mark.parametrize("way", TOO_MUCH)
def test_a_query_that_asks_for_too_much_is_refused_at_once(folder: Path, tables: Database, way: str) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    with pytest.raises((sqlite3.Error, QueryRefusedError, MemoryError)):  # the last is of SQLite's own limits
        ask(tables, TOO_MUCH[way])
    assert time.process_time() - started < 2
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 100_000  # kB
    assert len(ask(tables, "SELECT objID FROM Galaxy")) > NUM_GALAXIES


@pytest.mark.parametrize(
    "piece", ["/*-", "/*", "'", '"', "[", "--", "*/", "with(", "dbo.", "offset 1 ", ";", "\n", "- "]
)
def test_preparing_a_query_takes_a_time_that_grows_with_its_length_alone(piece: str) -> None:
    started = time.process_time()
    with contextlib.suppress(QueryRefusedError):
        translate("SELECT " + piece * (3_900 // len(piece)), 5)
    with contextlib.suppress(QueryRefusedError):
        translate("SELECT " + piece * 3_000_000, 5)
    assert time.process_time() - started < 0.5


def test_a_query_that_takes_too_long_ends_as_a_time_out(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(database, "_LONGEST_QUERY_S", 0.2)
    search = SqlSearch(load_sky(folder))
    monkeypatch.setattr(Database, "_refuse_pairs", lambda *_: None)
    slow = "SELECT COUNT(*) AS n FROM Galaxy a, Galaxy b, Galaxy c WHERE a.ra + b.ra > c.dec"
    started = time.monotonic()
    answer = search.answer({"cmd": slow})
    assert time.monotonic() - started < 5
    assert answer.status == 500
    assert "Timeout" in json.loads(answer.body)["ErrorMessage"]
    assert search.answer({"cmd": "SELECT 1 AS one"}).status == 200
    search.close()


def test_answers_have_no_more_rows_than_the_limit_whatever_the_query_says(tables: Database) -> None:
    for query in (
        "SELECT objID FROM Galaxy",
        "SELECT TOP 99 objID FROM Galaxy",
        "SELECT objID FROM Galaxy OFFSET 1 ROWS",
    ):
        with tables.select(query, 7) as (_, rows):
            assert len(list(rows)) == 7


@given(text=st.text(st.sampled_from("'\"[]/*- \nselectSELECTfromgalaxyGalaxyobjIDtop5();,=<>|0"), max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_text_is_answered_or_refused_and_no_bug(tables: Database, text: str) -> None:
    with contextlib.suppress(sqlite3.Error, sqlite3.Warning, QueryRefusedError):
        ask(tables, f"SELECT {text}")


# Connections.


def connect(server: StandIn) -> socket.socket:
    host, port = server.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def test_a_client_that_sends_its_request_byte_by_byte_is_let_go(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "_LONGEST_ARRIVAL_S", 0.3)
    with serve(folder) as running, connect(running) as connection:
        started = time.monotonic()
        with contextlib.suppress(OSError):
            while time.monotonic() - started < 10:
                connection.sendall(b"G")
                connection.settimeout(0.05)
                with contextlib.suppress(TimeoutError):
                    if not connection.recv(100):
                        break
        assert time.monotonic() - started < 5


def test_more_connections_than_there_may_be_are_ended_and_others_go_on(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_MOST_CONNECTIONS", 3)
    with serve(folder) as running:
        held = [connect(running) for _ in range(3)]
        for connection in held:
            connection.sendall(b"GET /counts HTTP/1.1\r\n\r\n")
            assert connection.recv(100).startswith(b"HTTP/1.1 200")
        with connect(running) as another, contextlib.suppress(ConnectionResetError):
            assert another.recv(100) == b""
        held.pop().close()
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            with connect(running) as another, contextlib.suppress(OSError):
                another.sendall(b"GET /counts HTTP/1.1\r\nConnection: close\r\n\r\n")
                if another.recv(100).startswith(b"HTTP/1.1 200"):
                    break
        else:
            pytest.fail("no connection is free again")
        for connection in held:
            connection.close()


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        (b"GET /" + b"a" * 100_000, 414),
        (b"GET /dr14/SkyServerWS/SearchTools/SqlSearch?" + b"a=1&" * 200, 400),
        (b"GET /a\nSet-Cookie:x", 400),
        (b"GET /dr" + b"9" * 5000 + b"/SkyServerWS/SearchTools/SqlSearch", 404),
        (b"POST /", 405),
    ],
)
def test_an_odd_request_gets_a_status_and_no_bug(folder: Path, request_line: bytes, status: int) -> None:
    with serve(folder) as running, connect(running) as connection:
        with contextlib.suppress(OSError):
            connection.sendall(request_line + b" HTTP/1.1\r\nConnection: close\r\n\r\n")
        assert connection.recv(100).startswith(f"HTTP/1.1 {status} ".encode())
        assert "bug" not in running.counts


def test_every_fault_says_what_it_is() -> None:
    assert set(OF_QUERIES) < set(FAULTS)
    assert all(FAULTS.values())
