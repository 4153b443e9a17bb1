"""A recorded session: everything that went over the wire between a client and an exchange, with arrival times.

A session is a folder. ``session.json`` says what it is; ``events-000001.jsonl.gz`` and so on hold one JSON object a
line, in the order in which things happened. A file that a crash cut off is read as far as it goes.
"""

import base64
import gzip
import json
import logging
import math
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, TypeAlias, cast

from hlpairs_core.exceptions import InputError, StoreError, StoreNotWritable

__all__ = ["MANIFEST", "Session", "SessionEvent", "SessionWriter", "is_session", "read_session"]

log = logging.getLogger(__name__)

MANIFEST = "session.json"
VERSION = 1
FILE_BYTES = 64 * 2**20
# What a crash can lose at most, in seconds of recording.
FLUSH_SECONDS = 1.0
# Of an answer's headers, those that say which market it came from.
_HEADERS = ("x-hlpairs-market", "x-hlpairs-market-name", "x-hlpairs-speed", "x-hlpairs-time", "date")

Kind: TypeAlias = Literal["answered", "opened", "sent", "received", "closed"]


@dataclass(frozen=True)
class SessionEvent:
    """One thing that happened on the wire.

    Attributes
    ----------
    kind : {"answered", "opened", "sent", "received", "closed"}
        An answered request, or a step in a WebSocket's life.
    at : float
        When it arrived or was sent (seconds since 1970, clock of the client that recorded).
    socket : int
        Number of the WebSocket; 0 for requests.
    text : str
        Frame, or the reason of a closing.
    body : dict
        Of a request.
    status : int or None
        HTTP status; None where no answer came.
    headers : mapping of str to str
        Of an answer, lower case: those that say which market it came from.
    reply : bytes
        Body of an answer.
    sent_at : float
        When a request was sent; NaN for the rest.
    """

    kind: Kind
    at: float
    socket: int = 0
    text: str = ""
    body: Mapping[str, Any] | None = None
    status: int | None = None
    headers: Mapping[str, str] | None = None
    reply: bytes = b""
    sent_at: float = math.nan


@dataclass(frozen=True)
class Session:
    """A recorded session.

    Attributes
    ----------
    folder : pathlib.Path
        Where it lies.
    address : str
        The exchange's.
    started_at : float
        When the recording began (seconds since 1970).
    """

    folder: Path
    address: str
    started_at: float

    def events(self) -> Iterator[SessionEvent]:
        """Yield all events in the order of their arrival.

        Raises
        ------
        InputError
            If a line, other than a last one that was cut off, is no event.
        """
        for path in sorted(self.folder.glob("events-*.jsonl.gz")):
            for number, line in enumerate(_lines(path), 1):
                yield _event(line, f"{path.name}:{number}")


class SessionWriter:
    """Writes a session; a `hlpairs_core.exchange.Tap`.

    What the disk refuses ends the recording, never the program that is recorded: `trouble` then says why.

    Parameters
    ----------
    folder : pathlib.Path
        New or empty.
    address : str
        The exchange's.
    started_at : float
        Seconds since 1970.
    file_bytes : int
        A new file is begun after so many bytes before compression.

    Raises
    ------
    StoreNotWritable
        If the folder cannot be made or written.
    StoreError
        If it already holds something.
    """

    def __init__(self, folder: Path, *, address: str, started_at: float, file_bytes: int = FILE_BYTES) -> None:
        self.folder = folder
        self.trouble: str | None = None
        self.events = 0
        self._file_bytes = file_bytes
        self._written = 0
        self._number = 1
        self._flushed_at = started_at
        manifest = {"version": VERSION, "address": address, "started_at": started_at}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            if any(folder.iterdir()):
                raise StoreError(f"{folder} is not empty: a session needs a folder of its own")
            (folder / MANIFEST).write_text(json.dumps(manifest) + "\n", encoding="utf-8")
            self._file: gzip.GzipFile | None = self._opened()
        except OSError as error:
            raise StoreNotWritable(f"cannot record to {folder}: {error.strerror}") from error

    def answered(
        self,
        body: dict[str, object],
        *,
        sent_at: float,
        received_at: float,
        status: int | None,
        headers: Mapping[str, str],
        reply: bytes,
    ) -> None:
        """Keep an answered request; what was asked about an account is nobody's who is handed the session."""
        if "user" in body:
            return
        kept = {name: headers[name] for name in _HEADERS if name in headers}
        line = {"e": "answered", "at": received_at, "sent": sent_at, "body": body, "status": status, "headers": kept}
        self._write(received_at, line | _encoded(reply))

    def opened(self, socket: int, *, at: float) -> None:
        """Keep that a WebSocket was opened."""
        self._write(at, {"e": "opened", "at": at, "s": socket})

    def sent(self, socket: int, text: str, *, at: float) -> None:
        """Keep a frame that was sent."""
        self._write(at, {"e": "sent", "at": at, "s": socket, "text": text})

    def received(self, socket: int, text: str, *, at: float) -> None:
        """Keep a frame that arrived."""
        self._write(at, {"e": "received", "at": at, "s": socket, "text": text})

    def closed(self, socket: int, reason: str, *, at: float) -> None:
        """Keep that a WebSocket was closed."""
        self._write(at, {"e": "closed", "at": at, "s": socket, "text": reason})

    def close(self) -> None:
        """Finish the session; idempotent."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                self._stop(error)

    def _write(self, at: float, line: dict[str, Any]) -> None:
        if self._file is None:
            return
        data = (json.dumps(line, separators=(",", ":")) + "\n").encode("utf-8", "surrogatepass")
        try:
            self._file.write(data)
            self.events += 1
            self._written += len(data)
            if not 0 <= at - self._flushed_at < FLUSH_SECONDS:
                self._file.flush()
                self._flushed_at = at
            if self._written >= self._file_bytes:
                self._file.close()
                self._number, self._written = self._number + 1, 0
                self._file = self._opened()
        except OSError as error:
            self._stop(error)

    def _opened(self) -> gzip.GzipFile:
        return gzip.GzipFile(self.folder / f"events-{self._number:06d}.jsonl.gz", "xb", compresslevel=3)

    def _stop(self, error: OSError) -> None:
        self._file = None
        self.trouble = f"the recording in {self.folder} ended after {self.events:,} events: {error.strerror or error}"
        log.warning("%s", self.trouble)


def is_session(folder: Path) -> bool:
    """Whether a folder holds a recorded session."""
    return (folder / MANIFEST).is_file()


def read_session(folder: Path) -> Session:
    """Open a recorded session.

    Raises
    ------
    InputError
        If the folder holds none, or one of another version.
    """
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        version, address, started_at = manifest["version"], manifest["address"], float(manifest["started_at"])
    except (OSError, ValueError, LookupError, TypeError) as problem:
        raise InputError(f"{folder} holds no recorded session: {MANIFEST} cannot be read ({problem})") from None
    if version != VERSION:
        raise InputError(f"{folder} holds a session of version {version!r}: this program reads version {VERSION}")
    return Session(folder, str(address), started_at)


def _lines(path: Path) -> Iterator[bytes]:
    """Yield the whole lines of a file, as far as it goes."""
    unpack, rest = zlib.decompressobj(wbits=31), b""
    with path.open("rb") as file:
        while chunk := file.read(2**18):
            try:
                rest += unpack.decompress(chunk)
            except zlib.error as problem:
                raise InputError(f"{path} is damaged: {problem}") from None
            *whole, rest = rest.split(b"\n")
            yield from whole
    if rest:
        log.info("%s ends in the middle of a line: it is read up to there", path)


def _event(line: bytes, where: str) -> SessionEvent:
    try:
        fields = json.loads(line)
        kind, at = fields["e"], float(fields["at"])
        if kind == "answered":
            return SessionEvent(
                kind,
                at,
                body=fields["body"],
                status=fields["status"],
                headers=fields["headers"],
                reply=_reply(fields),
                sent_at=float(fields["sent"]),
            )
        return SessionEvent(cast("Kind", kind), at, int(fields["s"]), str(fields.get("text", "")))
    except (ValueError, LookupError, TypeError) as problem:
        raise InputError(f"{where} is no event of a session: {problem!r}") from None


def _encoded(reply: bytes) -> dict[str, str]:
    try:
        return {"reply": reply.decode("utf-8")}
    except UnicodeDecodeError:
        return {"reply64": base64.b64encode(reply).decode("ascii")}


def _reply(fields: Mapping[str, Any]) -> bytes:
    if "reply64" in fields:
        return base64.b64decode(fields["reply64"])
    return str(fields["reply"]).encode("utf-8")
