"""Promises of the stand-in for SkyServer, over real sockets."""

import contextlib
import http.client
import io
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from call import call, refuse
from metalight.errors import RunError
from metalight.simulation import SurveyDesign, draw_population, simulate_survey
from metalight.stand_in import FAULTS, LASTING, OF_QUERIES, Faults, StandIn, serve

SIDE, NUM_GALAXIES = 64, 60
CUTOUT, SEARCH = "/dr18/SkyServerWS/ImgCutout/getjpeg", "/dr18/SkyServerWS/SearchTools/SqlSearch"
OUTSIDE = "Requested (ra, dec) is outside the SDSS footprint."

PAPER_QUERY = """
SELECT G.objID, S.specObjID, G.ra, G.dec, S.z, S.zErr, S.velDisp, G.modelMag_u, G.modelMag_z, G.petroR90_r,
  L.nii_6584_flux, L.h_alpha_flux, L.h_alpha_flux_err, X.d4000_n, E.bptclass, E.oh_p50, E.lgm_tot_p50, E.sfr_tot_p50
FROM SpecObj AS S JOIN Galaxy AS G ON S.bestObjID = G.objID
  JOIN GalSpecLine AS L ON S.specObjID = L.specObjID
  JOIN GalSpecInfo AS I ON S.specObjID = I.specObjID
  JOIN GalSpecIndx AS X ON S.specObjID = X.specObjID
  JOIN GalSpecExtra AS E ON S.specObjID = E.specObjID
WHERE petroMag_r > 10 AND petroMag_r < 18
  AND (modelMag_u - modelMag_r) > 0 AND (modelMag_u - modelMag_r) < 6
  AND modelMag_u > 10 AND modelMag_u < 25 AND modelMag_g > 10 AND modelMag_g < 25
  AND modelMag_r > 10 AND modelMag_r < 25 AND modelMag_i > 10 AND modelMag_i < 25
  AND modelMag_z > 10 AND modelMag_z < 25
  AND rChi2 < 2 AND zErr > 0 AND zErr < 0.01 AND S.z > 0.02 AND oh_p50 != -9999
ORDER BY G.objID, S.specObjID
"""


@pytest.fixture(scope="module")
def survey(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("stand-in") / "survey"
    simulate_survey(NUM_GALAXIES, folder, SurveyDesign(seed=3, side=SIDE), num_processes=1)
    return folder


@pytest.fixture(scope="module")
def catalog(survey: Path) -> pd.DataFrame:
    return pd.read_csv(survey / "catalog.csv")


@pytest.fixture(scope="module")
def server(survey: Path) -> Iterator[StandIn]:
    with serve(survey) as server:
        yield server


class Reply:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.body = response.read()
        self.status, self.reason, self.headers = response.status, response.reason, response.headers
        self.type = (self.headers["Content-Type"] or "").partition(";")[0]

    @property
    def picture(self) -> Image.Image:
        assert self.type == "image/jpeg"
        return Image.open(io.BytesIO(self.body))


def connect(server: StandIn) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(server.url.removeprefix("http://"), timeout=10)


def get(server: StandIn, path: str, **parameters: object) -> Reply:
    with contextlib.closing(connect(server)) as connection:
        connection.request("GET", f"{path}?{urlencode(parameters)}")
        return Reply(connection.getresponse())


def ask_raw(server: StandIn, target: str) -> bytes:
    """Everything that comes over the wire until the server ends the connection."""
    host, port = server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(f"GET {target} HTTP/1.1\r\nHost: sky\r\n\r\n".encode())
        received = b""
        while more := connection.recv(65536):
            received += more
        return received


def frame(galaxy: pd.Series, side: int = SIDE, wider: float = 1.0) -> dict[str, object]:
    """Parameters of a galaxy's cutout, as the authors' script has them."""
    scale = wider * 2 * galaxy["petroR90_r"] / 0.396 / side
    return {"ra": galaxy["ra"], "dec": galaxy["dec"], "scale": scale, "width": side, "height": side, "opt": ""}


def stored(survey: Path, galaxy: pd.Series) -> bytes:
    return (survey / f"images/{int(galaxy['objID'])}.jpg").read_bytes()


def select(server: StandIn, query: str) -> pd.DataFrame:
    reply = get(server, SEARCH, cmd=query, format="csv")
    assert (reply.status, reply.type) == (200, "text/plain"), reply.body
    first, _, table = reply.body.decode().partition("\n")
    assert first == "#Table1"
    return pd.read_csv(io.StringIO(table))


# Cutouts.


def test_stored_images_are_served_byte_for_byte_over_one_connection(
    survey: Path, catalog: pd.DataFrame, server: StandIn
) -> None:
    before = server.counts.get("stored", 0)
    with contextlib.closing(connect(server)) as connection:
        for _, galaxy in catalog.iterrows():
            connection.request("GET", f"{CUTOUT}?{urlencode(frame(galaxy))}")
            reply = Reply(connection.getresponse())
            assert (reply.status, reply.type, reply.body) == (200, "image/jpeg", stored(survey, galaxy))
    assert server.counts["stored"] == before + NUM_GALAXIES


def test_eight_connections_at_once_get_their_own_images(survey: Path, catalog: pd.DataFrame, server: StandIn) -> None:
    wrong = []

    def fetch_all(rows: pd.DataFrame) -> None:
        for _, galaxy in rows.iterrows():
            if get(server, CUTOUT, **frame(galaxy)).body != stored(survey, galaxy):
                wrong.append(galaxy["objID"])

    threads = [threading.Thread(target=fetch_all, args=(catalog.iloc[start::8],)) for start in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("change", [{"wider": 1.25}, {"wider": 1.002}, {"side": 96}])
def test_another_frame_or_size_is_drawn_anew_and_always_alike(
    survey: Path, catalog: pd.DataFrame, server: StandIn, change: dict[str, float]
) -> None:
    galaxy = catalog.iloc[2]
    wanted = frame(galaxy, int(change.get("side", SIDE)), change.get("wider", 1.0))
    first, second = get(server, CUTOUT, **wanted), get(server, CUTOUT, **wanted)
    assert first.body == second.body != stored(survey, galaxy)
    assert first.picture.size == (wanted["width"], wanted["height"])


def test_an_image_that_is_drawn_is_that_of_the_survey(survey: Path, catalog: pd.DataFrame, tmp_path: Path) -> None:
    shutil.copytree(survey, tmp_path / "copy")
    galaxy = catalog.iloc[4].copy()
    (tmp_path / f"copy/images/{int(galaxy['objID'])}.jpg").unlink()
    galaxy["petroR90_r"] = draw_population(1, 3, first=4)["petro_r90_arcsec"].iloc[0]
    with serve(tmp_path / "copy") as server:
        assert get(server, CUTOUT, **frame(galaxy)).body == stored(survey, galaxy)
        assert server.counts == {"drawn": 1}


def test_sizes_are_clipped_and_left_out_ones_are_128(catalog: pd.DataFrame, server: StandIn) -> None:
    place = {"ra": catalog["ra"][0], "dec": catalog["dec"][0]}
    assert get(server, CUTOUT, **place, scale=0.1, width=32, height=4096).picture.size == (64, 2048)
    assert get(server, CUTOUT, **place, scale=0.1, width=-5, height=100).picture.size == (64, 100)
    assert get(server, CUTOUT, **place, taskname="x", unknown="y").picture.size == (128, 128)


@pytest.mark.parametrize(
    "change",
    [
        {"ra": ""},
        {"ra": "ten"},
        {"dec": "nan"},
        {"dec": 91},
        {"scale": 0.0149},
        {"scale": 60.1},
        {"scale": "inf"},
        {"width": "64.5"},
    ],
)
def test_what_makes_no_sense_gets_a_page(catalog: pd.DataFrame, server: StandIn, change: dict[str, object]) -> None:
    reply = get(server, CUTOUT, **{**frame(catalog.iloc[0]), **change})
    assert (reply.status, reply.type) == (500, "text/html")
    assert next(iter(change)) in reply.body.decode()


@pytest.mark.parametrize(("is_old", "status"), [(False, 404), (True, 200)])
def test_outside_the_footprint_is_a_black_picture_with_a_text(survey: Path, *, is_old: bool, status: int) -> None:
    with serve(survey, is_old_release=is_old) as server:
        reply = get(server, CUTOUT, ra=10, dec=-70, width=200, height=100)
        assert reply.status == status
        assert reply.reason == ("OK" if is_old else f"NOT FOUND. {OUTSIDE}")
        assert reply.picture.size == (200, 100)
        levels = np.array(reply.picture)
        assert 0.5 < (levels == 0).mean() < 1
        assert levels.max() > 200
        assert get(server, CUTOUT, ra=10).status == (200 if is_old else 500)


def test_a_gap_of_the_footprint_has_no_images_and_the_rest_has(catalog: pd.DataFrame, survey: Path) -> None:
    galaxy, other = catalog.iloc[0], catalog.iloc[1]
    box = (galaxy["ra"] - 0.1, galaxy["ra"] + 0.1, galaxy["dec"] - 0.1, galaxy["dec"] + 0.1)
    with serve(survey, faults=Faults(gap=box)) as server:
        assert get(server, CUTOUT, **frame(galaxy)).status == 404
        assert get(server, CUTOUT, **frame(other)).status == 200
        assert galaxy["objID"] in select(server, "SELECT objID FROM Galaxy")["objID"].tolist()
    over_zero = Faults(gap=(350, 10, -1, 1))
    assert over_zero.is_in_gap(0, 0)
    assert not over_zero.is_in_gap(180, 0)


def test_where_no_galaxy_is_there_is_sky(catalog: pd.DataFrame, server: StandIn) -> None:
    galaxy = catalog.iloc[0]
    before = server.counts.get("empty sky", 0)
    moved = {**frame(galaxy), "dec": galaxy["dec"] + 0.01}
    empty, full = get(server, CUTOUT, **moved), get(server, CUTOUT, **frame(galaxy))
    assert server.counts["empty sky"] == before + 1
    middle = (slice(24, 40), slice(24, 40))
    assert np.array(empty.picture)[middle].mean() < 0.5 * np.array(full.picture)[middle].mean()
    assert (np.array(empty.picture) == 0).mean() < 0.5


@pytest.mark.parametrize("release", ["dr8", "DR14", "dr19"])
def test_every_release_answers_in_any_case_of_letters(catalog: pd.DataFrame, server: StandIn, release: str) -> None:
    assert get(server, f"/{release}/SkyserverWS/imgcutout/GETJPEG", **frame(catalog.iloc[0])).status == 200


@pytest.mark.parametrize("path", ["/dr7/SkyServerWS/ImgCutout/getjpeg", "/dr20/SkyServerWS/ImgCutout/getjpeg", "/"])
def test_what_is_not_there_is_404_with_a_page(catalog: pd.DataFrame, server: StandIn, path: str) -> None:
    reply = get(server, path, **frame(catalog.iloc[0]))
    assert (reply.status, reply.type) == (404, "text/html")


def make_folder(folder: Path, places: dict[int, tuple[float, float]]) -> Path:
    """A folder of grey images, each of its own level, with positions."""
    (folder / "images").mkdir(parents=True)
    for number, object_id in enumerate(places):
        Image.new("RGB", (80, 80), (20 * number + 10,) * 3).save(folder / f"images/{object_id}.jpg")
    rows = [(object_id, ra, dec, 8.9) for object_id, (ra, dec) in places.items()]
    pd.DataFrame(rows, columns=["objID", "ra", "dec", "oh_p50"]).to_csv(folder / "catalog.csv", index=False)
    return folder


def test_the_nearest_galaxy_is_found_over_ra_0_and_at_the_poles(tmp_path: Path) -> None:
    second = 1 / 3600
    places = {
        1: (0.1 * second, 10.0),
        2: (359.0, 10.0),
        3: (120.0, 90.0 - 0.2 * second),
        4: (40.0, -90.0),
        5: (200.0, 60.0),
    }
    asked = {
        1: (360 - 1.5 * second, 10.0),
        2: (359.0 - 360, 10.0),
        3: (300.0, 90.0 - 0.5 * second),
        4: (222.0, -90.0 + second),
        # 3 arcsec of right ascension are 1.5 on the sky here.
        5: (200.0 + 3 * second, 60.0),
    }
    folder = make_folder(tmp_path / "folder", places)
    with serve(folder) as server:
        for object_id, (ra, dec) in asked.items():
            reply = get(server, CUTOUT, ra=ra, dec=dec, scale=0.3, width=80, height=80)
            assert reply.body == (folder / f"images/{object_id}.jpg").read_bytes()
        assert get(server, CUTOUT, ra=200, dec=60 + 2.1 * second, width=80, height=80).body != reply.body


def test_a_footprint_that_goes_over_ra_0_has_no_other_side(tmp_path: Path) -> None:
    folder = make_folder(tmp_path / "folder", {1: (358.0, 0.0), 2: (2.0, 5.0)})
    with serve(folder) as server:
        assert get(server, CUTOUT, ra=0, dec=2).status == 200
        assert get(server, CUTOUT, ra=180, dec=2).status == 404
        assert get(server, CUTOUT, ra=0, dec=30).status == 404


def test_the_real_sample_comes_back_bit_exact_at_places_that_the_answers_name(shared_folder: Path) -> None:
    sample = shared_folder / "real-sample"
    labels = pd.read_csv(sample / "catalog.csv").set_index("objID")["oh_p50"]
    with serve(sample) as server:
        rows = select(server, PAPER_QUERY).drop_duplicates("objID")
        assert sorted(rows["objID"]) == sorted(labels.index)
        assert (rows["oh_p50"].to_numpy() == labels[rows["objID"]].to_numpy()).all()
        with contextlib.closing(connect(server)) as connection:
            # As objects: a row of numbers alone would make floats of identifiers.
            for _, galaxy in rows.astype(object).iterrows():
                connection.request("GET", f"{CUTOUT}?{urlencode(frame(galaxy, 128))}")
                path = sample / f"images/{int(galaxy['objID'])}.jpg"
                assert Reply(connection.getresponse()).body == path.read_bytes()


# Queries.


def test_the_papers_query_gives_the_survey_and_none_of_what_its_cuts_remove(
    catalog: pd.DataFrame, server: StandIn
) -> None:
    rows = select(server, PAPER_QUERY)
    is_kept = (catalog["petroMag_r"] < 18) & (catalog["z"] > 0.02)
    assert is_kept.sum() > NUM_GALAXIES / 2
    once = rows.drop_duplicates("objID")
    assert once["objID"].tolist() == catalog["objID"][is_kept].tolist()
    for name in ("ra", "dec", "z", "zErr", "modelMag_u", "petroR90_r", "oh_p50", "lgm_tot_p50"):
        assert once[name].tolist() == catalog[name][is_kept].tolist(), name
    assert not rows.isna().any(axis=None)
    # Some have a second spectrum, and those that the cuts remove are there too.
    assert rows["specObjID"].is_unique
    assert 1 <= len(rows) - len(once) <= 3
    everything = select(server, "SELECT objID FROM Galaxy")["objID"]
    assert len(everything) == NUM_GALAXIES + 3
    assert set(catalog["objID"]) < set(everything)


def test_numbers_have_all_their_digits_and_no_exponent(catalog: pd.DataFrame, server: StandIn) -> None:
    reply = get(server, SEARCH, cmd="SELECT TOP 1 bestObjID, specObjID, zErr, zErr / 1000000 AS tiny FROM SpecObj")
    lines = reply.body.decode().splitlines()
    assert lines[:2] == ["#Table1", "bestObjID,specObjID,zErr,tiny"]
    object_id, spectrum_id, error, tiny = lines[2].split(",")
    assert (len(object_id), len(spectrum_id)) == (19, 19)
    assert int(object_id) in catalog["objID"].tolist()
    assert (error, float(tiny)) == ("0.000015", 1.5e-11)
    assert "e" not in tiny.lower()


def test_positions_of_fibres_are_not_those_of_the_photometry(server: StandIn) -> None:
    rows = select(
        server,
        "SELECT G.ra AS ra, G.dec AS dec, I.ra AS fibre_ra, I.dec AS fibre_dec FROM Galaxy G JOIN SpecObj S ON "
        "S.bestObjID = G.objID JOIN galSpecInfo I ON I.specObjID = S.specObjID",
    )
    away_arcsec = 3600 * (rows["dec"] - rows["fibre_dec"]).abs()
    assert 0.02 < away_arcsec.median() < 0.5
    assert (rows["fibre_ra"].astype(np.float32).astype(float) - rows["fibre_ra"]).abs().max() < 1e-12


@pytest.mark.parametrize(
    ("query", "num_rows"),
    [
        ("select top 7 * from dbo.PhotoObj", 7),
        ("SELECT DISTINCT TOP (5) [objID] FROM Galaxy WITH (NOLOCK) -- a few\n", 5),
        ("/* 'quoted' */ SELECT objID FROM Galaxy ORDER BY objID OFFSET 55 ROWS FETCH NEXT 5 ROWS ONLY;", 5),
        ("SELECT count(*) AS number FROM SpecObjAll WHERE class = 'top 5 -- GALAXY'", 1),
        ("SELECT max(OBJID) AS last FROM galaxy JOIN SPECOBJ ON objid = bestobjid", 1),
    ],
)
def test_t_sql_is_understood(server: StandIn, query: str, num_rows: int) -> None:
    assert len(select(server, query)) == num_rows


def test_a_row_limit_cuts_without_a_word(survey: Path) -> None:
    with serve(survey, row_limit=10) as server:
        reply = get(server, SEARCH, cmd="SELECT objID FROM Galaxy ORDER BY objID", format="csv")
        assert (reply.status, len(reply.body.decode().splitlines())) == (200, 12)
        assert len(select(server, "SELECT TOP 3 objID FROM Galaxy")) == 3


@pytest.mark.parametrize(
    "query",
    [
        "",
        "SELECT nonsense FROM Galaxy",
        "SELECT * FROM Nowhere",
        "SELECT objID FROM Galaxy WHERE",
        "DELETE FROM Galaxy",
        "SELECT 1; DELETE FROM Galaxy",
        "SELECT objID INTO mydb.mine FROM Galaxy",
        "DROP TABLE Galaxy",
        "UPDATE Galaxy SET ra = 0",
        "INSERT INTO Galaxy SELECT * FROM Galaxy",
        "PRAGMA query_only = OFF",
        "ATTACH DATABASE '/tmp/x' AS x",
        "WITH c AS (SELECT 1) DELETE FROM Galaxy",
        "SELECT * FROM sqlite_master",
        "SELECT load_extension('x')",
    ],
)
def test_errors_of_queries_and_writes_are_told_as_skyserver_does_and_change_nothing(
    server: StandIn, query: str
) -> None:
    reply = get(server, SEARCH, cmd=query, format="csv")
    if reply.status == 200:
        assert reply.body.decode().splitlines()[1] == "error_message"
    else:
        assert (reply.status, reply.type) == (500, "application/json")
        assert json.loads(reply.body)["ErrorMessage"]
    assert select(server, "SELECT count(*) AS number FROM Galaxy")["number"].item() == NUM_GALAXIES + 3


def test_old_releases_send_errors_of_queries_with_status_200(survey: Path) -> None:
    with serve(survey, is_old_release=True) as server:
        reply = get(server, SEARCH, cmd="SELECT nonsense FROM Galaxy", format="csv")
        assert (reply.status, reply.type) == (200, "text/html")
        assert not reply.body.startswith(b"#Table1")


# Faults on the wire.


@contextlib.contextmanager
def always(survey: Path, kind: str) -> Iterator[StandIn]:
    with serve(survey, faults=Faults({kind: 1.0}, drip_s=0.4, retry_after_s=7)) as server:
        yield server
        assert set(server.counts) == {kind}


def test_fault_429_asks_to_wait(survey: Path, catalog: pd.DataFrame) -> None:
    with always(survey, "429") as server:
        for _ in range(6):  # and never passes when it is certain
            reply = get(server, CUTOUT, **frame(catalog.iloc[0]))
            assert (reply.status, reply.headers["Retry-After"]) == (429, "7")
        assert get(server, SEARCH, cmd="SELECT 1").status == 429


def test_fault_500_has_a_picture_for_a_body_or_a_page_for_a_query(survey: Path, catalog: pd.DataFrame) -> None:
    with always(survey, "500") as server:
        reply = get(server, CUTOUT, **frame(catalog.iloc[0]))
        assert (reply.status, reply.picture.format) == (500, "JPEG")
        assert reply.reason.startswith("INTERNAL SERVER ERROR. ")
        reply = get(server, SEARCH, cmd="SELECT 1")
        assert (reply.status, reply.type) == (500, "text/html")


def test_fault_html_has_status_200(survey: Path, catalog: pd.DataFrame) -> None:
    with always(survey, "html") as server:
        for path, parameters in ((CUTOUT, frame(catalog.iloc[0])), (SEARCH, {"cmd": "SELECT 1"})):
            reply = get(server, path, **parameters)
            assert (reply.status, reply.type) == (200, "text/html")


def test_fault_truncated_promises_more_than_comes(survey: Path, catalog: pd.DataFrame) -> None:
    with always(survey, "truncated") as server, pytest.raises(http.client.IncompleteRead) as cut:
        get(server, CUTOUT, **frame(catalog.iloc[0]))
    whole = stored(survey, catalog.iloc[0])
    assert cut.value.partial == whole[: len(whole) // 2]


def test_fault_longer_brings_more_than_was_promised(survey: Path, catalog: pd.DataFrame) -> None:
    whole = stored(survey, catalog.iloc[0])
    with always(survey, "longer") as server:
        received = ask_raw(server, f"{CUTOUT}?{urlencode(frame(catalog.iloc[0]))}")
        head, _, body = received.partition(b"\r\n\r\n")
        assert body == whole
        assert f"Content-Length: {len(whole) // 2}".encode() in head
        assert get(server, CUTOUT, **frame(catalog.iloc[0])).body == whole[: len(whole) // 2]


def test_fault_size_is_a_sound_picture_of_another_size(survey: Path, catalog: pd.DataFrame) -> None:
    with always(survey, "size") as server:
        assert get(server, CUTOUT, **frame(catalog.iloc[0])).picture.size == (128, 128)
        assert get(server, CUTOUT, **frame(catalog.iloc[0], 128)).picture.size == (64, 64)


def test_fault_reset_resets_the_connection(survey: Path, catalog: pd.DataFrame) -> None:
    with always(survey, "reset") as server, pytest.raises(ConnectionResetError):
        ask_raw(server, f"{CUTOUT}?{urlencode(frame(catalog.iloc[0]))}")


def test_fault_drip_takes_its_time_and_is_right(survey: Path, catalog: pd.DataFrame) -> None:
    with always(survey, "drip") as server:
        started = time.monotonic()
        assert get(server, CUTOUT, **frame(catalog.iloc[0])).body == stored(survey, catalog.iloc[0])
        assert time.monotonic() - started > 0.3


def test_fault_redirect_leads_to_itself(survey: Path, catalog: pd.DataFrame) -> None:
    target = f"{CUTOUT}?{urlencode(frame(catalog.iloc[0]))}"
    with always(survey, "redirect") as server, contextlib.closing(connect(server)) as connection:
        for number in (1, 2, 3):
            connection.request("GET", target)
            reply = Reply(connection.getresponse())
            assert reply.status == 302
            target = reply.headers["Location"]
            assert target == f"{CUTOUT}?{urlencode(frame(catalog.iloc[0]))}&redirected={number}"


def test_a_redirect_that_passes_ends_at_the_image(survey: Path, catalog: pd.DataFrame) -> None:
    with serve(survey, faults=Faults({"redirect": 0.7})) as server:
        for _, galaxy in catalog.iterrows():
            target = f"{CUTOUT}?{urlencode(frame(galaxy))}"
            for _ in range(4):
                with contextlib.closing(connect(server)) as connection:
                    connection.request("GET", target)
                    reply = Reply(connection.getresponse())
                if reply.status == 200:
                    break
                target = reply.headers["Location"]
            assert reply.body == stored(survey, galaxy)
        assert server.counts["redirect"] > NUM_GALAXIES / 2


@pytest.mark.parametrize(("kind", "status"), [("404", 404), ("black", 200)])
def test_faults_that_last_belong_to_galaxies(survey: Path, catalog: pd.DataFrame, kind: str, status: int) -> None:
    def find_hit(**others: float) -> set[int]:
        hit = set()
        with serve(survey, faults=Faults({kind: 0.3, **others}, seed=1)) as server:
            for _ in range(4):
                for _, galaxy in catalog.iterrows():
                    reply = get(server, CUTOUT, **frame(galaxy))
                    if reply.status == status and reply.body != stored(survey, galaxy) and reply.status != 500:
                        assert (np.array(reply.picture) == 0).mean() > 0.5
                        hit.add(int(galaxy["objID"]))
            return hit

    hit = find_hit()
    assert 5 < len(hit) < 30
    assert find_hit(**{"500": 0.3}) == hit


# Faults in time.

MIXED = {kind: 0.12 for kind in FAULTS if kind not in (*LASTING, *OF_QUERIES, "drip", "redirect")}


def try_once(server: StandIn, galaxy: pd.Series) -> bytes | None:
    """The body of an answer that looks right."""
    try:
        reply = get(server, CUTOUT, **frame(galaxy))
        good = reply.status == 200 and reply.type == "image/jpeg" and reply.picture.size == (SIDE, SIDE)
        return reply.body if good and reply.body.endswith(b"\xff\xd9") else None
    except (OSError, http.client.HTTPException):
        return None


def test_faults_pass_when_asked_again_at_most_three_times(survey: Path, catalog: pd.DataFrame) -> None:
    with serve(survey, faults=Faults(MIXED, retry_after_s=0)) as server:
        for _, galaxy in catalog.iterrows():
            bodies = [body for body in (try_once(server, galaxy) for _ in range(4)) if body is not None]
            assert set(bodies) == {stored(survey, galaxy)}
        assert {kind for kind in FAULTS if kind in MIXED} <= set(server.counts)


def test_the_same_seed_fails_alike_and_another_does_not(survey: Path, catalog: pd.DataFrame) -> None:
    def note(seed: int) -> list[bool]:
        with serve(survey, faults=Faults(MIXED, seed=seed)) as server:
            return [try_once(server, galaxy) is None for _, galaxy in catalog.iterrows() for _ in range(2)]

    first = note(5)
    assert note(5) == first != note(6)
    # Six kinds of 0.12 each, less for those after which an answer must be right.
    assert 0.5 < np.mean(first) < 0.9


def test_the_server_tells_what_it_answered(server: StandIn) -> None:
    get(server, CUTOUT, ra="x")
    told = json.loads(get(server, "/counts").body)
    assert told["bad request"] >= 1
    assert set(told) <= set(server.counts)


def test_leaving_the_block_ends_connections_that_are_open_and_answers_that_drip(
    survey: Path, catalog: pd.DataFrame
) -> None:
    with serve(survey, faults=Faults({"drip": 1.0}, drip_s=60)) as server:
        host, port = server.url.removeprefix("http://").split(":")
        connection = socket.create_connection((host, int(port)), timeout=10)
        idle = socket.create_connection((host, int(port)), timeout=10)
        connection.sendall(f"GET {CUTOUT}?{urlencode(frame(catalog.iloc[0]))} HTTP/1.1\r\n\r\n".encode())
        assert connection.recv(10)
        started = time.monotonic()
    assert time.monotonic() - started < 5
    assert idle.recv(10) == b""
    for one in (connection, idle):
        one.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)), timeout=10)


# What is refused, and the command.


@pytest.mark.parametrize(
    ("faults", "message"),
    [
        ({"shares": {"truncate": 0.1}}, "There is no fault 'truncate'. Did you mean 'truncated'?"),
        ({"shares": {"429": -0.1}}, "must be 0 to 1, and is -0.1"),
        ({"shares": {"429": float("nan")}}, "must be 0 to 1, and is nan"),
        ({"shares": {"429": 0.6, "500": 0.6}}, "are 1.2 together"),
        ({"gap": (0, 1, 5, 4)}, "with DEC_MIN below DEC_MAX, not 0 1 5 4"),
    ],
)
def test_faults_that_make_no_sense_are_refused(faults: dict[str, object], message: str) -> None:
    with pytest.raises(RunError, match=message.replace("?", "\\?")):
        Faults(**faults)  # type: ignore[arg-type]


def test_the_command_refuses_what_it_cannot_serve_in_one_sentence(survey: Path, tmp_path: Path) -> None:
    assert "There is no folder" in refuse("simulate", "serve", tmp_path / "nowhere")
    assert "holds no survey: it has no catalog.csv" in refuse("simulate", "serve", tmp_path)
    (tmp_path / "catalog.csv").write_text("objID,oh_p50\n5,8.9\n")
    assert "holds no image files" in refuse("simulate", "serve", tmp_path)
    assert "Did you mean 'reset'?" in refuse("simulate", "serve", survey, "--fault", "resett=0.1")
    assert "is not of the form KIND=SHARE" in refuse("simulate", "serve", survey, "--fault", "reset")
    assert "must be 0 to 1" in refuse("simulate", "serve", survey, "--fault", "reset=2")
    assert "row limit must be at least 1" in refuse("simulate", "serve", survey, "--row-limit", 0)
    with serve(survey) as server:
        port = server.url.rsplit(":", 1)[1]
        assert f"Port {port} cannot be listened on: Address already in use" in refuse(
            "simulate", "serve", survey, "--port", port
        )
    (tmp_path / "simulation.json").write_text("{}")
    assert "cannot be read as the settings of a survey" in refuse("simulate", "serve", tmp_path)


def test_simulate_needs_its_options_and_serve_takes_none_of_them(survey: Path, tmp_path: Path) -> None:
    assert call("simulate").exit_code == 2
    assert "--galaxies" in call("simulate").stderr
    assert "--output" in call("simulate", "--galaxies", 3).stderr
    ended = call("simulate", "--galaxies", 3, "-o", tmp_path / "sky", "serve", survey)
    assert ended.exit_code == 2
    assert not (tmp_path / "sky").exists()


def test_the_command_serves_until_ctrl_c_and_then_tells_what_it_answered(survey: Path) -> None:
    code = "from metalight.cli import main; main()"
    command = [sys.executable, "-u", "-c", code, "simulate", "serve", str(survey), "--fault", "html=1"]
    started = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ)
    assert started.stdout is not None
    with started.stdout as output:
        url = output.readline().split("/dr18")[0]
        with contextlib.closing(http.client.HTTPConnection(url.removeprefix("http://"))) as connection:
            connection.request("GET", f"{SEARCH}?cmd=SELECT+1")
            assert Reply(connection.getresponse()).type == "text/html"
        started.send_signal(signal.SIGINT)
        told = output.read()
    assert started.wait(timeout=10) == 0
    assert f"{NUM_GALAXIES} galaxies, and 3 to be cut" in told
    assert ["html", "1"] in [line.split() for line in told.splitlines()]
