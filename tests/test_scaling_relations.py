"""Promises of the published relations: their sources' own numbers, their ranges, and nothing converted in silence."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from metalight.scaling_relations import (
    CONVERSIONS,
    D02_TO_TREMONTI,
    KROUPA_TO_CHABRIER,
    LARA_LOPEZ_2010,
    MANNUCCI_2010,
    MANNUCCI_2010_PROJECTION,
    PP04_N2_TO_TREMONTI,
    RELATIONS,
    TREMONTI_2004,
    TREMONTI_2004_PERCENTILES,
    compute_main_sequence,
    compute_mannucci,
    compute_tremonti,
    predict_sfr_offset,
)
from metalight.simulation import relations as laws

KROUPA, CHABRIER, T04 = "Kroupa 2001", "Chabrier 2003", "Tremonti 2004"

MEDIANS = {8.57: 8.44, 8.96: 8.63, 9.46: 8.78, 9.96: 8.94, 10.46: 9.05, 10.95: 9.11, 11.25: 9.12}
"""Of 12 + log10(O/H), by mass: Tremonti et al. 2004, table 3."""


# Every formula against numbers that it was not made from.


def test_the_polynomial_of_tremonti_et_al_goes_through_the_medians_of_their_table() -> None:
    predicted = TREMONTI_2004.predict(list(MEDIANS), imf=KROUPA, scale=T04)
    np.testing.assert_allclose(predicted, list(MEDIANS.values()), atol=0.02)


def test_the_table_of_tremonti_et_al_has_its_medians_and_a_scatter_of_a_tenth() -> None:
    np.testing.assert_allclose(TREMONTI_2004_PERCENTILES.predict(list(MEDIANS), 50), list(MEDIANS.values()), atol=1e-9)
    low, high = (TREMONTI_2004_PERCENTILES.predict(TREMONTI_2004_PERCENTILES.log_mass, each) for each in (16, 84))
    # "The 1σ scatter of the data about the relation is ±0.10 dex": their abstract.
    assert np.mean(high - low) / 2 == pytest.approx(0.10, abs=0.02)
    assert np.all((high - low)[:4] > 2 * (high - low)[-4:])  # it shrinks with mass


def test_slopes_of_the_polynomial_are_those_worked_out_by_hand() -> None:
    log_mass = np.array([9.0, 10.0, 11.0])
    slopes = (compute_tremonti(log_mass + 0.01) - compute_tremonti(log_mass - 0.01)) / 0.02
    np.testing.assert_allclose(slopes, [0.402, 0.242, 0.081], atol=1e-3)  # the astronomer's notes, 1.1


def test_mannucci_et_al_lie_below_tremonti_et_al_by_what_the_scales_differ() -> None:
    log_mass = np.array([8.5, 9.0, 9.5, 10.0, 10.5, 11.0, 11.5])
    log_sfr = 0.76 * log_mass - 7.64
    offset = compute_tremonti(log_mass) - compute_mannucci(log_mass, log_sfr)
    # Worked out by hand, on another machine, from the printed coefficients.
    np.testing.assert_allclose(offset, [0.19, 0.12, 0.07, 0.05, 0.05, 0.08, 0.13], atol=0.006)


def test_both_forms_of_mannucci_et_al_agree_where_their_galaxies_are() -> None:
    log_mass = np.linspace(9.4, 11.0, 17)
    log_sfr = compute_main_sequence(log_mass)
    both = [
        relation.predict(log_mass, log_sfr, imf=CHABRIER, scale="Maiolino 2008", accept_unverified=True)
        for relation in (MANNUCCI_2010, MANNUCCI_2010_PROJECTION)
    ]
    # Two fits to one surface, each good to about 0.05 dex.
    assert np.abs(both[0] - both[1]).max() < 0.05


def test_star_formation_lowers_metallicity_at_small_masses_and_hardly_at_large_ones() -> None:
    # The derivative by hand: −0.14 + 0.12 m − 0.108 s.
    offset = predict_sfr_offset(
        [9.5, 11.0], [0.1, 0.75], [0.0, 0.65], imf=CHABRIER, accept_unverified=True, relation=MANNUCCI_2010
    )
    np.testing.assert_allclose(offset / 0.1, [-0.14 - 0.06 - 0.108 * 0.05, -0.14 + 0.12 - 0.108 * 0.70], atol=1e-9)


def test_lara_lopez_et_al_predict_masses_near_those_of_tremonti_et_al() -> None:
    log_mass = np.array([9.5, 10.0, 10.5])
    predicted = LARA_LOPEZ_2010.predict(
        compute_tremonti(log_mass), compute_main_sequence(log_mass), imf=KROUPA, scale=T04, accept_unverified=True
    )
    np.testing.assert_allclose(predicted, log_mass, atol=2 * 0.16)  # their scatter
    # Turned round they would give 9.02 and 9.59 at masses of 10 and 11: the trap of inverse regression.
    inverted = (np.array([10.0, 11.0]) + 0.097 - 0.474 * (0.76 * np.array([10.0, 11.0]) - 7.64)) / 1.122
    np.testing.assert_allclose(inverted, [9.02, 9.59], atol=0.006)


def test_two_calibrations_by_one_line_ratio_meet_on_the_scale_of_tremonti_et_al() -> None:
    # Pettini & Pagel 2004, eq. 2, and Denicoló et al. 2002 of the same log([N II]/Hα).
    ratio = np.linspace(-1.1, -0.55, 12)
    pp04 = 9.37 + 2.03 * ratio + 1.26 * ratio**2 + 0.32 * ratio**3
    d02 = 9.12 + 0.73 * ratio
    from_pp04 = PP04_N2_TO_TREMONTI.convert(pp04)
    from_d02 = D02_TO_TREMONTI.convert(d02, accept_unverified=True)
    # Kewley & Ellison 2008: conversions agree to 0.03 dex on the average.
    assert np.sqrt(np.mean((from_pp04 - from_d02) ** 2)) < 0.05


# Ranges.


@pytest.mark.parametrize("relation", list(RELATIONS.values()), ids=list(RELATIONS))
def test_a_relation_is_silent_outside_its_range_and_where_an_input_is_missing(relation: object) -> None:
    assert isinstance(relation, type(TREMONTI_2004))
    middle: list[Any] = [np.mean(relation.ranges[name]) for name in relation.inputs]
    how: dict[str, Any] = {"imf": relation.imf, "scale": relation.scale, "accept_unverified": True}
    assert np.isfinite(relation.predict(*middle, **how))
    for index, name in enumerate(relation.inputs):
        low, high = relation.ranges[name]
        for value, is_inside in ((low, True), (high, True), (low - 1e-6, False), (high + 1e-6, False)):
            values = [*middle[:index], value, *middle[index + 1 :]]
            assert np.isfinite(relation.predict(*values, **how)) == is_inside
        for value in (np.nan, np.inf, -np.inf):
            assert np.isnan(relation.predict(*middle[:index], value, *middle[index + 1 :], **how))


@pytest.mark.parametrize("conversion", list(CONVERSIONS.values()), ids=list(CONVERSIONS))
def test_a_conversion_is_silent_outside_its_range(conversion: object) -> None:
    assert isinstance(conversion, type(KROUPA_TO_CHABRIER))
    low, high = conversion.range
    outside = [value for value in (low - 0.01, high + 0.01, np.nan) if not np.isinf(value)]
    assert np.isnan(conversion.convert(outside, accept_unverified=True)).all()


def test_the_table_is_silent_outside_its_rows_and_knows_three_percentiles() -> None:
    assert np.isnan(TREMONTI_2004_PERCENTILES.predict([8.56, 11.26, np.nan], 84)).all()
    with pytest.raises(ValueError, match="16, 50 or 84"):
        TREMONTI_2004_PERCENTILES.predict([10.0], 25)  # type: ignore[arg-type]


# Nothing is converted in silence, and nothing unverified used in silence.


def test_another_imf_or_scale_needs_a_conversion_by_name() -> None:
    how: dict[str, Any] = {"scale": "Maiolino 2008", "accept_unverified": True}
    with pytest.raises(ValueError, match="'Kroupa 2001' and 'Chabrier 2003'; name the conversion 'Kroupa to Chabrier'"):
        MANNUCCI_2010.predict(10.0, 0.0, imf=KROUPA, **how)
    converted = MANNUCCI_2010.predict(10.0, 0.0, imf=KROUPA, conversions=[KROUPA_TO_CHABRIER], **how)
    assert converted == MANNUCCI_2010.predict(10.0 - 0.056, 0.0, imf=CHABRIER, **how)
    with pytest.raises(ValueError, match="no conversion between the two is known"):
        MANNUCCI_2010.predict(10.0, 0.0, imf=CHABRIER, scale=T04, accept_unverified=True)
    with pytest.raises(ValueError, match="not of one IMF"):
        TREMONTI_2004.predict(10.0, imf=CHABRIER, scale=T04, conversions=[KROUPA_TO_CHABRIER])


def test_metallicities_that_a_relation_takes_are_brought_to_its_scale_first() -> None:
    how: dict[str, Any] = {"imf": KROUPA, "accept_unverified": True}
    scale = PP04_N2_TO_TREMONTI.origin
    converted = LARA_LOPEZ_2010.predict(8.6, 0.0, scale=scale, conversions=[PP04_N2_TO_TREMONTI], **how)
    assert converted == LARA_LOPEZ_2010.predict(PP04_N2_TO_TREMONTI.convert(8.6), 0.0, scale=T04, **how)
    in_chabrier = LARA_LOPEZ_2010.predict(
        9.0, 0.0, scale=T04, imf=CHABRIER, conversions=[KROUPA_TO_CHABRIER], accept_unverified=True
    )
    assert in_chabrier == pytest.approx(LARA_LOPEZ_2010.predict(9.0, 0.0, scale=T04, **how) - 0.056)


def test_what_is_known_from_memory_only_is_not_used_unless_accepted() -> None:
    assert LARA_LOPEZ_2010.unverified
    assert not TREMONTI_2004.unverified
    with pytest.raises(ValueError, match="from memory; pass accept_unverified"):
        LARA_LOPEZ_2010.predict(9.0, 0.0, imf=KROUPA, scale=T04)
    with pytest.raises(ValueError, match="from memory"):
        D02_TO_TREMONTI.convert([8.5])


def test_the_number_of_inputs_is_checked() -> None:
    with pytest.raises(ValueError, match="takes log_mass, log_sfr, not 1"):
        MANNUCCI_2010.predict(10.0, imf=CHABRIER, scale="Maiolino 2008", accept_unverified=True)


def test_the_simulated_survey_has_no_formulas_of_its_own() -> None:
    def is_shared(law: object, formula: object) -> bool:
        return law is formula

    assert is_shared(laws.compute_mass_metallicity, TREMONTI_2004.formula)
    assert is_shared(laws.compute_fundamental, MANNUCCI_2010.formula)
    assert is_shared(laws.compute_main_sequence, compute_main_sequence)


def test_shapes_go_through() -> None:
    values: npt.NDArray[np.float64] = np.full((2, 3), 10.0)
    assert TREMONTI_2004.predict(values, imf=KROUPA, scale=T04).shape == (2, 3)
