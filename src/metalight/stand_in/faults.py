"""How the stand-in misbehaves when it is told to: which requests, in which way, always the same ones.

Most faults pass. Whether a try of a request is faulty follows from the seed, the request and how often it was asked
before; it is drawn again for each try, and after a few faults in a row the next answer is right. So a client that asks
again gets everything in the end, and a run with faults can be held to the result of a run without any.

Two do not pass by their nature: a client must take a 404, or a black picture that says that there is none, for the
last word. They are drawn by the galaxy: such a galaxy is outside the footprint in every try and in every run of the
seed, whatever the shares of the other faults.
"""

import hashlib
import math
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field

from metalight.errors import RunError, name_nearest, shorten
from metalight.stand_in.answer import Answer, build_error, build_error_row, build_notice, build_page

FAULTS = {
    "429": "status 429 with Retry-After",
    "500": "status 500 with a JPEG body; of a query, with HTML",
    "html": "status 200 with a page of HTML",
    "truncated": "a body that ends before its promised length",
    "longer": "a body longer than its promised length",
    "size": "a picture of another size than asked for; queries have none",
    "reset": "the connection is reset instead of an answer",
    "drip": "the answer comes slowly, piece by piece",
    "redirect": "status 302 to the same thing, with a marker",
    "quota": "of a query: a table that says that there were too many in a minute",
    "deadlock": "of a query: status 500 with JSON, for a trouble of the database that passes",
    "sql": "of a query: status 500 with JSON that calls the query wrong, which a client believes",
    "blank": "of a query: a blank line at the end of the table",
    "unended": "of a query: no line break at the end of the table",
    "untitled": "of a query: no line #Table1",
    "404": "lasting, by galaxy: status 404 with a JPEG body",
    "black": "lasting, by galaxy: status 200 with a black JPEG that carries a text",
}
"""The kinds of faults, and what each is on the wire."""

OF_QUERIES = ("quota", "deadlock", "sql", "blank", "unended", "untitled")
"""Kinds that pictures do not have."""

LASTING = ("404", "black")
"""Kinds that belong to a galaxy and do not pass."""

REDIRECT_MARKER = "&redirected="

OUTSIDE = "Requested (ra, dec) is outside the SDSS footprint."

_CERTAIN = 1 - 1e-9


@dataclass(frozen=True)
class Faults:
    """Faults and how often they occur."""

    shares: Mapping[str, float] = field(default_factory=dict)
    """Share of the answers by kind of `FAULTS`; of the galaxies for 404 and black. Where those that pass are 1 or more
    together, every answer is faulty and none ever passes."""

    seed: int = 0
    most_in_a_row: int = 3
    """After so many faults the next answer to the same request is right."""

    retry_after_s: int = 1
    """What an answer of status 429 asks to wait."""

    drip_s: float = 1.0
    """How long a slow answer takes."""

    gap: tuple[float, float, float, float] | None = None
    """Least and greatest right ascension, least and greatest declination in degrees of a box of the sky that has no
    images; if the first is greater than the second, the box goes over 0."""

    def __post_init__(self) -> None:
        """Refuse shares that are none.

        Raises:
            RunError: A kind is unknown, or a share or the sum of them is not within 0 to 1, or the gap is not a box.
        """
        for kind, share in self.shares.items():
            if kind not in FAULTS:
                raise RunError(f"There is no fault '{shorten(kind)}'.{name_nearest(kind[:80], list(FAULTS))}")
            if not 0 <= share <= 1:
                raise RunError(f"The share of the fault {kind} must be 0 to 1, and is {share:g}; use a part of 1.")
        for what, kinds in (("that pass", _PASSING), ("that last", LASTING)):
            total = math.fsum(self.shares.get(kind, 0) for kind in kinds)
            if total > 1 + 1e-9:
                raise RunError(f"The shares of the faults {what} are {total:g} together, more than 1; use less.")
        if self.gap is not None and not (all(map(math.isfinite, self.gap)) and self.gap[2] < self.gap[3]):
            raise RunError(
                "A gap is RA_MIN RA_MAX DEC_MIN DEC_MAX in degrees, with DEC_MIN below DEC_MAX, not "
                f"{' '.join(f'{value:g}' for value in self.gap)}."
            )

    def is_in_gap(self, ra_deg: float, dec_deg: float) -> bool:
        """Whether a place is in the box without images."""
        if self.gap is None:
            return False
        ra_min, ra_max, dec_min, dec_max = self.gap
        whole = ra_max - ra_min >= 360
        return dec_min <= dec_deg <= dec_max and (whole or (ra_deg - ra_min) % 360 <= (ra_max - ra_min) % 360)

    def find_lasting(self, object_id: int) -> str:
        """The lasting fault of a galaxy; empty if it has none."""
        if not any(self.shares.get(kind) for kind in LASTING):
            return ""
        return _pick(self.shares, LASTING, _draw_uniform(self.seed, "galaxy", object_id))


_PASSING = tuple(kind for kind in FAULTS if kind not in LASTING)


class FaultDraw:
    """Draws the fault of each try of each request; may be shared by threads."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._total = math.fsum(faults.shares.get(kind, 0) for kind in _PASSING)
        self._lock = threading.Lock()
        # By a digest: a request may be long, and there may be many.
        self._asked: dict[bytes, tuple[int, int]] = {}

    def draw(self, request: str) -> str:
        """The fault of the next answer to a request, of those that pass; empty if there is none."""
        if not self._total:
            return ""
        request = request.partition(REDIRECT_MARKER)[0]
        key = hashlib.blake2b(request.encode(), digest_size=16).digest()
        with self._lock:
            num_asked, in_a_row = self._asked.get(key, (0, 0))
            kind = _pick(self._faults.shares, _PASSING, _draw_uniform(self._faults.seed, request, num_asked))
            if in_a_row >= self._faults.most_in_a_row and self._total < _CERTAIN:
                kind = ""
            self._asked[key] = (num_asked + 1, in_a_row + 1 if kind else 0)
        return kind


def build_lasting(kind: str, width: int, height: int) -> Answer:
    """What is answered for a galaxy with a lasting fault."""
    if kind == "black":
        return build_notice("black", 200, OUTSIDE, width, height)
    return build_notice("404", 404, OUTSIDE, width, height, reason=f"NOT FOUND. {OUTSIDE}")


def build_instead(kind: str, faults: Faults, request: str, sql: str, *, is_picture: bool) -> Answer | None:
    """The answer that stands in place of the right one; None for faults that need the right one.

    Args:
        kind: Of `FaultDraw.draw`.
        faults: How long to ask to wait.
        request: The target of the request, path and query.
        sql: The query that is asked, if rows are.
        is_picture: Whether a picture was asked for, and not rows of a table.
    """
    if kind == "429":
        page = build_page(kind, 429, "Too Many Requests", "You have sent too many requests; wait a moment.")
        return Answer(kind, 429, page.content_type, page.body, headers=(("Retry-After", str(faults.retry_after_s)),))
    if kind == "500":
        text = "The server is too busy."
        if not is_picture:
            return build_page(kind, 500, "Internal Server Error", text)
        return build_notice(kind, 500, text, 128, 128, reason=f"INTERNAL SERVER ERROR. {text}")
    if kind == "quota":
        return build_error_row(kind, f"ERROR: Maximum 60 queries allowed per minute. Rejected query: {sql[:1000]}")
    if kind == "deadlock":
        return build_error(kind, "Transaction (Process ID 51) was deadlocked on lock resources. Rerun the transaction.")
    if kind == "sql":
        return build_error(kind, "Invalid object name 'galSpecExtra'.")
    if kind == "html":
        return build_page(kind, 200, "Service Unavailable", "The proxy cannot reach the service.")
    if kind == "redirect":
        path, _, number = request.partition(REDIRECT_MARKER)
        again = int(number) + 1 if number.isdigit() else 1
        page = build_page(kind, 302, "Object moved", "It is elsewhere.")
        place = f"{path}{REDIRECT_MARKER}{again}"
        return Answer(kind, 302, page.content_type, page.body, headers=(("Location", place),))
    return None


def change_table(kind: str, table: bytes) -> bytes:
    """The table of a right answer, written in an odd way."""
    if kind == "blank":
        return table + b"\n"
    if kind == "unended":
        return table.rstrip(b"\n")
    return table.partition(b"\n")[2] if kind == "untitled" else table


def _pick(shares: Mapping[str, float], kinds: tuple[str, ...], place: float) -> str:
    """The kind in whose share of 0 to 1 a place lies; empty if in none."""
    edge = 0.0
    for kind in kinds:
        edge += shares.get(kind, 0)
        if place < edge:
            return kind
    # Shares that are 1 together may be a little less in floating point.
    return max(kinds, key=lambda kind: shares.get(kind, 0)) if edge >= _CERTAIN else ""


def _draw_uniform(seed: int, what: str, number: int) -> float:
    """A number from 0 to 1 that depends on nothing else."""
    digest = hashlib.blake2b(f"{seed} {number} {what}".encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
