"""Asks a credit bureau over HTTP: signed both ways, within a time that nothing outlasts.

What is sent and what comes back is in docs/reference/bureau.md. A bureau that hangs, drips or sends
nonsense costs its time at most and is then unknown; one that failed often in a row is left alone
for a while.
"""

import hashlib
import hmac
import json
import queue
import secrets
import threading
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from typing import Any

import httpx

from fenqi.core.values.bureau import Access, BureauAnswer, BureauReport, Enquiry, Finding

PATH = "/v1/reports"
TRIES_MAX = 3  # of one enquiry; only what failed at once is tried again
ANSWER_BYTES_MAX = 1 << 16
WAITING_MAX = 8  # enquiries under way; a bureau that hangs holds no more threads than this
FAILURES_MAX = 3  # in a row; then the bureau is left alone
PAUSE_SECONDS = 60  # for this long
MINOR_PER_UNIT = 100  # the wire says amounts in yuan with two decimals
WHOLE_MAX = 10**12
SAID_CHARS_MAX = 80

OK, NOBODY, BUSY = "0000", "1001", "3001"


class Garbled(Exception):
    """An answer that cannot be believed or read; only inside this channel."""


class _Gate:
    """Whether the bureau is asked at all: not while it fails, and not by too many at once."""

    def __init__(self, elapsed: Callable[[], float]) -> None:
        self._elapsed = elapsed
        self._lock = threading.Lock()
        self._failures = 0
        self._closed_at = 0.0
        self._waiting = 0

    def enter(self) -> bool:
        with self._lock:
            if self._failures >= FAILURES_MAX:
                if self._elapsed() - self._closed_at < PAUSE_SECONDS:
                    return False
                self._closed_at = self._elapsed()  # one is let through to try, the others wait on
            if self._waiting >= WAITING_MAX:
                return False
            self._waiting += 1
            return True

    def leave(self) -> None:
        with self._lock:
            self._waiting -= 1

    def note(self, finding: Finding) -> None:
        """Count failures in a row; an answer of any kind, even a refusal, is none."""
        with self._lock:
            if finding not in (Finding.TIMEOUT, Finding.UNREACHABLE, Finding.GARBLED):
                self._failures = 0
                return
            self._failures += 1
            if self._failures >= FAILURES_MAX:
                self._closed_at = self._elapsed()


class HttpBureau:
    """A bureau behind `core.ports.Bureau`. Thread-safe.

    `elapsed` tells seconds that only go forward, such as time.monotonic.
    """

    def __init__(
        self,
        client: httpx.Client,
        access: Access,
        *,
        elapsed: Callable[[], float],
        name: str = "bureau",
    ) -> None:
        self.name = name
        self._client, self._access, self._elapsed = client, access, elapsed
        self._gate = _Gate(elapsed)

    def ask(self, enquiry: Enquiry) -> BureauAnswer:
        """Return the bureau's answer, or how there was none, within `seconds_max`."""
        if not self._gate.enter():
            return BureauAnswer(Finding.SUSPENDED, latency_us=0, tries=0)
        started = self._elapsed()
        told: queue.SimpleQueue[BureauAnswer] = queue.SimpleQueue()

        def work() -> None:
            try:
                told.put(self._exchange(enquiry, started))
            finally:
                self._gate.leave()

        # A server that sends a byte now and then outlasts every timeout of a socket: whoever asks
        # waits for a thread instead, and no longer than allowed.
        threading.Thread(target=work, name="bureau", daemon=True).start()
        try:
            answer = told.get(timeout=self._access.seconds_max)
        except queue.Empty:
            answer = self._failed(Finding.TIMEOUT, started, 1, "no answer in time")
        self._gate.note(answer.finding)
        return answer

    def _exchange(self, enquiry: Enquiry, started: float) -> BureauAnswer:
        """Ask, and again if it failed at once and there is time."""
        tries = 0
        answer = self._failed(Finding.TIMEOUT, started, tries, "no time left")
        while tries < TRIES_MAX:
            left = self._access.seconds_max - (self._elapsed() - started)
            if left <= 0:
                break
            tries += 1
            try:
                table = self._send(enquiry, left, started)
            except httpx.TimeoutException:
                return self._failed(Finding.TIMEOUT, started, tries, "no answer in time")
            except (httpx.HTTPError, httpx.InvalidURL) as fault:
                answer = self._failed(Finding.UNREACHABLE, started, tries, type(fault).__name__)
                continue
            except Garbled as fault:
                return self._failed(Finding.GARBLED, started, tries, str(fault))
            if table["respCd"] == BUSY:
                answer = self._failed(Finding.UNREACHABLE, started, tries, "busy")
                continue
            return self._read(table, started, tries)
        return answer

    def _send(self, enquiry: Enquiry, left: float, started: float) -> Mapping[str, Any]:
        """Send one request and return the table of its answer, once it is known to be the bureau's.

        Errors: those of httpx; Garbled.
        """
        body = json.dumps(
            {
                "reqNo": enquiry.reference,
                "subj": enquiry.subject,
                "authNo": enquiry.consent,
                "authTm": _stamp(enquiry.consented_at),
                "purp": "02",  # a decision about credit
            }
        ).encode()
        nonce = secrets.token_hex(8)
        moment = _stamp(enquiry.asked_at)
        headers = {
            "content-type": "application/json",
            "x-sub-id": self._access.subscriber,
            "x-sub-time": moment,
            "x-sub-nonce": nonce,
            "x-sub-sign": self._sign("POST", PATH, moment, nonce, body=body),
        }
        url = self._access.url.rstrip("/") + PATH
        with self._client.stream(
            "POST", url, content=body, headers=headers, timeout=left, follow_redirects=False
        ) as response:
            content = bytearray()
            for chunk in response.iter_raw():
                content += chunk
                if len(content) > ANSWER_BYTES_MAX:
                    raise Garbled("too long")
                if self._elapsed() - started > self._access.seconds_max:
                    raise httpx.ReadTimeout("the answer takes too long")
            if response.status_code >= httpx.codes.INTERNAL_SERVER_ERROR:
                raise httpx.RemoteProtocolError(f"status {response.status_code}")
            signed = self._sign("ANSWER", PATH, moment, nonce, body=bytes(content))
            told = response.headers.get("x-sub-sign", "")
            if not hmac.compare_digest(signed.encode(), told.encode()):
                raise Garbled("not signed by the bureau")
        table = _table(bytes(content))
        # What cannot even be read is refused without its number.
        is_about_us = table["reqNo"] == enquiry.reference
        if not is_about_us and (table["reqNo"] or table["respCd"] in (OK, NOBODY, BUSY)):
            raise Garbled("an answer to another enquiry")
        return table

    def _sign(self, *heads: str, body: bytes) -> str:
        text = "\n".join([*heads, hashlib.sha256(body).hexdigest()])
        return hmac.new(self._access.secret.encode(), text.encode(), hashlib.sha256).hexdigest()

    def _read(self, table: Mapping[str, Any], started: float, tries: int) -> BureauAnswer:
        """Return what a believed answer says."""
        code = table["respCd"]
        if code not in (OK, NOBODY):
            said = f"{code} {table.get('respMsg', '')}"
            return self._failed(Finding.REFUSED, started, tries, said)
        try:
            cost = _minor(table, "fee") or 0
            report = _report(table) if code == OK else None
            said = str(table["repNo"])[:SAID_CHARS_MAX] if report else ""
        except Garbled as fault:
            return self._failed(Finding.GARBLED, started, tries, str(fault))
        finding = Finding.REPORT if report else Finding.NOBODY
        return BureauAnswer(finding, self._since(started), tries, report, cost, said)

    def _failed(self, finding: Finding, started: float, tries: int, said: str) -> BureauAnswer:
        said = "".join(one if one.isprintable() else "?" for one in said[:SAID_CHARS_MAX])
        return BureauAnswer(finding, self._since(started), tries, said=said)

    def _since(self, started: float) -> int:
        return int((self._elapsed() - started) * 1_000_000)


def _table(content: bytes) -> dict[str, Any]:
    try:
        table = json.loads(content)
    except (ValueError, RecursionError) as fault:
        raise Garbled("no JSON") from fault
    if not isinstance(table, dict) or not all(
        isinstance(table.get(name), str) for name in ("respCd", "reqNo")
    ):
        raise Garbled("no answer of the agreed form")
    return table


def _report(table: Mapping[str, Any]) -> BureauReport:
    body = table.get("rpt")
    if not isinstance(body, dict) or not isinstance(table.get("repNo"), str):
        raise Garbled("no report in the answer")
    return BureauReport(
        as_of=_instant(table.get("repTm")),
        score=_whole(body, "scr", most=1_000),
        enquiries_30d=_whole(body, "qry30", most=10_000),
        overdue_accounts=_whole(body, "odAcc", most=10_000),
        worst_overdue_days=_whole(body, "odMaxD", most=36_500),
        open_credit_minor=_minor(body, "crBal"),
        monthly_due_minor=_minor(body, "mthDue"),
    )


def _whole(body: Mapping[str, Any], name: str, *, most: int) -> int | None:
    """Return a whole number written as digits, None if it is left out. Errors: Garbled."""
    text = body.get(name)
    if text is None:
        return None
    if not isinstance(text, str) or not (text.isascii() and text.isdigit()) or len(text) > 12:
        raise Garbled(f"{name} is no whole number")
    if int(text) > most:
        raise Garbled(f"{name} is out of range")
    return int(text)


def _minor(body: Mapping[str, Any], name: str) -> int | None:
    """Return an amount of yuan as minor units, None if it is left out. Errors: Garbled."""
    text = body.get(name)
    if text is None:
        return None
    try:
        amount = Decimal(text) * MINOR_PER_UNIT if isinstance(text, str) else Decimal("NaN")
        if not 0 <= amount <= WHOLE_MAX or amount != int(amount):
            raise Garbled(f"{name} is no amount")
    except InvalidOperation as fault:
        raise Garbled(f"{name} is no amount") from fault
    return int(amount)


def _instant(text: object) -> datetime:
    try:
        return datetime.strptime(str(text), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
    except ValueError as fault:
        raise Garbled("repTm is no instant") from fault


def _stamp(instant: datetime) -> str:
    return instant.astimezone(UTC).strftime("%Y%m%d%H%M%S")
