"""Services on the network: the one place that speaks HTTP, at a pace, and again where that may help."""

from metalight.web.client import Answer, Outcome, Verdict, WebClient
from metalight.web.pace import Pace

__all__ = ["Answer", "Outcome", "Pace", "Verdict", "WebClient"]
