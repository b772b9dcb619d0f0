"""A small SkyServer for tests: real sockets, a real database, and answers that can be told to go wrong."""

import contextlib
import json
import re
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pandas as pd

from metalight.catalog import SKY_SERVER_COLUMNS
from metalight.recipe import NetworkSettings, SkyServerSettings

FIRST_ID = 1237648720693755918
FIRST_SPECTRUM = 299489676975171584
NETWORK = NetworkSettings(first_wait_s=0.01, requests_per_second=0, timeout_s=10)

_TABLE_OF = {"S": "SpecObj", "G": "Galaxy", "L": "galSpecLine", "I": "galSpecInfo", "X": "galSpecIndx"} | {
    "E": "galSpecExtra"
}


@dataclass
class Reply:
    """What is sent back."""

    body: bytes
    status: int = 200
    content_type: str = "text/plain"
    headers: dict[str, str] = field(default_factory=dict)
    promised: int = 0
    """Length that the header tells; 0: that of the body."""


Fault = Callable[[Reply], Reply]


@dataclass
class FakeSkyServer:
    """What a running server was asked, and how it is to misbehave."""

    url: str
    faults: list[Fault | None] = field(default_factory=list)
    """Of the next answers, in turn; None leaves one as it is."""

    most_rows: int = 500_000
    """Rows of an answer, at most; the others are left out without a word."""

    queries: list[str] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    times: list[float] = field(default_factory=list)

    @property
    def pages(self) -> list[str]:
        return [query for query in self.queries if "COUNT" not in query and "SpecObjAll" not in query]

    @property
    def counts(self) -> list[str]:
        return [query for query in self.queries if "COUNT" in query]

    def settings(self, **changes: Any) -> SkyServerSettings:
        wanted: dict[str, Any] = {"base_url": self.url, "queries_per_minute": 0.0, "timeout_s": 10.0} | changes
        return SkyServerSettings(**wanted)


def make_galaxies(num: int, *, seed: int = 1) -> pd.DataFrame:
    """Rows of every column, that pass the paper's cuts, far from each other on the sky."""
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({"objID": FIRST_ID + 3 * np.arange(num), "specObjID": FIRST_SPECTRUM + 7 * np.arange(num)})
    values: dict[str, Any] = {
        column.name: np.round(generator.uniform(0.1, 1.5, num), 5) for column in SKY_SERVER_COLUMNS
    }
    for kind in ("integer", "text"):
        names = [column.name for column in SKY_SERVER_COLUMNS if column.kind == kind]
        values |= {name: np.ones(num, dtype=int) if kind == "integer" else ["GALAXY"] * num for name in names}
    values |= {"subclass": [None if row % 3 else "STARFORMING" for row in range(num)]}
    values |= {"ra": 120 + 0.1 * np.arange(num), "dec": np.linspace(-5, 60, num), "zErr": np.full(num, 1e-5)}
    values |= {
        "z": np.round(generator.uniform(0.03, 0.2, num), 6),
        "oh_p50": np.round(generator.normal(8.9, 0.2, num), 4),
    }
    values |= {f"modelMag_{band}": 18.5 - 0.6 * place for place, band in enumerate("ugriz")}
    values |= {"petroMag_r": np.full(num, 17.0), "fiberMag_r": np.full(num, 17.5), "sn_median": np.full(num, 20.0)}
    return frame.assign(**{name: given for name, given in values.items() if name not in frame.columns})


@contextlib.contextmanager
def serve(galaxies: pd.DataFrame, repeats: pd.DataFrame | None = None) -> Iterator[FakeSkyServer]:
    """A server with these galaxies, and other spectra of them, on a free port of this machine."""
    database = _build_database(galaxies, galaxies.iloc[:0] if repeats is None else repeats)
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked = urlsplit(self.path)
            query = parse_qs(asked.query)["cmd"][0]
            with lock:
                state.times.append(time.monotonic())
                state.queries.append(query)
                state.paths.append(asked.path)
                state.agents.append(self.headers["User-Agent"])
                fault = state.faults.pop(0) if state.faults else None
                reply = _answer(database, query, state.most_rows)
            reply = reply if fault is None else fault(reply)
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.content_type)
            self.send_header("Content-Length", str(reply.promised or len(reply.body)))
            for name, value in reply.headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(reply.body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state = FakeSkyServer(f"http://127.0.0.1:{server.server_address[1]}")
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        database.close()


def _build_database(galaxies: pd.DataFrame, repeats: pd.DataFrame) -> sqlite3.Connection:
    database = sqlite3.connect(":memory:", check_same_thread=False)
    spectra = pd.concat([galaxies.assign(sciencePrimary=1), repeats.assign(sciencePrimary=0)], ignore_index=True)
    for alias, table in _TABLE_OF.items():
        rows = galaxies if alias == "G" else spectra
        columns = {
            column.sql.split(".")[1]: rows[column.name]
            for column in SKY_SERVER_COLUMNS
            if column.sql.startswith(f"{alias}.")
        }
        if alias == "G":
            # An object is there once, whatever spectra are of it.
            pd.DataFrame(columns).drop_duplicates("objID").to_sql(table, database, index=False)
            continue
        links = {"specObjID": rows["specObjID"]}
        if alias == "S":
            links |= {"bestObjID": rows["objID"], "sciencePrimary": rows["sciencePrimary"]}
            table = "SpecObjAll"
        pd.DataFrame(links | columns).to_sql(table, database, index=False)
    database.execute("CREATE VIEW SpecObj AS SELECT * FROM SpecObjAll WHERE sciencePrimary = 1")
    return database


def _answer(database: sqlite3.Connection, query: str, most_rows: int) -> Reply:
    top = re.search(r"\bTOP (\d+)", query)
    sql = query.replace(top[0], "") + f" LIMIT {top[1]}" if top else query
    try:
        cursor = database.execute(sql)
    except sqlite3.Error as error:
        words = f'{{"ErrorCode": 500, "ErrorType": "InternalServerError", "ErrorMessage": "{error}"}}'
        return Reply(words.encode(), 500, "application/json")
    lines = [",".join(name for name, *_ in cursor.description)]
    lines += [",".join("" if value is None else str(value) for value in row) for row in cursor.fetchmany(most_rows)]
    return Reply(("#Table1\n" + "\n".join(lines) + "\n").encode())


def page_of(words: str, status: int = 200) -> Fault:
    """An answer that is a page of HTML."""
    body = f"<html><head><title>Error</title><style>b {{}}</style></head><body><h1>{words}</h1></body></html>"
    return lambda reply: Reply(body.encode(), status, "text/html")


def cut_at(part: float, *, is_promised: bool) -> Fault:
    """An answer that ends early; if promised, its header tells of all of it."""
    return lambda reply: Reply(
        reply.body[: int(part * len(reply.body))], promised=len(reply.body) if is_promised else 0
    )


def error_row(words: str) -> Fault:
    """The table that SkyServer's stored procedure gives for a query that it does not run, quotes not escaped."""
    return lambda reply: Reply(f'#Table1\nerror_message\n"{words}: SELECT \n TOP 5, "x" FROM y "\n'.encode())


QUOTA = error_row("ERROR: Maximum 60 queries allowed per minute. Rejected query")


def error_json(words: str, status: int = 500) -> Fault:
    """What SkyServer makes of an exception."""
    told = {"ErrorCode": status, "ErrorType": "InternalServerError", "ErrorMessage": words, "LogMessageID": None}
    return lambda reply: Reply(json.dumps(told).encode(), status, "application/json")


def changed(change: Callable[[bytes], bytes]) -> Fault:
    """The right answer, but for its bytes."""
    return lambda reply: Reply(change(reply.body))
