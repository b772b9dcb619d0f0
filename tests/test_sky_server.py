"""Promises of selections from SkyServer, over real sockets: no galaxy lost, none changed, and every failure told."""

import gzip
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from metalight.catalog import PAPER_CUTS, SDSS_CUTS, SKY_SERVER_COLUMNS, Selection, build_page_query, select_sky_server
from metalight.catalog.spread import NUM_RANKS, choose_spread, compute_ranks
from metalight.errors import RecipeError, ServiceError
from metalight.recipe import NetworkSettings, load_recipe
from metalight.web import join_query
from sky_server import FIRST_ID, NETWORK, FakeSkyServer, Fault, Reply, cut_at, make_galaxies, page_of, serve

GALAXIES = make_galaxies(50)
NUM_COUNTS = len(PAPER_CUTS) + 1
NONE: list[Fault | None] = [None] * NUM_COUNTS
"""No fault in what is counted."""


@pytest.fixture
def server() -> Iterator[FakeSkyServer]:
    with serve(GALAXIES) as running:
        yield running


def select(server: FakeSkyServer, folder: Path, *, network: NetworkSettings = NETWORK, **changes: Any) -> Selection:
    asked = {name: changes.pop(name) for name in ("cuts", "limit") if name in changes}
    return select_sky_server(
        server.settings(**changes), network, folder=folder / "queries", **{"cuts": PAPER_CUTS, **asked}
    )


def list_kept_rows(folder: Path) -> list[int]:
    """How many galaxies each page had that is kept."""
    texts = [gzip.decompress(file.read_bytes()).decode() for file in (folder / "queries").iterdir()]
    pages = [text for text in texts if "JOIN Galaxy" in text and "SELECT TOP" in text]
    return [len(text.partition("#Table1\n")[2].splitlines()) - 1 for text in pages]


def list_ids(selection: Selection) -> list[int]:
    return selection.table.frame["objID"].tolist()


def refuse(server: FakeSkyServer, folder: Path, **changes: Any) -> str:
    with pytest.raises(ServiceError) as caught:
        select(server, folder, **changes)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("page_size", [1, 7, 49, 50, 51, 100_000])
def test_galaxies_come_in_pages_of_any_size_and_none_is_lost_or_changed(
    server: FakeSkyServer, tmp_path: Path, page_size: int
) -> None:
    frame = select(server, tmp_path, page_size=page_size).table.frame
    assert list(frame.columns) == [column.name for column in SKY_SERVER_COLUMNS]
    pd.testing.assert_frame_equal(frame, GALAXIES[frame.columns], check_dtype=False)
    assert len(server.pages) == -(-50 // page_size)
    assert frame.dtypes[["objID", "specObjID", "run"]].tolist() == [np.int64] * 3


def test_identifiers_of_19_digits_stay_exact(server: FakeSkyServer, tmp_path: Path) -> None:
    ids = list_ids(select(server, tmp_path))
    assert ids == [FIRST_ID + 3 * row for row in range(50)]
    assert int(float(ids[1])) != ids[1]


def test_what_stands_for_a_missing_value_is_missing_and_counts_stay_integers(tmp_path: Path) -> None:
    galaxies = make_galaxies(6).astype({"lgm_tot_p50": float})
    galaxies.loc[1, ["lgm_tot_p50", "petroR90_r"]] = -9999.0
    galaxies.loc[2, "bptclass"] = -9999
    galaxies.loc[3, "velDisp"] = None
    with serve(galaxies) as server:
        frame = select(server, tmp_path, page_size=2).table.frame
    assert frame["lgm_tot_p50"].isna().tolist() == frame["petroR90_r"].isna().tolist() == [False, True] + [False] * 4
    assert frame["bptclass"].isna().tolist() == [row == 2 for row in range(6)]
    assert frame["velDisp"].isna().tolist() == [row == 3 for row in range(6)]
    assert pd.api.types.is_integer_dtype(frame["bptclass"].dtype)
    assert frame["subclass"].isna().tolist() == [False, True, True] * 2


def test_each_cut_is_counted_by_the_database_with_its_reason_and_source(tmp_path: Path) -> None:
    galaxies = make_galaxies(10)
    galaxies.loc[0, "petroMag_r"] = 18.0
    galaxies.loc[1:2, "z"] = [0.02, 0.019]
    galaxies.loc[3, "oh_p50"] = -9999.0
    with serve(galaxies) as server:
        selection = select(server, tmp_path, cuts=("petro_magnitude", "redshift", "metallicity"))
    assert [count.num_left for count in selection.counts] == [10, 9, 7, 6]
    assert [count.cut for count in selection.counts] == [
        "all rows",
        "petroMag_r > 10 and < 18",
        "z > 0.02",
        "has oh_p50",
    ]
    assert selection.counts[0].source == "SkyServer, dr14"
    assert list_ids(selection) == [FIRST_ID + 3 * row for row in range(4, 10)]


def test_two_spectra_of_one_object_are_both_found_where_a_page_ends_between_them(tmp_path: Path) -> None:
    galaxies = make_galaxies(6)
    for column in SKY_SERVER_COLUMNS:
        if column.sql.startswith("G."):
            galaxies[column.name] = galaxies[column.name].to_numpy()[[0, 1, 2, 2, 4, 5]]
    with serve(galaxies) as server:
        selection = select(server, tmp_path, page_size=3)
    assert len(selection.table.frame) == 6
    assert selection.table.frame["specObjID"].tolist() == galaxies["specObjID"].tolist()


def test_a_limit_of_rows_that_the_service_does_not_tell_loses_nothing(server: FakeSkyServer, tmp_path: Path) -> None:
    server.most_rows = 8
    assert list_ids(select(server, tmp_path, page_size=20)) == GALAXIES["objID"].tolist()
    assert len(server.pages) == 7


def test_rows_that_the_service_counts_but_does_not_give_are_noticed(server: FakeSkyServer, tmp_path: Path) -> None:
    def count_more(reply: Reply) -> Reply:
        return Reply(reply.body.replace(b"\n50\n", b"\n60\n"))

    server.faults = [count_more] * NUM_COUNTS
    message = refuse(server, tmp_path)
    assert "gave 50 galaxies, and had counted 60, and counts 50 now. Run the same command to ask again." in message
    assert len(select(server, tmp_path).table.frame) == 50


@pytest.mark.parametrize("limit", [1, 12, 49, 50, 80])
def test_a_limit_takes_those_of_the_lowest_ranks_in_order_and_is_counted(
    server: FakeSkyServer, tmp_path: Path, limit: int
) -> None:
    selection = select(server, tmp_path, limit=limit, page_size=5)
    ids = GALAXIES["objID"].to_numpy()
    assert list_ids(selection) == ids[choose_spread(ids, limit)].tolist()
    told = [(count.cut, count.num_left) for count in selection.counts][NUM_COUNTS:]
    assert told == ([(f"{limit} spread over the sky", limit)] if limit < 50 else [])


def test_a_limit_asks_the_service_for_little_more_than_it_takes(tmp_path: Path) -> None:
    galaxies = make_galaxies(3000)
    with serve(galaxies) as server:
        few, more = (select(server, tmp_path / str(limit), limit=limit) for limit in (40, 100))
        assert "WHERE S.bestObjID%1000003*618033%1000003<" in server.pages[0]
    assert 40 <= sum(list_kept_rows(tmp_path / "40")) < 100
    assert len(few.table.frame) == 40
    assert set(list_ids(few)) < set(list_ids(more))


def test_ranks_that_have_fewer_galaxies_than_they_should_are_widened(tmp_path: Path) -> None:
    galaxies = make_galaxies(300)
    highest = np.argsort(-compute_ranks(galaxies["objID"].to_numpy()))[:60]
    with serve(galaxies.iloc[np.sort(highest)].reset_index(drop=True)) as server:
        selection = select(server, tmp_path, limit=12)
    ids = np.sort(galaxies["objID"].to_numpy()[highest])
    assert list_ids(selection) == ids[choose_spread(ids, 12)].tolist()


def test_asking_again_for_the_same_asks_the_service_nothing(server: FakeSkyServer, tmp_path: Path) -> None:
    first = select(server, tmp_path, page_size=20)
    num_asked = len(server.queries)
    again = select(server, tmp_path, page_size=20)
    pd.testing.assert_frame_equal(again.table.frame, first.table.frame)
    assert again.counts == first.counts
    assert len(server.queries) == num_asked
    select(server, tmp_path, page_size=20, release="dr17")
    assert len(server.queries) == 2 * num_asked
    assert server.paths[-1] == "/dr17/SkyServerWS/SearchTools/SqlSearch"


def test_an_interrupted_selection_goes_on_where_it_was(server: FakeSkyServer, tmp_path: Path) -> None:
    server.faults = [*NONE, None, None] + [page_of("down", 503)] * NETWORK.tries
    assert "down" in refuse(server, tmp_path, page_size=10)
    server.queries.clear()
    assert len(select(server, tmp_path, page_size=10).table.frame) == 50
    assert len(server.counts) == 0
    assert len(server.pages) == 3


def test_what_is_kept_tells_the_query_and_is_asked_for_again_if_it_is_damaged(
    server: FakeSkyServer, tmp_path: Path
) -> None:
    select(server, tmp_path)
    files = sorted((tmp_path / "queries").iterdir())
    assert len(files) == NUM_COUNTS + 2
    texts = [gzip.decompress(file.read_bytes()).decode() for file in files]
    assert all(f"# {server.url}" in text and "# FROM SpecObj" in text and "#Table1" in text for text in texts)
    files[0].write_bytes(files[0].read_bytes()[:-20])
    server.queries.clear()
    assert len(select(server, tmp_path).table.frame) == 50
    assert len(server.queries) == 1


def is_late(reply: Reply) -> Reply:
    time.sleep(0.5)
    return reply


TOO_SLOW: dict[str, Fault] = {
    "by the words of an error": lambda reply: Reply(b'{"ErrorMessage": "Execution Timeout Expired"}', 500),
    "by those of a page with status 200": page_of("The query has timed out"),
    "by the status of a gateway": page_of("Gateway", 504),
    "by the clock": is_late,
}


@pytest.mark.parametrize("way", TOO_SLOW)
@pytest.mark.parametrize("limit", [0, 12])
def test_a_database_that_is_too_slow_to_count_still_gives_its_galaxies(
    server: FakeSkyServer, tmp_path: Path, way: str, limit: int
) -> None:
    slow = NETWORK.model_copy(update={"tries": 2})
    num_faults, timeout_s = (1, 0.3) if way == "by the clock" else (2, 10.0)
    # With a limit, those of the lowest ranks are counted too.
    server.faults = [TOO_SLOW[way]] * (num_faults * (2 if limit else 1))
    selection = select(server, tmp_path, network=slow, page_size=20, timeout_s=timeout_s, limit=limit)
    ids = GALAXIES["objID"].to_numpy()
    assert list_ids(selection) == ids[choose_spread(ids, limit or 50)].tolist()
    counts = [(count.cut, count.num_left) for count in selection.counts]
    assert counts[0][0] == "rows of the query"
    assert counts[-1][1] == (limit or 50)
    assert "the database was too slow to count" in selection.counts[0].why
    assert selection.notes == ("SkyServer was too slow to count all of the galaxies that each cut leaves",)
    if not limit:
        # What takes too long by the clock is not asked for again, and neither are the other counts.
        assert server.counts == server.counts[:1] * num_faults


def test_where_only_the_last_cut_is_counted_the_rows_are_still_checked(server: FakeSkyServer, tmp_path: Path) -> None:
    server.faults = [None, *[TOO_SLOW["by the status of a gateway"]] * NETWORK.tries]
    counts = select(server, tmp_path).counts
    assert [(count.cut, count.num_left) for count in counts] == [("rows of the query", 50)]
    server.faults = [lambda reply: Reply(reply.body.replace(b"50", b"60")), *server.faults]
    server.faults += [TOO_SLOW["by the status of a gateway"]] * NETWORK.tries
    assert "gave 50 galaxies, and had counted 60" in refuse(server, tmp_path / "other")


@pytest.mark.parametrize(
    "fault",
    [
        page_of("The service is overloaded"),
        page_of("Bad gateway", 502),
        lambda reply: Reply(b"", 500),
        lambda reply: Reply(b""),
        lambda reply: Reply(b"slow down", 429, headers={"Retry-After": "0"}),
        cut_at(0.0, is_promised=True),
        cut_at(0.6, is_promised=True),
        cut_at(0.6, is_promised=False),
        cut_at(0.999, is_promised=False),
        lambda reply: Reply(reply.body[:-3]),
        lambda reply: Reply(reply.body.replace(b",", b"", 1)),
    ],
)
def test_what_can_pass_is_asked_for_again_and_changes_nothing(
    server: FakeSkyServer, tmp_path: Path, fault: Any
) -> None:
    server.faults = [*NONE, fault, None, fault]
    pd.testing.assert_frame_equal(
        select(server, tmp_path, page_size=30).table.frame,
        GALAXIES[[column.name for column in SKY_SERVER_COLUMNS]],
        check_dtype=False,
    )
    assert len(server.pages) == 4


def test_a_page_cut_off_between_two_rows_loses_none(server: FakeSkyServer, tmp_path: Path) -> None:
    server.faults = [*NONE, lambda reply: Reply(b"\n".join(reply.body.split(b"\n")[:20]) + b"\n")]
    assert list_ids(select(server, tmp_path)) == GALAXIES["objID"].tolist()
    assert len(server.pages) == 2


def test_a_wait_that_the_service_asks_for_is_obeyed(server: FakeSkyServer, tmp_path: Path) -> None:
    server.faults = [lambda reply: Reply(b"slow down", 429, headers={"Retry-After": "1"})]
    select(server, tmp_path, cuts=())
    assert server.times[1] - server.times[0] >= 1.0


@pytest.mark.parametrize("status", [200, 400])
def test_an_error_in_the_query_is_told_in_the_words_of_the_service_and_not_asked_again(
    server: FakeSkyServer, tmp_path: Path, status: int
) -> None:
    server.faults = [page_of("Incorrect syntax near <b>'TOP'</b> &amp; more", status)]
    message = refuse(server, tmp_path)
    assert "'Incorrect syntax near 'TOP' & more'" in message
    assert "Check [skyserver] base_url and release." in message
    assert len(server.queries) == 1


def test_a_page_instead_of_a_table_with_status_200_is_told_after_all_tries(
    server: FakeSkyServer, tmp_path: Path
) -> None:
    server.faults = [page_of("SkyServer is down for maintenance " * 40)] * NETWORK.tries
    message = refuse(server, tmp_path)
    assert "it answered with something else than a table, 'SkyServer is down for maintenance" in message
    assert message.endswith("…', 6 times. Try again later: what it has answered so far is kept.")
    assert len(message) < 500
    assert len(server.queries) == 6


def test_an_error_in_json_is_told_by_its_message(server: FakeSkyServer, tmp_path: Path) -> None:
    words = b'{"ErrorCode": 500, "ErrorType": "InternalServerError", "ErrorMessage": "The server is busy"}'
    server.faults = [lambda reply: Reply(words, 500, "application/json")] * NETWORK.tries
    message = refuse(server, tmp_path)
    assert "status 500 (Internal Server Error), 'The server is busy', 6 times" in message


def test_a_service_that_is_not_there_is_told(server: FakeSkyServer, tmp_path: Path) -> None:
    settings = server.settings(base_url="http://127.0.0.1:9")
    with pytest.raises(ServiceError, match=r"gives no galaxies: the connection failed.*Try again later"):
        select_sky_server(settings, NETWORK, cuts=(), folder=tmp_path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda body: body.replace(b"petroR90_r", b"petroR91_r"), "has no column 'petroR90_r'"),
        (lambda body: body.replace(b"1237648720693755921", b"1.237648720693756E18"), "decimal numbers"),
        (lambda body: re.sub(rb"\n(1237648720693755918,[^\n]*)\n([^\n]*)", rb"\n\2\n\1", body), "not in the order"),
        (lambda body: body.replace(b"GALAXY", b"9").replace(b",1,", b",1.5,"), "does not hold integers"),
    ],
)
def test_a_table_that_is_not_what_was_asked_for_is_refused_and_not_kept(
    server: FakeSkyServer, tmp_path: Path, change: Any, message: str
) -> None:
    server.faults = [*NONE, lambda reply: Reply(change(reply.body))]
    assert message in refuse(server, tmp_path)
    assert len(select(server, tmp_path).table.frame) == 50


def test_queries_begin_no_faster_than_the_service_allows(server: FakeSkyServer, tmp_path: Path) -> None:
    select(server, tmp_path, cuts=("redshift",), page_size=25, queries_per_minute=600.0)
    assert len(server.times) == 5
    # Each arrives a little after it has begun, on a busy machine the first one more so than the last.
    assert server.times[-1] - server.times[0] >= 0.3


def test_the_service_of_sdss_is_never_asked_faster_than_it_allows() -> None:
    assert load_recipe("paper").skyserver.queries_per_minute == 60
    for given in ("61", "0"):
        with pytest.raises(RecipeError, match=r"skyserver\.sdss\.org allows up to 60 queries_per_minute"):
            load_recipe("paper", [f"skyserver.queries_per_minute={given}"])


def test_every_request_says_who_asks(server: FakeSkyServer, tmp_path: Path) -> None:
    select(server, tmp_path, cuts=(), network=NETWORK.model_copy(update={"contact": "me@example.org"}))
    assert all(re.fullmatch(r"metalight/\S+ \(me@example\.org\)", agent) for agent in server.agents)


def test_the_longest_query_fits_into_the_address_that_servers_of_that_kind_take() -> None:
    query = build_page_query(list(SDSS_CUTS), 500_000, (2**63 - 1, 2**63 - 1), ranks_below=NUM_RANKS - 1)
    address = join_query("https://skyserver.sdss.org/", {"cmd": query, "format": "csv"})
    assert len(address.partition("?")[2]) < 2048


def test_galaxies_come_from_the_release_of_the_paper_and_another_one_is_told_to_lack_some(
    server: FakeSkyServer, tmp_path: Path
) -> None:
    assert load_recipe("paper").skyserver.release == load_recipe("paper-code").skyserver.release == "dr14"
    assert not select(server, tmp_path).notes
    assert server.paths[-1] == "/dr14/SkyServerWS/SearchTools/SqlSearch"
    [note] = select(server, tmp_path, release="dr18").notes
    assert "dr18" in note
    assert "BOSS" in note


def test_positions_are_those_of_the_photometry_and_not_of_fibres() -> None:
    sql = {column.name: column.sql for column in SKY_SERVER_COLUMNS}
    assert (sql["ra"], sql["dec"]) == ("G.ra", "G.dec")
