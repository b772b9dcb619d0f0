"""How much work it is to decode a JPEG file: a progressive one is decoded once for each of its scans."""

MOST_SCANS = 100
"""Usual programs write 1 to 20. A file of thousands, each of a few bytes, would be decoded for hours."""

_START_OF_SCAN = b"\xff\xda"


def has_too_many_scans(data: bytes) -> bool:
    """Whether a JPEG file may have more scans than `MOST_SCANS`; within compressed data, no 0xDA follows 0xFF."""
    return data.count(_START_OF_SCAN) > MOST_SCANS
