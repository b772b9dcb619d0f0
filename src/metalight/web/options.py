"""How libcurl is to ask: with a name, by which proxy, and whose certificates it trusts."""

import os
import ssl
import sys
from collections.abc import Sequence
from pathlib import Path

import pycurl

from metalight import __version__
from metalight.recipe import NetworkSettings

MOST_REDIRECTS = 5

Option = tuple[int, object]
"""An option of libcurl, and its value."""

_BUNDLES = (
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
    "/etc/ssl/cert.pem",
)
"""Where systems keep the certificates that they trust, for a Python that looks elsewhere."""


def list_options(settings: NetworkSettings, headers: Sequence[str], *, is_packed: bool = True) -> list[Option]:
    """How to ask.

    Args:
        settings: Who asks, and how patiently.
        headers: Of every request.
        is_packed: Whether answers may come compressed.
    """
    options: list[Option] = [
        (pycurl.HTTP_VERSION, pycurl.CURL_HTTP_VERSION_1_1),
        (pycurl.PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.REDIR_PROTOCOLS, pycurl.PROTO_HTTP | pycurl.PROTO_HTTPS),
        (pycurl.FOLLOWLOCATION, 1),
        (pycurl.MAXREDIRS, MOST_REDIRECTS),
        (pycurl.NOSIGNAL, 1),  # signals are Python's
        (pycurl.CONNECTTIMEOUT_MS, max(1, round(1000 * settings.timeout_s))),
        (pycurl.USERAGENT, _name_agent(settings.contact).encode()),
        (pycurl.HTTPHEADER, list(headers)),
        (pycurl.COOKIEFILE, ""),  # cookies are kept, in memory
    ]
    if is_packed:
        options.append((pycurl.ACCEPT_ENCODING, "gzip, deflate"))
    return options + _list_certificates()


def _name_agent(contact: str) -> str:
    """How we introduce ourselves to services."""
    words = " ".join(contact.split())
    return f"metalight/{__version__}" + (f" ({words})" if words else "")


def name_http_proxy() -> None:
    """Let libcurl hear of the proxy for plain addresses that the environment names in capitals, as it does of others.

    It knows http_proxy in small letters only: where a program serves the web, HTTP_PROXY may be a stranger's header.
    As an option of libcurl it would be asked for what plain addresses redirect to as well, whatever HTTPS_PROXY says.
    """
    if "HTTP_PROXY" in os.environ and "REQUEST_METHOD" not in os.environ:
        os.environ.setdefault("http_proxy", os.environ["HTTP_PROXY"])


def _list_certificates() -> list[Option]:
    """Whose certificates are trusted: those that the system trusts, or those in SSL_CERT_FILE and SSL_CERT_DIR."""
    if sys.platform in ("darwin", "win32") and not {"SSL_CERT_FILE", "SSL_CERT_DIR"} & os.environ.keys():
        return [(pycurl.SSL_OPTIONS, pycurl.SSLOPT_NATIVE_CA)]
    known = ssl.get_default_verify_paths()
    bundle = known.cafile or next((path for path in _BUNDLES if Path(path).is_file()), "")
    found = ((pycurl.CAINFO, bundle), (pycurl.CAPATH, known.capath or ""))
    return [(option, path) for option, path in found if path]
