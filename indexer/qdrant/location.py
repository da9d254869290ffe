"""Where a collection on a server is, as one writes it where a folder could stand.

======================================  =========================================================
``qdrant://HOST[:PORT]/NAME``           over http; PORT is 6333 when left out
``qdrants://HOST[:PORT]/NAME``          over https
``qdrant:NAME``                         on the server that ``QDRANT_URL`` names
``...NAME?shard_number=6&ef=256``       with options of a new collection, or of the search
======================================  =========================================================

The key is read from ``QDRANT_API_KEY`` and from nowhere else, so that it is in no command line, no
log and no file.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Self
from urllib.parse import SplitResult, parse_qsl, urlsplit

from retrieval.errors import BadInputError

URL = "QDRANT_URL"
KEY = "QDRANT_API_KEY"
_PORT = 6333
_SCHEMES = {"qdrant": "http", "qdrants": "https"}
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_FORM = "Write qdrant://HOST:6333/NAME, qdrants://HOST/NAME (https), or qdrant:NAME with QDRANT_URL"


def is_location(text: str) -> bool:
    """Whether a text names a collection on a server and not a folder.

    Example:
        >>> is_location("qdrant:shoes"), is_location("collections/shoes")
        (True, False)
    """
    return text.partition(":")[0] in _SCHEMES and ":" in text


@dataclass(frozen=True, slots=True)
class Location:
    """A collection's place.

    Attributes:
        url: Of the server, such as "http://127.0.0.1:6333".
        name: Of the collection there.
        options: Text by name, as after the question mark.
        key: Sent to the server, shown nowhere; empty without.
    """

    url: str
    name: str
    options: Mapping[str, str] = field(default_factory=dict)
    key: str = field(default="", repr=False)

    @classmethod
    def parse(cls, text: str, environment: Mapping[str, str]) -> Self:
        """The place that a text names.

        Args:
            text: As in the table above.
            environment: Variables by name.

        Raises:
            BadInputError: Not such a text; or a key in it; or a key that would cross a network
                without encryption.
        """
        parts = urlsplit(text)
        options = dict(parse_qsl(parts.query, keep_blank_values=True))
        if "@" in parts.netloc or any("key" in name.lower() for name in options):
            raise BadInputError(
                f"a location must hold no key or password; got one. Put the key into {KEY}."
            )
        url, name = _of_server(text, parts, environment)
        if not _NAME.fullmatch(name):
            raise BadInputError(
                "a collection's name must be letters, digits, '_', '-' and '.', at most 128; "
                f"got {name!r}. {_FORM}."
            )
        key = environment.get(KEY, "")
        if key and url.startswith("http:") and not _is_loopback(urlsplit(url).hostname or ""):
            raise BadInputError(
                f"{url} must be reached by https when {KEY} is set; got http, where anybody on the "
                "way can read the key. Write qdrants://, or tunnel to 127.0.0.1."
            )
        return cls(url, name, options, key)

    def __str__(self) -> str:
        """The place in words, without the key."""
        return f"{self.url}/collections/{self.name}"


def _of_server(text: str, parts: SplitResult, environment: Mapping[str, str]) -> tuple[str, str]:
    if text.startswith(f"{parts.scheme}://"):
        return _url(_SCHEMES[parts.scheme], parts, text), parts.path.strip("/")
    if parts.scheme != "qdrant" or not environment.get(URL):
        raise BadInputError(f"{text} needs a server; got no {URL}. {_FORM}.")
    server = urlsplit(environment[URL])
    if server.scheme not in ("http", "https") or "@" in server.netloc or server.query:
        raise BadInputError(
            f"{URL} must be http://HOST:PORT or https://HOST:PORT without a password; "
            f"got another text. Put the key into {KEY}."
        )
    return _url(server.scheme, server, URL), parts.path


def _url(scheme: str, parts: SplitResult, where: str) -> str:
    try:
        host, port = parts.hostname, parts.port or _PORT
    except ValueError as error:
        raise BadInputError(f"{where} must have a port from 1 to 65535; got {error}.") from error
    if not host:
        raise BadInputError(f"{where} must name a host; got none. {_FORM}.")
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
