"""Answers of the stand-in, before they are sent, and the pictures and pages that say what is wrong."""

import html
import io
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from PIL import Image

HTML = "text/html; charset=utf-8"
JPEG = "image/jpeg"


@dataclass(frozen=True, slots=True)
class Answer:
    """Status, headers and body of an answer."""

    kind: str
    """What it is counted as."""

    status: int
    content_type: str
    body: bytes
    reason: str = ""
    """The words beside the status; left out: those of the status."""

    headers: tuple[tuple[str, str], ...] = ()
    """Beside the type and length of the body."""


def build_page(kind: str, status: int, title: str, text: str) -> Answer:
    """A page of HTML that says what is wrong."""
    page = (
        f"<!DOCTYPE html>\n<html><head><title>{html.escape(title)}</title></head>\n"
        f"<body><h1>{html.escape(title)}</h1><p>{html.escape(text)}</p></body></html>\n"
    )
    return Answer(kind, status, HTML, page.encode())


def build_error(kind: str, text: str, *, is_old_release: bool = False) -> Answer:
    """What SkyServer makes of an error of its database."""
    if is_old_release:
        return build_page(kind, 200, "Skyserver Error", text)
    told = {"ErrorCode": 500, "ErrorType": "InternalServerError", "ErrorMessage": text, "LogMessageID": None}
    return Answer(kind, 500, "application/json; charset=utf-8", json.dumps(told).encode(), "InternalServerError")


def build_error_row(kind: str, text: str) -> Answer:
    """The table that SkyServer's procedure answers with in place of a query that it does not let through."""
    return Answer(kind, 200, "text/plain; charset=utf-8", f'#Table1\nerror_message\n"{text}"\n'.encode())


def build_notice(kind: str, status: int, text: str, width: int, height: int, *, reason: str = "") -> Answer:
    """A black JPEG with a text on it, as SkyServer sends for what it cannot show (SDSS source, as collected)."""
    from PIL import Image, ImageDraw

    picture = Image.new("RGB", (width, height))
    # About 6 pixels a letter, in the font that Pillow brings along.
    letters = max(8, width // 6 - 1)
    words, lines = text.split(), [""]
    for word in words:
        longer = f"{lines[-1]} {word}".strip()
        lines = [*lines[:-1], longer] if len(longer) <= letters else [*lines, word]
    ImageDraw.Draw(picture).multiline_text((3, 3), "\n".join(lines), fill=(255, 255, 255))
    return Answer(kind, status, JPEG, encode_jpeg(picture), reason)


def resize_jpeg(jpeg: bytes, width: int, height: int) -> bytes:
    """The picture of a JPEG file in another size."""
    from PIL import Image

    with Image.open(io.BytesIO(jpeg)) as picture:
        return encode_jpeg(picture.convert("RGB").resize((width, height), Image.Resampling.BILINEAR))


def encode_jpeg(picture: "Image.Image") -> bytes:
    """A JPEG file of ordinary quality."""
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=75)
    return buffer.getvalue()
