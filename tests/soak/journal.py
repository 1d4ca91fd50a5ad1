"""What the program under load writes down: each command before it is sent, each answer once given.

An answer counts as acknowledged when its line is on the disk. A line cut off by a kill is no line.
"""

import base64
import json
import os
import pickle
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fenqi.store.commands import Command


class Journal:
    """Appends lines; several threads may write. Opening it mends an end that was cut off."""

    def __init__(self, file: Path) -> None:
        self._lock = threading.Lock()
        self._place = os.open(file, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
        os.write(self._place, b"\n")  # ends a line that was cut off; an empty one means nothing

    def sent(self, command: Command) -> None:
        body = base64.b64encode(pickle.dumps(command)).decode()
        self._write({"sent": name(command), "command": body})

    def acknowledged(self, command: Command, answer: dict[str, Any]) -> None:
        self._write({"answered": name(command), "answer": answer}, is_final=True)

    def refused(self, command: Command, code: str, *, is_broken: bool) -> None:
        self._write({"refused": name(command), "code": code, "broken": is_broken}, is_final=True)

    def failed(self, what: str, code: str) -> None:
        self._write({"failed": what, "code": code})

    def closed(self, day: str) -> None:
        self._write({"closed": day}, is_final=True)

    def outage(self, day: str, incident: str | None) -> None:
        """A day is to be excused; with its incident once that was acknowledged."""
        self._write({"outage": day, "incident": incident}, is_final=incident is not None)

    def audited(self, found: dict[str, int]) -> None:
        self._write({"audited": found}, is_final=True)

    def _write(self, line: dict[str, Any], *, is_final: bool = False) -> None:
        words = json.dumps(line).encode() + b"\n"
        with self._lock:
            os.write(self._place, words)
        if is_final:
            os.fsync(self._place)


def name(command: Command) -> str:
    """Return a command's key with its scope, as one word."""
    return "/".join(command.scope)


@dataclass
class Story:
    """What a journal says."""

    sent: dict[str, Command] = field(default_factory=dict)
    times_sent: Counter[str] = field(default_factory=Counter)
    answers: dict[str, dict[str, Any]] = field(default_factory=dict)
    changed: list[str] = field(default_factory=list)  # answered twice, and not the same
    refused: dict[str, str] = field(default_factory=dict)
    broken: list[str] = field(default_factory=list)
    failed: Counter[str] = field(default_factory=Counter)
    closed: list[str] = field(default_factory=list)
    outages: dict[str, str | None] = field(default_factory=dict)  # incidents by day
    audits: list[dict[str, int]] = field(default_factory=list)

    def add(self, line: dict[str, Any]) -> None:
        match line:
            case {"sent": key, "command": body}:
                self.sent[key] = pickle.loads(base64.b64decode(body))
                self.times_sent[key] += 1
            case {"answered": key, "answer": answer}:
                if self.answers.setdefault(key, answer) != answer:
                    self.changed.append(key)
            case {"refused": key, "code": code, "broken": is_broken}:
                self.refused[key] = code
                if is_broken:
                    self.broken.append(f"{code}: {key}")
            case {"failed": _, "code": code}:
                self.failed[code] += 1
            case {"closed": day}:
                self.closed.append(day)
            case {"outage": day, "incident": incident}:
                self.outages[day] = incident or self.outages.get(day)
            case {"audited": found}:
                self.audits.append(found)

    @property
    def in_doubt(self) -> list[Command]:
        """Return what was sent and never answered."""
        over = self.answers.keys() | self.refused.keys()
        return [command for key, command in self.sent.items() if key not in over]


def read(file: Path) -> Story:
    """Read a journal; what a kill cut off is left out."""
    story = Story()
    for text in file.read_bytes().splitlines() if file.exists() else ():
        try:
            line = json.loads(text)
        except ValueError:
            continue
        story.add(line)
    return story
