"""Requests to a service, its answers, and the verdicts on them."""

import re
import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from metalight.errors import shorten

STATUSES_THAT_PASS = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Statuses that may be another one the next time."""

_LONGEST_WORDS = 200


@dataclass(frozen=True, slots=True)
class Answer:
    """A complete answer of a service."""

    url: str
    """Where it came from, after redirects."""

    status: int
    content_type: str
    """Media type, without parameters, in small letters."""

    reason: str
    """The words beside the status."""

    body: bytes


@dataclass(frozen=True)
class Verdict:
    """The verdict on an answer."""

    kind: Literal["good", "again", "final"]
    """`again`: asking once more may help; `final`: it will not."""

    reason: str = ""
    """Why it is not good, as words that stand after a colon."""

    most_tries: int = 100
    """Of `again`: after so many tries it is taken for the last word."""

    is_unreachable: bool = False
    """There is no connection to the service, which has never answered."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Outcome of a request, after the allowed number of tries."""

    answer: Answer | None
    """The last one; None if there was none."""

    verdict: Verdict
    """On it; `again` if no try was left."""

    num_tries: int


@dataclass(frozen=True, slots=True)
class Request:
    """One thing to ask for."""

    url: str
    """With the query."""

    judge: Callable[[Answer], Verdict]
    """Tells what an answer is worth, whatever its status."""

    max_bytes: int
    """An answer that is longer is not read to its end, and will not be good."""


@dataclass(slots=True)
class Errand:
    """Requests to be made one after the other, as long as what comes of them is good."""

    requests: Sequence[Request]
    """At least one."""

    outcomes: list[Outcome] = field(default_factory=list)
    """Of the requests made so far; the last of them alone may not be good."""


def judge_status(answer: Answer) -> Verdict:
    """The verdict on an answer by its status alone."""
    if answer.status == 200:
        return Verdict("good")
    words = f" ({shorten(answer.reason, _LONGEST_WORDS)})" if answer.reason else ""
    kind: Literal["again", "final"] = "again" if answer.status in STATUSES_THAT_PASS else "final"
    return Verdict(kind, f"the service answered with status {answer.status}{words}")


def join_query(url: str, parameters: Mapping[str, str] | None) -> str:
    """An address with the parameters of a query."""
    if not parameters:
        return url
    if _PLAIN.fullmatch("".join([*parameters, *parameters.values()])):
        query = "&".join([f"{name}={value}" for name, value in parameters.items()])
    else:
        query = urllib.parse.urlencode(parameters)
    return f"{url}{'&' if '?' in url else '?'}{query}"


_PLAIN = re.compile(r"[A-Za-z0-9_.~-]*")
"""What stands in a query as it is. Most of what we ask is no more than that, and is put together at once."""
