"""A credit bureau on this machine, with the wire format and the bad days of a real one.

It speaks what docs/reference/bureau.md says, written apart from the channel. What it reports of a
person follows from its seed and the person's reference, so that it says the same on every machine.
"""

import hashlib
import hmac
import json
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FEE = "1.00"  # yuan for a report; that there is no such person costs nothing
STAMP = "%Y%m%d%H%M%S"
CLOCKS_APART_MAX = timedelta(minutes=5)
REQUEST_BYTES_MAX = 1 << 14
NONCES_MAX = 10_000
UNKNOWN_PERCENT = 8  # of people have no file
DRIP_SECONDS = 0.05
SUBSCRIBER, SECRET = "sandbox", "sandbox-secret"  # they guard nothing


class Mood(StrEnum):
    """How the bureau behaves; all but the first are what happens on a bad day."""

    NORMAL = "normal"
    SLOW = "slow"  # answers after `pause_seconds`
    HANG = "hang"  # takes the request and says nothing
    DRIP = "drip"  # sends a byte now and then, for ever
    NONSENSE = "nonsense"  # no JSON, but signed
    DEEP = "deep"  # JSON so nested that a parser gives up
    FORGED = "forged"  # a good answer with another's signature
    MIXED_UP = "mixed-up"  # the answer to another enquiry
    OUT_OF_RANGE = "out-of-range"  # a score no scale has
    CUT_OFF = "cut-off"  # ends in the middle
    ENDLESS = "endless"
    BUSY = "busy"
    BUSY_ONCE = "busy-once"  # each enquiry is turned away the first time
    BROKEN = "broken"  # status 500


@dataclass(slots=True)
class Served:
    """What the bureau did so far."""

    requests: int = 0
    reports: int = 0
    fees: int = 0  # reports charged; one asked for again by its number is not charged again


class SandboxBureau:
    """The server. Use it as a context manager; `url` is where it answers."""

    def __init__(
        self,
        now: Callable[[], datetime],
        *,
        seed: int = 1,
        mood: Mood = Mood.NORMAL,
        port: int = 0,
        pause_seconds: float = 0.0,
    ) -> None:
        self.mood = mood
        self.pause_seconds = pause_seconds
        self.served = Served()
        self.now, self.seed = now, seed
        self.closing = threading.Event()
        self._nonces: dict[str, None] = {}
        self._known: dict[str, dict[str, Any]] = {}  # answers by request number
        self._turned_away: set[str] = set()
        self._lock = threading.Lock()
        bureau = self

        class Desk(_Desk):
            house = bureau

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Desk)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> "SandboxBureau":
        threading.Thread(
            target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True
        ).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()

    def serve_forever(self) -> None:
        """Answer until interrupted."""
        self._server.serve_forever()

    def answer(self, headers: dict[str, str], body: bytes) -> dict[str, Any]:
        """Return the table that answers a request: a report, or a code that says why not."""
        with self._lock:
            self.served.requests += 1
            refusal = self._refusal(headers, body)
            if refusal:
                return refusal
            asked = json.loads(body)
            number = str(asked["reqNo"])
            if self.mood is Mood.BUSY or (
                self.mood is Mood.BUSY_ONCE and number not in self._turned_away
            ):
                self._turned_away.add(number)
                return _code("3001", "try later", number)
            if number not in self._known:
                self._known[number] = self._report(str(asked["subj"]), number)
                self.served.fees += "rpt" in self._known[number]
            self.served.reports += 1
            return self._known[number]

    def _refusal(self, headers: dict[str, str], body: bytes) -> dict[str, Any] | None:
        moment, nonce = headers.get("x-sub-time", ""), headers.get("x-sub-nonce", "")
        signed = sign("POST", "/v1/reports", moment, nonce, body)
        if headers.get("x-sub-id") != SUBSCRIBER or not hmac.compare_digest(
            signed, headers.get("x-sub-sign", "")
        ):
            return _code("2001", "signature")
        try:
            asked = json.loads(body)
            sent_at = datetime.strptime(moment, STAMP).replace(tzinfo=UTC)
            number, subject = asked["reqNo"], asked["subj"]
        except (ValueError, KeyError, TypeError):
            return _code("2004", "form")
        if abs(sent_at - self.now()) > CLOCKS_APART_MAX:
            return _code("2003", "clock", number)
        if nonce in self._nonces:
            return _code("2005", "nonce seen before", number)
        self._nonces[nonce] = None
        if len(self._nonces) > NONCES_MAX:
            del self._nonces[next(iter(self._nonces))]
        if not asked.get("authNo") or not asked.get("authTm") or asked.get("purp") != "02":
            return _code("2002", "no authorisation", number)
        if not isinstance(subject, str) or not subject:
            return _code("2004", "form", number)
        return None

    def _report(self, subject: str, number: str) -> dict[str, Any]:
        found = report_of(self.seed, subject)
        if found is None:
            return _code("1001", "no such person", number) | {"fee": "0.00"}
        return _code("0000", "ok", number) | {
            "repNo": f"R{hashlib.sha256(number.encode()).hexdigest()[:12]}",
            "repTm": self.now().astimezone(UTC).strftime(STAMP),
            "fee": FEE,
            "rpt": found,
        }


def report_of(seed: int, subject: str) -> dict[str, str] | None:
    """Return what the bureau says of a person, None if it has no file.

    One in seven owes late elsewhere; the score falls with what is late, asked for and owed.
    """
    draw = hashlib.sha256(f"{seed}/{subject}".encode()).digest()
    if draw[0] * 100 < UNKNOWN_PERCENT * 256:
        return None
    is_late = draw[1] % 7 == 0
    late_accounts = 1 + draw[2] % 3 if is_late else 0
    late_days = 1 + draw[3] % 120 if is_late else 0
    enquiries = draw[4] % 4 if draw[5] % 8 else 6 + draw[4] % 10
    owed = draw[6] * draw[7]  # yuan
    score = 780 - late_accounts * 40 - late_days - enquiries * 8 - owed // 600 - draw[8] % 60
    return {
        "scr": str(max(350, score)),
        "qry30": str(enquiries),
        "odAcc": str(late_accounts),
        "odMaxD": str(late_days),
        "crBal": f"{owed}.{draw[9] % 100:02d}",
        "mthDue": f"{owed // 24}.00",
    }


def sign(method: str, path: str, moment: str, nonce: str, body: bytes) -> str:
    """Return the signature over a request (method POST) or its answer (ANSWER)."""
    text = f"{method}\n{path}\n{moment}\n{nonce}\n{hashlib.sha256(body).hexdigest()}"
    return hmac.new(SECRET.encode(), text.encode(), hashlib.sha256).hexdigest()


def _code(code: str, said: str, number: str = "") -> dict[str, Any]:
    return {"respCd": code, "respMsg": said, "reqNo": number}


class _Desk(BaseHTTPRequestHandler):
    """Answers one connection in the bureau's mood."""

    protocol_version = "HTTP/1.1"
    house: SandboxBureau

    def do_POST(self) -> None:
        length = int(self.headers.get("content-length") or 0)
        if self.path != "/v1/reports" or not 0 < length <= REQUEST_BYTES_MAX:
            self.send_error(404)
            return
        body = self.rfile.read(length)
        headers = {name.lower(): value for name, value in self.headers.items()}
        mood = self.house.mood
        if mood is Mood.HANG:
            self.house.closing.wait()
            self.close_connection = True
            return
        if mood is Mood.SLOW:
            self.house.closing.wait(self.house.pause_seconds)
        if mood is Mood.BROKEN:
            self.send_error(500)
            return
        content = self._content(self.house.answer(headers, body), mood)
        moment, nonce = headers.get("x-sub-time", ""), headers.get("x-sub-nonce", "")
        signed = sign("ANSWER", self.path, moment, nonce, content)
        self._send(content, "0" * 64 if mood is Mood.FORGED else signed, mood)

    def _content(self, table: dict[str, Any], mood: Mood) -> bytes:
        match mood:
            case Mood.NONSENSE:
                return b"<html>\xff maintenance"
            case Mood.DEEP:
                return b"[" * 60_000
            case Mood.MIXED_UP:
                table = table | {"reqNo": "another"}
            case Mood.OUT_OF_RANGE:
                table = table | {"rpt": {"scr": "99999"}, "repNo": "R1"}
            case _:
                pass
        return json.dumps(table).encode()

    def _send(self, content: bytes, signed: str, mood: Mood) -> None:
        is_endless = mood in (Mood.DRIP, Mood.ENDLESS)
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(10**9 if is_endless else len(content)))
        self.send_header("x-sub-sign", signed)
        self.end_headers()
        if mood is Mood.CUT_OFF:
            content, self.close_connection = content[: len(content) // 2], True
        try:
            self.wfile.write(content)
            while is_endless and not self.house.closing.is_set():
                self.wfile.write(b" " if mood is Mood.DRIP else b" " * 8192)
                self.house.closing.wait(DRIP_SECONDS if mood is Mood.DRIP else 0)
        except OSError:
            self.close_connection = True  # who asked has gone away

    def log_message(self, *_: object) -> None:
        """Say nothing: a bureau's log names people."""
