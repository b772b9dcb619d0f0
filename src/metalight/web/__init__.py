"""Services on the network: the one place that speaks HTTP, at a pace, and again where that may help."""

from metalight.web.client import Answer, Outcome, Verdict, WebClient
from metalight.web.files import CHECKSUM, compute_checksum, fetch_file
from metalight.web.pace import Pace

__all__ = ["CHECKSUM", "Answer", "Outcome", "Pace", "Verdict", "WebClient", "compute_checksum", "fetch_file"]
