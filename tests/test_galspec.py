"""Promises of the selection from galSpec files: it is what pandas would select, by exact identifiers and photometric
places, one row a galaxy; repeats give the label noise; what is not row-matched is refused; memory stays flat."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from make_galspec import LABEL_NOISE_DEX, make_photometry, make_spectra, write_folder
from metalight.catalog import compute_label_noise
from metalight.catalog.galspec import GalspecSelection, select_galspec
from metalight.errors import CatalogError, TableError
from metalight.metrics import NMAD_FACTOR

ROWS = 6_000


@pytest.fixture(scope="module")
def spectra() -> pd.DataFrame:
    return make_spectra(ROWS, repeated=0.2)


@pytest.fixture(scope="module")
def folder(spectra: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_folder(tmp_path_factory.mktemp("galspec"), [spectra])


@pytest.fixture(scope="module")
def photometry(spectra: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("photometry") / "photometry.parquet"
    make_photometry(spectra).to_parquet(path)
    return path


@pytest.fixture(scope="module")
def found(folder: Path, photometry: Path) -> GalspecSelection:
    return select_galspec(folder, photometry)


def list_usable(spectra: pd.DataFrame) -> pd.DataFrame:
    return spectra[(spectra["SPECOBJID"] != b"") & (spectra["RELIABLE"] != 0) & (spectra["OH_P50"] != -9999)]


def make_few(**changes: Any) -> pd.DataFrame:
    """Four spectra of four galaxies, all with a result and a metallicity, and with other values where given."""
    usable = list_usable(make_spectra(2_000, repeated=0.0)).head(4).reset_index(drop=True)
    return usable.assign(SCIENCEPRIMARY=1, **changes)


def select_few(
    folder: Path, few: pd.DataFrame, *, spec_obj: bool = False, photometry: pd.DataFrame | None = None, **changes: Any
) -> GalspecSelection:
    write_folder(folder / "files", [few], spec_obj=spec_obj)
    table = make_photometry(few) if photometry is None else photometry
    table.to_parquet(folder / "photometry.parquet")
    return select_galspec(folder / "files", folder / "photometry.parquet", **changes)


def test_the_selection_is_that_of_pandas_on_whole_tables(
    spectra: pd.DataFrame, photometry: Path, found: GalspecSelection
) -> None:
    expected = list_usable(spectra).query("SCIENCEPRIMARY == 1")
    expected = expected.merge(pd.read_parquet(photometry), left_on="spectrum_id", right_on="specObjID")
    assert len(expected) > 500
    frame = found.table.frame
    assert frame["objID"].tolist() == expected["objID"].tolist()
    assert frame["specObjID"].tolist() == expected["spectrum_id"].tolist()
    pairs = {"z": "Z", "zErr": "Z_ERR", "zWarning": "Z_WARNING", "velDisp": "V_DISP", "velDispErr": "V_DISP_ERR"}
    pairs |= {"oh_p50": "OH_P50", "oh_p97p5": "OH_P97P5", "lgm_tot_p16": "LGM_TOT_P16", "sfr_fib_p50": "SFR_FIB_P50"}
    pairs |= {"h_alpha_flux": "H_ALPHA_FLUX", "nii_6584_flux_err": "NII_6584_FLUX_ERR", "d4000_n_err": "D4000_N_ERR"}
    pairs |= {"rChi2": "RCHI2", "sn_median": "SN_MEDIAN", "e_bv_sfd": "E_BV_SFD", "bptclass": "BPTCLASS"}
    pairs |= {"plate": "PLATEID", "mjd": "MJD", "fiberID": "FIBERID", "modelMag_u": "modelMag_u", "ra": "ra_y"}
    for ours, theirs in pairs.items():
        values = expected[theirs].astype(frame[ours].dtype)
        assert frame[ours].tolist() == values.tolist(), ours
    assert set(frame["class"]) == {"GALAXY"}
    assert set(frame["subclass"]) == {"STARFORMING"}


def test_every_step_is_counted_by_name(spectra: pd.DataFrame, found: GalspecSelection) -> None:
    has_id = spectra["SPECOBJID"] != b""
    is_reliable = has_id & (spectra["RELIABLE"] != 0)
    usable = list_usable(spectra)
    num_primary = int((usable["SCIENCEPRIMARY"] == 1).sum())
    assert list(found.counts[["cut", "num_left"]].itertuples(index=False, name=None)) == [
        ("all rows", ROWS),
        ("has a spectrum id", int(has_id.sum())),
        ("is reliable", int(is_reliable.sum())),
        ("has oh_p50", len(usable)),
        ("sciencePrimary", num_primary),
        ("has photometry", num_primary),
        ("has a photometric position", num_primary),
        ("one spectrum a galaxy", num_primary),
    ]
    assert found.counts["reason"].str.len().min() > 10
    assert "one spectrum a galaxy: sciencePrimary of specObj" in found.notes


def test_the_way_the_photometry_is_kept_does_not_change_the_selection(
    folder: Path, photometry: Path, found: GalspecSelection, tmp_path: Path
) -> None:
    rows = pd.read_parquet(photometry)
    rows.sample(frac=1, random_state=0).to_csv(tmp_path / "photometry.csv", index=False)
    parts = tmp_path / "parts"
    parts.mkdir()
    rows.iloc[:2000].to_parquet(parts / "part-0.parquet")
    rows.iloc[2000:].to_parquet(parts / "part-1.parquet", row_group_size=500)
    for path in (tmp_path / "photometry.csv", parts):
        again = select_galspec(folder, path)
        pd.testing.assert_frame_equal(again.table.frame, found.table.frame, check_dtype=False, rtol=1e-6)
        pd.testing.assert_frame_equal(again.repeats, found.repeats)


def test_the_length_of_pieces_does_not_change_the_selection(
    folder: Path, photometry: Path, found: GalspecSelection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("metalight.catalog.galspec.spectra.ROWS_AT_ONCE", 997)
    again = select_galspec(folder, photometry)
    pd.testing.assert_frame_equal(again.table.frame, found.table.frame)
    pd.testing.assert_frame_equal(again.counts, found.counts)


def test_without_photometric_spectrum_ids_the_objects_of_spec_obj_join(
    folder: Path, photometry: Path, found: GalspecSelection, tmp_path: Path
) -> None:
    rows = pd.read_parquet(photometry).drop(columns="specObjID").drop_duplicates("objID")
    rows.to_parquet(tmp_path / "photometry.parquet")
    again = select_galspec(folder, tmp_path / "photometry.parquet")
    assert "joined with photometry by objID" in again.notes
    assert again.table.frame["objID"].tolist() == found.table.frame["objID"].tolist()


def test_without_any_common_identifier_the_join_is_refused(tmp_path: Path) -> None:
    few = make_few()
    with pytest.raises(CatalogError, match=r"has no column specObjID, and galSpec has no objID.*put specObj-dr8.fits"):
        select_few(tmp_path, few, photometry=make_photometry(few).drop(columns="specObjID"))


def test_identifiers_of_19_digits_stay_exact_and_neighbours_stay_apart(tmp_path: Path) -> None:
    ids = np.array([2**63 - 1, 2**63 - 2, 2**53 + 1, 2**53 + 2])
    few = make_few(spectrum_id=ids, object_id=ids - 7, SPECOBJID=ids.astype("S22"))
    frame = select_few(tmp_path, few).table.frame
    assert frame["specObjID"].tolist() == ids.tolist()
    assert frame["objID"].tolist() == (ids - 7).tolist()
    assert frame["specObjID"].dtype == frame["objID"].dtype == np.int64


@pytest.mark.parametrize("text", [b"", b"-1", b"0", b"   "])
def test_a_spectrum_without_an_identifier_is_left_out_and_counted(tmp_path: Path, text: bytes) -> None:
    few = make_few()
    with_text = few.assign(SPECOBJID=[text, *few["SPECOBJID"][1:]])
    found = select_few(tmp_path, with_text, photometry=make_photometry(few))
    assert found.table.frame["objID"].tolist() == few["object_id"].tolist()[1:]
    assert found.counts["num_left"].tolist()[:2] == [4, 3]


def test_identifiers_may_be_padded_on_either_side(tmp_path: Path) -> None:
    few = make_few()
    padded = few.assign(SPECOBJID=few["SPECOBJID"].map(lambda text: text.rjust(21)))
    assert len(select_few(tmp_path, padded, photometry=make_photometry(few)).table.frame) == 4


@pytest.mark.parametrize("text", [b"12x4", b"1e18", b"99999999999999999999"])
def test_an_identifier_that_is_none_is_refused_with_its_row(tmp_path: Path, text: bytes) -> None:
    few = make_few()
    broken = few.assign(SPECOBJID=[*few["SPECOBJID"][:2], text, few["SPECOBJID"][3]])
    with pytest.raises(CatalogError, match=rf"in row 3 of .*galSpecInfo-dr8.fits is '{text.decode()}'"):
        select_few(tmp_path, broken, photometry=make_photometry(few))


def test_identifiers_kept_as_decimal_numbers_are_refused(tmp_path: Path) -> None:
    few = make_few()
    write_folder(tmp_path / "files", [few.assign(SPECOBJID=few["spectrum_id"])], spec_obj=False, SPECOBJID="D")
    make_photometry(few).to_parquet(tmp_path / "photometry.parquet")
    with pytest.raises(CatalogError, match="holds decimal numbers, which cannot tell neighbouring identifiers apart"):
        select_galspec(tmp_path / "files", tmp_path / "photometry.parquet")


def test_places_are_those_of_the_photometry_and_never_of_the_fibre(tmp_path: Path) -> None:
    ra, dec = np.array([359.999999876543, 300.000001234567, 256.1, 0.000000123]), np.array([90.0, -89.9, 0.1, 0.0])
    few = make_few(ra=ra, dec=dec, RA=ra + 1e-4, DEC=np.clip(dec + 1e-4, -90, 90))
    frame = select_few(tmp_path, few).table.frame
    assert frame["ra"].tolist() == ra.tolist()
    assert frame["dec"].tolist() == dec.tolist()
    assert "fibre_ra" not in frame


def test_photometric_places_of_32_bits_are_refused(tmp_path: Path) -> None:
    few = make_few()
    with pytest.raises(CatalogError, match=r"Column 'ra' of .* holds numbers of 32 bits.*may be those of the fibre"):
        select_few(tmp_path, few, photometry=make_photometry(few).astype({"ra": np.float32}))


@pytest.mark.parametrize(("column", "value"), [("ra", np.nan), ("ra", 360.5), ("dec", -91.0), ("dec", -9999.0)])
def test_a_galaxy_without_a_photometric_place_is_left_out_and_counted(
    tmp_path: Path, column: str, value: float
) -> None:
    few = make_few()
    rows = make_photometry(few)
    rows.loc[1, column] = value
    found = select_few(tmp_path, few, photometry=rows)
    assert found.table.frame["objID"].tolist() == few["object_id"].drop(1).tolist()
    assert found.counts.set_index("cut")["num_left"]["has a photometric position"] == 3


def test_what_was_not_computed_is_missing_and_without_a_metallicity_there_is_no_row(tmp_path: Path) -> None:
    few = make_few(SFR_TOT_P50=[-9999.0, 0.5, -99.0, 1.0], LGM_TOT_P50=[10.0, -9999.0, np.nan, 10.5])
    few["OH_P50"] = [8.5, 8.6, 8.7, -9999.0]
    frame = select_few(tmp_path, few).table.frame
    assert frame["oh_p50"].tolist() == few["OH_P50"].astype(np.float32).tolist()[:3]
    assert np.isnan(frame["sfr_tot_p50"]).tolist() == [True, False, True]
    assert np.isnan(frame["lgm_tot_p50"]).tolist() == [False, True, True]


def test_one_of_several_targets_must_have_a_value_and_that_is_counted(tmp_path: Path) -> None:
    few = make_few(LGM_TOT_P50=[10.0, -9999.0, np.nan, 10.5])
    few["OH_P50"] = [-9999.0, 8.6, -9999.0, 8.7]
    found = select_few(tmp_path, few, targets=("OH_p50", "lgm_tot_p50"))
    assert found.table.frame["objID"].tolist() == few["object_id"].drop(index=2).tolist()
    assert found.counts.set_index("cut")["num_left"]["has oh_p50 or lgm_tot_p50"] == 3
    # What the photometry may have is not known yet.
    found = select_few(tmp_path, few, targets=("oh_p50", "petroR50_r"))
    assert len(found.table.frame) == 4
    assert "oh_p50" not in " ".join(found.counts["cut"])


def test_results_that_are_not_reliable_are_not_used(tmp_path: Path) -> None:
    few = make_few(RELIABLE=[1, 0, 1, 0])
    assert select_few(tmp_path, few).table.frame["objID"].tolist() == few["object_id"].tolist()[::2]


def test_without_a_word_on_primary_spectra_the_highest_signal_to_noise_stands_for_the_galaxy(
    spectra: pd.DataFrame, photometry: Path, tmp_path: Path
) -> None:
    folder = write_folder(tmp_path, [spectra], spec_obj=False)
    found = select_galspec(folder, photometry)
    best = list_usable(spectra).sort_values("SN_MEDIAN").groupby("galaxy").tail(1).sort_index()
    assert found.table.frame["specObjID"].tolist() == best["spectrum_id"].tolist()
    assert any(note.startswith("one spectrum a galaxy: highest sn_median") for note in found.notes)
    assert "rChi2" not in found.table.frame


def test_the_photometry_may_say_which_spectra_are_primary(tmp_path: Path) -> None:
    few = make_few(galaxy=[0, 0, 2, 2], SN_MEDIAN=[9.0, 1.0, 5.0, 2.0])
    few["ra"], few["dec"] = few["ra"][[0, 0, 2, 2]].to_numpy(), few["dec"][[0, 0, 2, 2]].to_numpy()
    rows = make_photometry(few).assign(sciencePrimary=[False, True, True, False])
    found = select_few(tmp_path, few, photometry=rows)
    assert found.table.frame["specObjID"].tolist() == few["spectrum_id"].tolist()[1:3]
    assert "one spectrum a galaxy: sciencePrimary of the photometry table" in found.notes


@pytest.mark.parametrize(
    ("ra", "dec"),
    [([10.0, 10.0], [0.0, 2.9 / 3600]), ([0.0003, 359.9997], [0.0, 0.0]), ([10.0, 190.0], [89.9997, 89.9998])],
    ids=["apart in dec", "across RA 0/360", "across the pole"],
)
def test_two_object_ids_within_3_arcsec_are_one_galaxy(tmp_path: Path, ra: list[float], dec: list[float]) -> None:
    few = make_few(SN_MEDIAN=[3.0, 8.0, 5.0, 5.0], Z=[0.1, 0.1, 0.2, 0.2])
    few["ra"], few["dec"] = [*ra, 100.0, 100.0], [*dec, 10.0, 10.0 + 3.1 / 3600]
    found = select_few(tmp_path, few, spec_obj=True)
    assert found.table.frame["objID"].tolist() == few["object_id"].tolist()[1:]
    assert found.repeats["object_id"].tolist() == [few["object_id"][1]] * 2
    assert found.repeats["is_selected"].tolist() == [False, True]


def test_one_object_id_is_one_galaxy_however_far_apart_its_spectra_are(tmp_path: Path) -> None:
    few = make_few(SN_MEDIAN=[3.0, 8.0, 5.0, 5.0])
    few.loc[0, "object_id"] = few["object_id"][1]
    found = select_few(tmp_path, few, spec_obj=True)
    assert found.table.frame["specObjID"].tolist() == few["spectrum_id"].tolist()[1:]


def test_repeats_are_all_spectra_of_the_galaxies_of_the_table(spectra: pd.DataFrame, found: GalspecSelection) -> None:
    usable = list_usable(spectra)
    usable = usable[usable["object_id"].isin(found.table.frame["objID"])]
    expected = usable[usable.groupby("galaxy")["galaxy"].transform("size") > 1]
    repeats = found.repeats
    assert sorted(repeats["specObjID"]) == sorted(expected["spectrum_id"])
    by_id = expected.set_index("spectrum_id").loc[repeats["specObjID"]]
    assert repeats["object_id"].tolist() == by_id["object_id"].tolist()
    assert repeats["oh_p50"].tolist() == by_id["OH_P50"].astype(np.float32).tolist()
    assert repeats["sn_median"].tolist() == by_id["SN_MEDIAN"].tolist()
    first = by_id.iloc[0]
    assert repeats["plate_mjd_fibre"][0] == f"{first['PLATEID']:04d}-{first['MJD']}-{first['FIBERID']:04d}"
    assert (repeats.groupby("object_id")["is_selected"].sum() == 1).all()
    assert set(repeats.loc[repeats["is_selected"], "specObjID"]) <= set(found.table.frame["specObjID"])


def test_repeats_without_photometry_are_found_by_their_fibres(
    folder: Path, spectra: pd.DataFrame, found: GalspecSelection, tmp_path: Path
) -> None:
    make_photometry(spectra, is_primary_only=True).to_parquet(tmp_path / "photometry.parquet")
    again = select_galspec(folder, tmp_path / "photometry.parquet")
    pd.testing.assert_frame_equal(again.table.frame[["objID", "ra", "z"]], found.table.frame[["objID", "ra", "z"]])
    pd.testing.assert_frame_equal(again.repeats, found.repeats)


def test_a_galaxy_behind_another_is_no_repeat(tmp_path: Path) -> None:
    few = make_few(Z=[0.1, 0.2, 0.05, 0.0503], SN_MEDIAN=[9.0, 8.0, 7.0, 6.0])
    few["ra"], few["dec"] = few["ra"][[0, 0, 2, 2]].to_numpy(), few["dec"][[0, 0, 2, 2]].to_numpy()
    found = select_few(tmp_path, few, spec_obj=True)
    assert found.table.frame["specObjID"].tolist() == few["spectrum_id"].tolist()[::2]
    assert found.repeats["specObjID"].tolist() == few["spectrum_id"].tolist()[2:]
    assert "1 spectra within 3 arcsec of a galaxy have another redshift: no repeats" in found.notes


def test_columns_of_the_photometry_that_galspec_has_give_way_and_are_named(tmp_path: Path) -> None:
    few = make_few()
    # PhotoObj calls the magnitude in the z band z.
    found = select_few(tmp_path, few, photometry=make_photometry(few).assign(z=17.5, Z_WARNING=0, zwarning=7))
    assert found.table.frame["z"].tolist() == few["Z"].astype(np.float32).tolist()
    assert found.table.frame["zWarning"].tolist() == few["Z_WARNING"].tolist()
    assert "Z_WARNING" in found.table.frame
    assert any(note.endswith("that were left out: zwarning, z") for note in found.notes)


def test_rows_of_the_photometry_without_a_spectrum_are_passed_over_and_counted(tmp_path: Path) -> None:
    few = make_few()
    rows = make_photometry(few)
    without = rows.assign(specObjID=0, objID=rows["objID"] + 100)
    found = select_few(tmp_path, few, photometry=pd.concat([without, rows]))
    assert found.table.frame["objID"].tolist() == few["object_id"].tolist()
    assert "4 rows of the photometry name no spectrum" in found.notes


def test_a_spectrum_with_two_rows_of_photometry_is_refused(tmp_path: Path) -> None:
    few = make_few()
    rows = make_photometry(few)
    with pytest.raises(CatalogError, match=rf"has {few['spectrum_id'][2]} in two rows"):
        select_few(tmp_path, few, photometry=pd.concat([rows, rows.iloc[[2]]]))


@pytest.mark.parametrize("lacking", ["objID", "ra", "dec"])
def test_photometry_that_lacks_a_column_is_refused_by_its_name(tmp_path: Path, lacking: str) -> None:
    few = make_few()
    with pytest.raises(TableError, match=f"has no column '{lacking}'"):
        select_few(tmp_path, few, photometry=make_photometry(few).drop(columns=lacking))


def test_a_selection_without_a_galaxy_is_refused_with_all_counts(tmp_path: Path) -> None:
    few = make_few()
    with pytest.raises(CatalogError, match=r"No galaxy of .* is left.*4 after 'has oh_p50'.*0 after 'has photometry'"):
        select_few(tmp_path, few, photometry=make_photometry(few).assign(specObjID=range(5, 9)))
    with pytest.raises(CatalogError, match="0 after 'is reliable'"):
        select_few(tmp_path, few.assign(RELIABLE=0), photometry=make_photometry(few))


@pytest.mark.parametrize("lacking", ["galSpecInfo", "galSpecExtra", "galSpecLine", "galSpecIndx"])
def test_a_file_that_is_not_there_is_refused_by_its_name(tmp_path: Path, lacking: str) -> None:
    few = make_few()
    select_few(tmp_path, few)
    (tmp_path / "files" / f"{lacking}-dr8.fits").unlink()
    with pytest.raises(CatalogError, match=f"lacks {lacking}-dr8.fits"):
        select_galspec(tmp_path / "files", tmp_path / "photometry.parquet")


def test_files_are_found_in_any_case_but_not_twice_and_not_compressed(tmp_path: Path) -> None:
    few = make_few()
    select_few(tmp_path, few)
    info = tmp_path / "files" / "galSpecInfo-dr8.fits"
    info = info.rename(tmp_path / "files" / "GALSPECINFO-DR8.FITS")
    assert len(select_galspec(tmp_path / "files", tmp_path / "photometry.parquet").table.frame) == 4
    other = tmp_path / "files" / "galspecinfo.fits"
    other.write_bytes(info.read_bytes())
    with pytest.raises(CatalogError, match=r"has GALSPECINFO-DR8.FITS and galspecinfo.fits; leave one"):
        select_galspec(tmp_path / "files", tmp_path / "photometry.parquet")
    other.unlink()
    info.rename(tmp_path / "files" / "galSpecInfo-dr8.fits.gz")
    with pytest.raises(CatalogError, match=r"galSpecInfo-dr8.fits.gz is compressed.*unpack it with gunzip"):
        select_galspec(tmp_path / "files", tmp_path / "photometry.parquet")


def test_a_folder_that_is_none_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogError, match=r"There is no folder .*nowhere; name the folder that holds"):
        select_galspec(tmp_path / "nowhere", tmp_path / "photometry.parquet")


def test_files_of_different_length_are_refused(tmp_path: Path) -> None:
    few = make_few()
    select_few(tmp_path, few)
    write_folder(tmp_path / "shorter", [few.head(3)])
    (tmp_path / "shorter" / "galSpecLine-dr8.fits").rename(tmp_path / "files" / "galSpecLine-dr8.fits")
    with pytest.raises(
        CatalogError, match=r"galSpecLine-dr8.fits has 3 rows and .*galSpecInfo-dr8.fits 4, so they are"
    ):
        select_galspec(tmp_path / "files", tmp_path / "photometry.parquet")


@pytest.mark.parametrize("kind", ["galSpecExtra", "galSpecLine", "galSpecIndx", "specObj"])
def test_files_whose_rows_are_in_another_order_are_refused_with_the_first_row(tmp_path: Path, kind: str) -> None:
    few = make_few()
    select_few(tmp_path, few, spec_obj=True)
    write_folder(tmp_path / "other", [few.iloc[[0, 2, 1, 3]]])
    (tmp_path / "other" / f"{kind}-dr8.fits").rename(tmp_path / "files" / f"{kind}-dr8.fits")
    with pytest.raises(CatalogError, match=rf"{kind}-dr8.fits is not matched row by row .* in row 2 "):
        select_galspec(tmp_path / "files", tmp_path / "photometry.parquet")


def test_what_a_row_without_a_result_is_called_does_not_matter(tmp_path: Path) -> None:
    few = make_few(SPECOBJID=[b"", *make_few()["SPECOBJID"][1:]])
    select_few(tmp_path, few, spec_obj=True, photometry=make_photometry(make_few()))
    write_folder(tmp_path / "other", [few.assign(SPECOBJID=[b"-1", *few["SPECOBJID"][1:]])])
    (tmp_path / "other" / "galSpecLine-dr8.fits").rename(tmp_path / "files" / "galSpecLine-dr8.fits")
    assert len(select_galspec(tmp_path / "files", tmp_path / "photometry.parquet").table.frame) == 3


def test_a_file_that_cannot_be_checked_is_said(tmp_path: Path) -> None:
    few = make_few()
    select_few(tmp_path, few)
    write_folder(tmp_path / "files", [few], spec_obj=False, SPECOBJID="22A")
    path = tmp_path / "files" / "galSpecIndx-dr8.fits"
    path.write_bytes(path.read_bytes().replace(b"TTYPE1  = 'SPECOBJID'", b"TTYPE1  = 'NOTHING  '", 1))
    found = select_galspec(tmp_path / "files", tmp_path / "photometry.parquet")
    assert any(note.startswith("galSpecIndx-dr8.fits has nothing by which") for note in found.notes)


def test_damaged_files_are_refused_by_name(tmp_path: Path) -> None:
    select_few(tmp_path, make_few())
    path = tmp_path / "files" / "galSpecLine-dr8.fits"
    whole = path.read_bytes()
    for content, flaw in [
        (whole[:-2880], "is cut short"),
        (b"", "is an empty file"),
        (b"PAR1" + whole, "is not a FITS file"),
        (whole[:2880], "holds no binary table"),
        (whole.replace(b"'H_BETA_FLUX'", b"'H_GAMMA_FLU'", 1), "has no column H_BETA_FLUX"),
        (whole.replace(b"NAXIS1  =                   6", b"NAXIS1  =                   7", 1), "is damaged"),
    ]:
        assert content != whole
        path.write_bytes(content)
        with pytest.raises(CatalogError, match=f"galSpecLine-dr8.fits {flaw}"):
            select_galspec(tmp_path / "files", tmp_path / "photometry.parquet")


def test_the_label_noise_of_the_files_is_the_planted_one(found: GalspecSelection) -> None:
    noise = compute_label_noise(found.repeats)
    assert noise.num_galaxies == found.repeats["object_id"].nunique() > 50
    assert noise.degrees_of_freedom == len(found.repeats) - noise.num_galaxies
    # Twice the 68 % interval on either side.
    for interval in (noise.robust_dex, noise.plain_dex):
        assert abs(interval.value - LABEL_NOISE_DEX) < interval.high - interval.low
        assert interval.low < interval.value < interval.high


def make_repeats(sizes: list[int], noise_dex: float, seed: int) -> pd.DataFrame:
    generator = np.random.default_rng(seed)
    galaxies = np.repeat(np.arange(len(sizes)), sizes)
    labels = generator.normal(8.9, 0.2, len(sizes))[galaxies] + generator.normal(0, noise_dex, len(galaxies))
    return pd.DataFrame({"object_id": galaxies + 2**60, "oh_p50": labels})


def test_intervals_of_the_label_noise_hold_the_planted_one_as_often_as_they_say() -> None:
    """Galaxies of two to six spectra: were pairs counted as independent, the interval would be too narrow."""
    num_held = np.zeros(2)
    for seed in range(60):
        sizes = np.random.default_rng(seed).choice([2, 3, 6], 150, p=[0.6, 0.2, 0.2]).tolist()
        noise = compute_label_noise(make_repeats(sizes, 0.05, seed), num_bootstrap=200, seed=seed)
        num_held += [interval.low <= 0.05 <= interval.high for interval in (noise.robust_dex, noise.plain_dex)]
    # Of 68 %, within 2.5 standard deviations of the 60.
    assert (num_held > 60 * 0.53).all()
    assert (num_held < 60 * 0.83).all()


@given(st.lists(st.tuples(st.floats(-1, 1), st.floats(-1, 1)), min_size=1, max_size=30))
def test_of_pairs_alone_the_label_noise_is_that_of_their_differences(pairs: list[tuple[float, float]]) -> None:
    repeats = pd.DataFrame(
        [(number, value) for number, pair in enumerate(pairs) for value in pair], columns=["object_id", "oh_p50"]
    )
    noise = compute_label_noise(repeats, num_bootstrap=0)
    differences = np.array([first - second for first, second in pairs])
    assert noise.plain_dex.value == pytest.approx(np.sqrt(np.mean(differences**2) / 2), abs=1e-9)
    assert noise.robust_dex.value == pytest.approx(NMAD_FACTOR * np.median(np.abs(differences)) / np.sqrt(2), abs=1e-9)
    assert np.isnan([noise.plain_dex.low, noise.robust_dex.high]).all()
    assert noise.num_pairs == noise.num_galaxies == noise.degrees_of_freedom == len(pairs)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(1, 5), min_size=2, max_size=12), st.integers(0, 100))
def test_the_plain_label_noise_is_the_variance_within_galaxies(sizes: list[int], seed: int) -> None:
    repeats = make_repeats(sizes, 0.1, seed)
    noise = compute_label_noise(repeats.sample(frac=1, random_state=seed), num_bootstrap=10)
    freedom = sum(size - 1 for size in sizes)
    assert noise.degrees_of_freedom == freedom
    assert noise.num_pairs == sum(size * (size - 1) // 2 for size in sizes)
    if freedom:
        within = repeats["oh_p50"] - repeats.groupby("object_id")["oh_p50"].transform("mean")
        assert noise.plain_dex.value == pytest.approx(np.sqrt((within**2).sum() / freedom))
    else:
        assert np.isnan([noise.plain_dex.value, noise.robust_dex.value]).all()


def test_a_few_failures_do_not_move_the_robust_label_noise() -> None:
    repeats = make_repeats([2] * 1000, 0.05, 0)
    before = compute_label_noise(repeats, num_bootstrap=0)
    repeats.loc[:39:2, "oh_p50"] += 1.0
    after = compute_label_noise(repeats, num_bootstrap=0)
    assert after.robust_dex.value == pytest.approx(before.robust_dex.value, rel=0.05)
    assert after.plain_dex.value > 2 * before.plain_dex.value


def test_labels_that_are_missing_make_no_pairs() -> None:
    repeats = pd.DataFrame({"object_id": [1, 1, 2, 2, 3], "oh_p50": [8.5, np.nan, 8.6, 8.7, 8.8]})
    noise = compute_label_noise(repeats)
    assert (noise.num_galaxies, noise.num_spectra, noise.num_pairs) == (1, 2, 1)
    with pytest.raises(ValueError, match="have no column lgm_tot_p50"):
        compute_label_noise(repeats, label="lgm_tot_p50")


_MEASURE = """
import sys
from pathlib import Path
from metalight.catalog.galspec import select_galspec
few, many = (Path(name) for name in sys.argv[1:])
def peak(folder):
    found = select_galspec(folder, few / "photometry.parquet")
    # Not ru_maxrss, which a process inherits from the one that started it.
    status = Path("/proc/self/status").read_text().split()
    return len(found.table.frame), int(status[status.index("VmHWM:") + 1]) * 1024
print(*peak(few), *peak(many))
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="peak memory is read from /proc")
def test_memory_does_not_grow_with_the_rows_of_the_files(tmp_path: Path) -> None:
    """Of the second folder only the first rows have a result: eight times the rows, the same galaxies."""
    spectra = make_spectra(25_600, repeated=0.0)
    write_folder(tmp_path / "few", [spectra], is_padded=True)
    make_photometry(spectra).to_parquet(tmp_path / "few" / "photometry.parquet")
    without = spectra.assign(SPECOBJID=b"")
    write_folder(tmp_path / "many", [spectra, *[without] * 7], is_padded=True)
    arguments = [sys.executable, "-c", _MEASURE, str(tmp_path / "few"), str(tmp_path / "many")]
    ended = subprocess.run(arguments, capture_output=True, text=True, check=True)
    num_few, few_bytes, num_many, many_bytes = map(int, ended.stdout.split())
    assert num_few == num_many > 1000
    num_added = sum(path.stat().st_size for path in (tmp_path / "many").glob("*.fits")) * 7 // 8
    assert num_added > 4e8
    assert many_bytes - few_bytes < 0.1 * num_added
