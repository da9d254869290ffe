"""Requests to a server: repeated while it is unavailable, for a limited time, and errors in words.

Only requests that may be sent twice go through here: everything this program asks of a server
either reads, or writes the same thing to the same place.
"""

import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar
from urllib.parse import urlsplit

import httpx
from qdrant_client import QdrantClient, models
from qdrant_client.common.client_exceptions import ResourceExhaustedResponse
from qdrant_client.http.exceptions import ResponseHandlingException, UnexpectedResponse

from retrieval.errors import BadInputError, UnavailableError

from .location import KEY, Location

OLDEST = (1, 16)
"""Servers before this one keep no metadata of a collection."""

_UNAVAILABLE = (408, 429, 500, 502, 503, 504)
_DENIED = (401, 403)
_SHOWN = 200
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a server is waited for.

    Attributes:
        request_seconds: For each answer.
        total_seconds: After so long no further attempt is begun.
        first_wait: Before the second attempt, doubled before each further one; a random half of it
            is left out, so that many clients do not come back at once.
        longest_wait: Between two attempts.
    """

    request_seconds: int = 5
    total_seconds: float = 15.0
    first_wait: float = 0.2
    longest_wait: float = 4.0


class _UnfinishedError(Exception):
    """The server took a change and did not say that it was applied."""


@dataclass
class Server:
    """A server or any node of a cluster.

    Attributes:
        location: Whose URL and key are used.
        patience: How long each request may take.
        transport: Takes the place of the network, for tests.
        client: Takes the place of the whole client, for tests.
    """

    location: Location
    patience: Patience = field(default_factory=Patience)
    transport: httpx.BaseTransport | None = None
    client: QdrantClient | None = None

    def __post_init__(self) -> None:
        """Make the client; nothing is sent yet."""
        if self.client is None:
            # As a header: given as api_key, the client warns of http even on the same machine.
            key = self.location.key
            self.client = QdrantClient(
                url=self.location.url,
                headers={"api-key": key} if key else None,
                timeout=self.patience.request_seconds,
                check_compatibility=False,
                # Certificates take a tenth of a second to load, and http has none.
                verify=self.location.url.startswith("https:"),
                transport=self.transport,
            )

    @property
    def url(self) -> str:
        """Of the server."""
        return self.location.url

    def close(self) -> None:
        """Let go of connections."""
        if self.client is not None:
            self.client.close()

    def check_version(self) -> str:
        """The server's version.

        Raises:
            BadInputError: Not a Qdrant server, or an older one than this program can use.
        """
        version = self.ask("tell its version", lambda client: client.info().version)
        numbers = re.match(r"(\d+)\.(\d+)", version)
        if numbers is None or tuple(map(int, numbers.groups())) < OLDEST:
            raise BadInputError(
                f"{self.url} must be a Qdrant server of version 1.16 or newer; "
                f"got {version[:_SHOWN]!r}. Update the server."
            )
        return version

    def change(
        self, what: str, call: Callable[[QdrantClient], models.UpdateResult]
    ) -> models.UpdateResult:
        """As :meth:`ask`, for a change: only one that was applied counts as done."""

        def finished(client: QdrantClient) -> models.UpdateResult:
            result = call(client)
            if result.status != models.UpdateStatus.COMPLETED:
                raise _UnfinishedError(f"the change was {result.status} and not applied")
            return result

        return self.ask(what, finished)

    def ask(self, what: str, call: Callable[[QdrantClient], _T]) -> _T:
        """The answer to a request.

        Args:
            what: What the server is asked to do, for sentences.
            call: Sends it; must be the same when it is sent twice.

        Raises:
            UnavailableError: The server was unavailable at each attempt.
            BadInputError: It refused the request or the key, or is no Qdrant server. Such a
                request is sent once.
        """
        client = self.client
        if client is None:
            raise BadInputError(f"{self.url} must be open; got it closed.")
        began = time.monotonic()
        wait, attempts = self.patience.first_wait, 0
        while True:
            attempts += 1
            try:
                return call(client)
            except (
                UnexpectedResponse,
                ResponseHandlingException,
                ResourceExhaustedResponse,
                _UnfinishedError,
            ) as error:
                reason, pause = self._unavailable(error, what)
            except (AssertionError, AttributeError, ValueError) as error:
                # So the client stumbles over an answer that is not of the form it knows.
                raise self._no_server(what, type(error).__name__) from error
            pause = max(pause, wait * random.uniform(0.5, 1))
            if time.monotonic() - began + pause > self.patience.total_seconds:
                raise UnavailableError(
                    f"{self.url} must {what}; got {reason} at {attempts} "
                    f"attempt{'s' if attempts > 1 else ''} in {time.monotonic() - began:.1f} s. "
                    "Start the server or check the address, then run the command again."
                )
            time.sleep(pause)
            wait = min(2 * wait, self.patience.longest_wait)

    def plain_client(self) -> httpx.Client:
        """A client for files of the server, which the usual one would read into memory."""
        key = self.location.key
        return httpx.Client(
            base_url=self.url,
            headers={"api-key": key} if key else {},
            timeout=self.patience.request_seconds,
            transport=self.transport,
        )

    def _unavailable(self, error: Exception, what: str) -> tuple[str, float]:
        """Why it was, and how many seconds it wants to be left alone; raises when it was not."""
        if isinstance(error, _UnfinishedError):
            return str(error), 0
        if isinstance(error, ResourceExhaustedResponse):
            return "too many requests (429)", float(error.retry_after_s)
        if isinstance(error, ResponseHandlingException):
            if isinstance(error.source, httpx.TransportError):
                return _transport_reason(error.source, self.patience), 0
            raise self._no_server(what, type(error.source).__name__) from error
        if not isinstance(error, UnexpectedResponse):
            raise error
        return self._status_reason(error, what), 0

    def _status_reason(self, error: UnexpectedResponse, what: str) -> str:
        status = error.status_code or 0
        if status in _UNAVAILABLE:
            return f"{status} {error.reason_phrase}".strip()
        if status in _DENIED:
            raise BadInputError(
                f"{self.url} must accept the key in {KEY} to {what}; got {status} "
                f"{error.reason_phrase}. Set {KEY} to a key with this right."
            ) from error
        said = self._said(error)
        if said is None:
            raise self._no_server(what, f"{status} without an error message") from error
        raise BadInputError(
            f"{self.url} must {what}; got a refusal ({status}): {said}. "
            "Check the collection and its options."
        ) from error

    def _no_server(self, what: str, got: str) -> BadInputError:
        return BadInputError(
            f"{self.url} must {what} as a Qdrant server does; got another answer ({got}). "
            f"Check that {urlsplit(self.url).netloc} is Qdrant's REST port (6333)."
        )

    def _said(self, error: UnexpectedResponse) -> str | None:
        """What the server says of its refusal; a key it may repeat is left out."""
        try:
            said = error.structured()["status"]["error"]
        except (ValueError, KeyError, TypeError):
            return None
        said = str(said)
        return (said.replace(self.location.key, "***") if self.location.key else said)[:_SHOWN]


def _transport_reason(source: httpx.TransportError, patience: Patience) -> str:
    if isinstance(source, httpx.TimeoutException):
        return f"no answer within {patience.request_seconds} s"
    if isinstance(source, httpx.ConnectError):
        return f"no connection ({source})"
    return f"a connection that broke ({type(source).__name__})"
