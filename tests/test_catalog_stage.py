"""Promises of the catalogue's stage: cuts that a recipe names are made, counted with their sources, and told."""

import contextlib
import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from astropy import units
from astropy.coordinates import SkyCoord

from call import change_catalog, refuse_run, run
from metalight.catalog import SKY_SERVER_COLUMNS
from metalight.catalog.repeats import find_repeats
from metalight.tables import Table, load_table
from sky_server import FakeSkyServer, Reply, make_galaxies, page_of, serve


def load_cuts(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "run" / "cuts.csv")


def test_named_cuts_apply_to_the_user_s_own_table_and_are_told_with_reason_source_and_count(sample: Path) -> None:
    change_catalog(sample, z=[0.02] * 3 + [0.07] * 37)
    output = run(sample, "--only", "catalog", "--set", 'catalog.cuts=["redshift", "metallicity"]')
    assert "37 of 40 galaxies pass the cuts and have oh_p50; 3 refused: 3 × z is not above 0.02" in output
    cuts = load_cuts(sample)
    assert cuts["cut"].tolist() == ["all rows", "z > 0.02", "has oh_p50"]
    assert cuts["num_left"].tolist() == [40, 37, 37]
    assert cuts["source"].tolist()[0] == "[catalog] path"
    assert cuts["source"].str.contains("Wu & Boada 2019").tolist() == [False, True, True]


def test_a_recipe_for_the_user_s_own_table_has_no_cuts_unless_it_names_them(sample: Path) -> None:
    assert "40 of 40 galaxies have oh_p50" in run(sample, "--only", "catalog")
    assert load_cuts(sample)["cut"].tolist() == ["all rows", "has oh_p50"]
    message = refuse_run(sample, "--only", "catalog", "--set", 'catalog.cuts=["redshift"]')
    assert "has no column 'z', which the cut 'redshift' of [catalog] cuts names" in message


def test_a_limit_takes_the_first_rows_and_is_counted(sample: Path) -> None:
    assert "12 of 40 galaxies have oh_p50" in run(sample, "--only", "catalog", "--set", "catalog.limit=12")
    assert load_cuts(sample)["cut"].tolist() == ["all rows", "the first 12", "has oh_p50"]
    assert load_cuts(sample)["num_left"].tolist() == [40, 12, 12]


SKY = """
preset = "paper"
catalog.source = "skyserver"
skyserver.queries_per_minute = 0.0
network.first_wait_s = 0.01
cutouts.folder = "images"
model.weights = "none"
"""


@pytest.fixture
def sky(tmp_path: Path) -> Iterator["Sky"]:
    """Serves galaxies, and writes a recipe that selects them."""
    with contextlib.ExitStack() as running:

        def start(*spectra: pd.DataFrame) -> FakeSkyServer:
            server = running.enter_context(serve(*spectra))
            (tmp_path / "recipe.toml").write_text(SKY + f'skyserver.base_url = "{server.url}"\n')
            return server

        yield start


Sky = Callable[..., FakeSkyServer]


def test_a_selection_becomes_the_catalogue_with_every_galaxy_kept_or_refused_with_its_reason(
    sky: Sky, tmp_path: Path
) -> None:
    galaxies = make_galaxies(30)
    galaxies.loc[0, "z"] = 0.02
    galaxies["sn_median"] = 20.0 - 0.1 * np.arange(30)
    galaxies.loc[5, ["ra", "dec"]] = [galaxies["ra"][4], galaxies["dec"][4] + 2.9 / 3600]
    galaxies.loc[7, ["ra", "dec"]] = [galaxies["ra"][6], galaxies["dec"][6] + 3.1 / 3600]
    galaxies.loc[9, "petroMag_r"] = 10.0
    server = sky(galaxies)
    output = run(tmp_path, "--only", "catalog")
    assert "27 of 30 galaxies pass the cuts and have oh_p50; 1 refused: 1 × lies within 3 arcsec of a galaxy" in (
        output
    )
    catalog = load_table(tmp_path / "run" / "catalog.parquet")
    kept = galaxies.drop(index=[0, 5, 9])
    assert catalog.frame["object_id"].tolist() == kept["objID"].tolist()
    assert catalog.frame["oh_p50"].tolist() == kept["oh_p50"].tolist()
    assert catalog.frame["ra"].tolist() == kept["ra"].tolist()
    assert catalog.info["petroR90_r"].unit == "arcsec"
    refused = pd.read_csv(tmp_path / "run" / "refused" / "catalog.csv")
    assert refused["object_id"].tolist() == [galaxies["objID"][5]]
    cuts = load_cuts(tmp_path)
    assert cuts["num_left"].tolist() == [30, 29, 29, 29, 29, 29, 28, 28, 27]
    assert cuts["cut"].tolist()[-2:] == ["has oh_p50", "once on the sky"]
    assert cuts["source"].notna().all()
    provenance = json.loads((tmp_path / "run" / "provenance.json").read_text())
    assert provenance["selection"]["service"] == f"{server.url}/dr14/SkyServerWS/SearchTools/SqlSearch"
    assert provenance["selection"]["query"] in (tmp_path / "run" / "query.sql").read_text()
    assert "FROM SpecObj AS S" in provenance["selection"]["query"]


def test_a_selection_that_is_done_is_not_made_again_unless_the_query_changes(sky: Sky, tmp_path: Path) -> None:
    server = sky(make_galaxies(30))
    run(tmp_path, "--only", "catalog")
    server.queries.clear()
    run(tmp_path, "--only", "catalog")
    assert server.queries == []
    assert "12 of 30 galaxies" in run(tmp_path, "--only", "catalog", "--limit", 12)
    assert len(server.pages) == 1
    run(tmp_path, "--only", "catalog", "--set", 'catalog.cuts=["redshift"]')
    assert "WHERE S.z>0.02\nORDER" in server.pages[-1]


def test_a_selection_that_is_killed_goes_on_with_what_it_has(sky: Sky, tmp_path: Path) -> None:
    server = sky(make_galaxies(30))
    started: list[subprocess.Popen[bytes]] = []

    def kill(reply: Reply) -> Reply:
        started[0].kill()
        return reply

    in_pages = ("--only", "catalog", "--set", "skyserver.page_size=10")
    command = ["run", str(tmp_path / "recipe.toml"), "--run-dir", str(tmp_path / "run"), *in_pages]
    server.faults = [*[None] * 10, kill]  # in the third page, after eight counts
    started.append(subprocess.Popen([sys.executable, "-c", "from metalight.cli import main; main()", *command]))
    assert started[0].wait(timeout=120) == -signal.SIGKILL
    assert not (tmp_path / "run" / "catalog.parquet").exists()
    server.queries.clear()
    assert "30 of 30 galaxies" in run(tmp_path, *in_pages)
    assert len(server.counts) == 0
    assert len(server.pages) == 1


def test_of_two_spectra_of_one_galaxy_the_better_one_makes_the_galaxy_and_the_other_is_a_repeat(
    sky: Sky, tmp_path: Path
) -> None:
    galaxies = make_galaxies(10)
    for column in SKY_SERVER_COLUMNS:
        if column.sql.startswith("G."):
            galaxies[column.name] = galaxies[column.name].to_numpy()[[0, 1, 2, 2, 4, 5, 6, 7, 8, 9]]
    galaxies.loc[3, ["sn_median", "z"]] = [25.0, galaxies["z"][2]]
    sky(galaxies)
    output = run(tmp_path, "--only", "catalog")
    assert "9 of 10 galaxies pass the cuts and have oh_p50; one other spectrum of them; label noise" in output
    catalog = pd.read_parquet(tmp_path / "run/catalog.parquet")
    assert catalog["object_id"].tolist() == galaxies["objID"].drop_duplicates().tolist()
    assert catalog["specObjID"][2] == galaxies["specObjID"][3]
    # The galaxy is there, so that it is not listed among those that are not.
    assert len(pd.read_csv(tmp_path / "run/refused/catalog.csv")) == 0
    repeats = pd.read_parquet(tmp_path / "run/repeats.parquet")
    assert repeats["specObjID"].tolist() == galaxies["specObjID"][[3, 2]].tolist()
    assert repeats["is_selected"].tolist() == [True, False]


def test_other_spectra_of_the_galaxies_become_repeats_that_tell_the_label_noise(sky: Sky, tmp_path: Path) -> None:
    galaxies = make_galaxies(30)
    galaxies.loc[2, "specObjID"] = (266 << 50) + (2 << 38) + (1602 << 24)
    again = galaxies.iloc[[2, 4, 4, 6, 8, 10]].reset_index(drop=True)
    again["specObjID"] += [10**9, 10**9, 2 * 10**9, 10**9, 10**9, 10**9]
    again["oh_p50"] += [0.02, -0.02, 0.03, 0.01, 0.05, 0.01]
    again["z"] += [0, 0, 0, 0.01, 0, 0]  # of a galaxy behind it
    again.loc[4, "oh_p50"] = -9999.0
    again["objID"] += [0, 0, 0, 0, 0, 1]  # of a galaxy that is not in the catalogue
    sky(galaxies, again)
    output = run(tmp_path, "--only", "catalog")
    assert "30 of 30 galaxies pass the cuts and have oh_p50; label noise 0.0" in output
    repeats = pd.read_parquet(tmp_path / "run/repeats.parquet")
    expected = pd.concat([galaxies.iloc[[2]], again.iloc[[0]], galaxies.iloc[[4]], again.iloc[[1, 2]]])
    for ours, theirs in (("object_id", "objID"), ("specObjID", "specObjID"), ("oh_p50", "oh_p50"), ("redshift", "z")):
        assert repeats[ours].tolist() == expected[theirs].tolist()
    assert repeats["is_selected"].tolist() == [True, False, True, False, False]
    assert repeats["plate_mjd_fibre"][0] == "0266-51602-0002"
    # They are of what the stage makes: if they are lost, it is not done.
    stages = json.loads((tmp_path / "run/stages.json").read_text())
    assert "repeats.parquet" in stages["catalog"]["outputs"]


def test_a_selection_does_without_the_spectra_that_the_service_does_not_give(sky: Sky, tmp_path: Path) -> None:
    server = sky(make_galaxies(10))
    server.faults = [*[None] * 9, page_of("Invalid column name 'sciencePrimary'")]
    output = run(tmp_path, "--only", "catalog")
    assert (
        "10 of 10 galaxies pass the cuts and have oh_p50; which galaxies were measured again is not known: http"
        in output
    )
    assert "'Invalid column name 'sciencePrimary''" in output
    assert not (tmp_path / "run/repeats.parquet").exists()


def test_a_value_that_the_database_lets_pass_is_looked_at_again(sky: Sky, tmp_path: Path) -> None:
    galaxies = make_galaxies(10)
    galaxies.loc[4, "rChi2"] = -9999.0
    sky(galaxies)
    assert "9 of 10 galaxies pass the cuts and have oh_p50; 1 refused: 1 × has no rChi2" in (
        run(tmp_path, "--only", "catalog")
    )
    cuts = load_cuts(tmp_path)
    assert cuts["cut"].tolist()[-2:] == ["once on the sky", "rChi2 < 2"]
    assert cuts["num_left"].tolist()[-2:] == [10, 9]


def test_a_column_that_a_selection_does_not_have_is_refused_before_anything_is_asked(sky: Sky, tmp_path: Path) -> None:
    server = sky(make_galaxies(10))
    message = refuse_run(tmp_path, "--set", 'catalog.targets=["oh_50"]')
    assert "has no column 'oh_50', which [catalog] targets names. Did you mean 'oh_p50'?" in message
    assert "names no files of images" in refuse_run(tmp_path, "--set", "catalog.file_name=image")
    assert server.queries == []


def test_a_service_that_fails_ends_the_run_with_one_sentence(sky: Sky, tmp_path: Path) -> None:
    server = sky(make_galaxies(10))
    server.faults = [page_of("Invalid object name 'galSpecLine'")]
    message = refuse_run(tmp_path, "--only", "catalog")
    assert "gives no galaxies: it answered with something else than a table, 'Invalid object name" in message


def test_a_path_makes_the_catalogue_a_table_whatever_the_source(sample: Path) -> None:
    assert "40 of 40 galaxies have oh_p50" in run(sample, "--only", "catalog", "--set", "catalog.source=skyserver")
    assert not (sample / "run" / "query.sql").exists()


@pytest.mark.parametrize(("apart_arcsec", "num_left"), [(2.999, 1), (3.001, 2)])
@pytest.mark.parametrize(
    ("ra", "dec", "is_across"),
    [(180.0, 0.0, True), (359.9999, 0.0, True), (0.0, 60.0, True), (10.0, 89.9999, False), (10.0, -90.0, False)],
)
def test_galaxies_are_as_near_as_the_sky_has_them_at_the_poles_and_at_right_ascension_0(
    ra: float, dec: float, is_across: bool, apart_arcsec: float, num_left: int
) -> None:
    bearing = 90 * units.deg if is_across else 0 * units.deg
    first = SkyCoord(ra, dec, unit="deg")
    second = first.directional_offset_by(bearing, apart_arcsec * units.arcsec)
    table = Table(pd.DataFrame({"ra": [ra, second.ra.deg], "dec": [dec, second.dec.deg]}))
    assert find_repeats(table, np.array([1, 2]), path="here").flaws.tolist().count("") == num_left


def test_of_a_chain_only_those_that_are_near_one_that_stays_are_refused() -> None:
    table = Table(pd.DataFrame({"ra": np.zeros(5), "dec": np.array([0, 2, 4, 6, 0]) / 3600}))
    flaws = find_repeats(table, np.array([1, 2, 3, 4, 1]), path="here").flaws.tolist()
    near = "lies within 3 arcsec of a galaxy"
    assert flaws == ["", near, "", near, "is another spectrum of a galaxy"]


def test_a_hundred_thousand_galaxies_at_one_place_are_told_apart_from_one_in_seconds() -> None:
    table = Table(pd.DataFrame({"ra": np.full(100_000, 10.0), "dec": np.zeros(100_000)}))
    assert find_repeats(table, np.arange(100_000), path="here").flaws.tolist().count("") == 1
