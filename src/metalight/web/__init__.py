"""Services on the network: the one place that speaks HTTP, at a pace, and again where that may help."""

from metalight.web.answer import Answer, Errand, Outcome, Request, Verdict, join_query, judge_status
from metalight.web.client import WebClient
from metalight.web.files import CHECKSUM, compute_checksum, fetch_file
from metalight.web.pace import Pace
