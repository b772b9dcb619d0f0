"""Promises of the checks of what a service answers: only the image that was asked for is kept."""

from pathlib import Path

import numpy as np
import pytest
import simplejpeg
from hypothesis import given, settings
from hypothesis import strategies as st

from metalight.cutouts.checks import MOST_BLACK, compute_black_share, judge_picture, judge_survey_picture
from metalight.web import Answer
from sky_pictures import encode, make_galaxy, make_message

_OUTSIDE = "NOT FOUND. Requested (ra, dec) is outside the SDSS footprint."


def answer(body: bytes, *, status: int = 200, kind: str = "image/jpeg", reason: str = "OK") -> Answer:
    return Answer("http://example.org", status, kind, reason, body)


def judge(given: Answer) -> tuple[str, str, str]:
    verdict = judge_picture(given, width=128, height=128)
    return verdict.kind, verdict.refusal, verdict.reason


def test_the_picture_of_a_galaxy_is_good() -> None:
    assert judge(answer(make_galaxy(1)))[0] == "good"


def test_the_status_comes_before_the_body() -> None:
    for status in (201, 204, 301, 400, 403, 410, 501):
        kind, refusal, reason = judge(answer(make_galaxy(1), status=status, reason="WORDS"))
        assert (kind, refusal) == ("final", "service_error")
        assert reason == f"the service answered with status {status} (WORDS)"


def test_404_with_words_on_the_footprint_is_final() -> None:
    given = answer(make_message("outside"), status=404, reason=_OUTSIDE)
    assert judge(given)[:2] == ("final", "outside_footprint")


def test_404_with_a_picture_but_without_words_is_asked_again_and_with_a_page_is_not() -> None:
    assert judge(answer(make_message("?"), status=404, reason="Not Found"))[:2] == ("again", "service_error")
    page = answer(b"<html>", status=404, kind="text/html", reason="Not Found")
    assert judge(page)[:2] == ("final", "service_error")


@pytest.mark.parametrize("kind", ["text/html", "", "application/json", "image/png"])
def test_another_type_is_asked_again(kind: str) -> None:
    verdict, refusal, reason = judge(answer(make_galaxy(1), kind=kind))
    assert (verdict, refusal) == ("again", "service_error")
    assert "not a JPEG picture" in reason


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "does not begin as JPEG does"),
        (b"<html>error</html>", "does not begin as JPEG does"),
        (make_galaxy(1)[:-300], "cut short"),
        (make_galaxy(1)[:20], "cut short"),
        (make_galaxy(1, side=64), "64 × 64 px, where 128 × 128 were asked for"),
        (encode(np.full((128, 100, 3), 9, np.uint8)), "100 × 128 px"),
        (encode(np.random.default_rng(1).integers(0, 255, (128, 128), np.uint8)), "the colours Gray"),
        (make_message("Requested (ra, dec) is outside the SDSS footprint."), "% of its pixels are exactly black"),
        (encode(np.zeros((128, 128, 3), np.uint8)), "100 % of its pixels are exactly black"),
    ],
)
def test_a_body_that_is_not_the_picture_is_an_invalid_image(body: bytes, words: str) -> None:
    kind, refusal, reason = judge(answer(body))
    assert (kind, refusal) == ("again", "invalid_image")
    assert words in reason


def test_a_picture_of_one_colour_is_outside_the_footprint_of_surveys_that_show_it_so() -> None:
    for level in (0, 32, 255):
        given = answer(encode(np.full((128, 128, 3), level, np.uint8)))
        verdict = judge_survey_picture(given, width=128, height=128)
        assert (verdict.kind, getattr(verdict, "refusal", "")) == ("final", "outside_footprint")
    for body in (make_galaxy(1), make_message("text"), b"", make_galaxy(1)[:-300]):
        assert judge_survey_picture(answer(body), width=128, height=128) == judge_picture(
            answer(body), width=128, height=128
        )


def test_the_share_of_black_counts_pixels_that_are_zero_in_all_channels() -> None:
    pixels = np.ones((10, 10, 3), np.uint8)
    pixels[:5] = 0
    pixels[0, 0, 2] = 1
    assert compute_black_share(pixels) == pytest.approx(0.49)


def test_no_real_galaxy_is_taken_for_a_message(shared_folder: Path) -> None:
    files = sorted((shared_folder / "real-sample" / "images").glob("*.jpg"))
    bodies = [file.read_bytes() for file in files]
    assert len(bodies) >= 400
    shares = [compute_black_share(simplejpeg.decode_jpeg(body, "RGB")) for body in bodies]
    assert max(shares) < 0.15
    assert {judge(answer(body))[0] for body in bodies} == {"good"}


@given(seed=st.integers(0, 2**32 - 1), quality=st.integers(20, 100))
@settings(max_examples=100, deadline=None)
def test_black_is_judged_as_the_colours_tell_however_dark_or_colourful_it_is(seed: int, quality: int) -> None:
    random = np.random.default_rng(seed)
    faint = random.integers(0, 4, (16, 16, 3)).repeat(8, axis=0).repeat(8, axis=1)
    strong = random.integers(0, 256, (128, 128, 3)) * random.integers(0, 2, (1, 1, 3))
    pixels = np.where(random.random((128, 128, 1)) < random.random(), faint, strong).astype(np.uint8)
    pixels[: random.integers(0, 128)] = 0
    data = simplejpeg.encode_jpeg(pixels, quality=quality, colorsubsampling=str(random.choice(["444", "422", "420"])))
    is_black = compute_black_share(simplejpeg.decode_jpeg(data, "RGB")) > MOST_BLACK
    verdict, _, reason = judge(answer(data))
    assert (verdict, "exactly black" in reason) == (("again", True) if is_black else ("good", False))


@given(seed=st.integers(0, 2**32 - 1), is_cut=st.booleans())
@settings(max_examples=150, deadline=None)
def test_damage_is_noticed_that_decoding_in_colour_notices(seed: int, is_cut: bool) -> None:
    random = np.random.default_rng(seed)
    whole = make_galaxy(int(random.integers(5)))
    place = int(random.integers(4, len(whole)))
    data = whole[:place] if is_cut else whole[:place] + random.bytes(1) + whole[place + 1 :]
    try:
        height, width, colours, _ = simplejpeg.decode_jpeg_header(data)
        pixels = simplejpeg.decode_jpeg(data, "RGB", strict=True)
        is_fine = (height, width, colours) == (128, 128, "YCbCr") and compute_black_share(pixels) <= MOST_BLACK
    except ValueError:
        is_fine = False
    assert judge(answer(data))[0] == ("good" if is_fine else "again")
