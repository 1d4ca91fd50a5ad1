"""How an error looks in a terminal: one sentence, no stack trace, an exit code a script can read.

Exit codes: 2 the request cannot be done as asked, 3 something outside failed and trying again may
help, 70 an invariant is false or nobody foresaw what happened, 128 and the number of the signal
that ended it (130 Ctrl-C, 143 a request to end, 129 a terminal that closed). What an engineer needs
to mend a 70 goes to a file in `log/` below the data folder.
"""

import errno
import itertools
import logging
import os
import shlex
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import typer
from rich.console import Console
from rich.markup import escape
from typer.core import TyperGroup

from fenqi.cli import around, usage
from fenqi.cli.language import say, speech
from fenqi.cli.phrases import FIELDS, PHRASES
from fenqi.cli.sentences import SENTENCES
from fenqi.core.errors import Broken, FenqiError, Unavailable
from fenqi.core.values.money import currency
from fenqi.core.values.phrase import Phrase
from fenqi.machine import Config, SystemClock
from fenqi.report.ink import money_text
from fenqi.report.names import sense, word

T = TypeVar("T")

REFUSED = 2
UNAVAILABLE = 3
BROKEN = 70
BY_SIGNAL = 128  # and the number of the signal, as shells count

# What a person can do nothing about by asking differently: a full disk, a broken one, no memory.
OUTSIDE = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.ENOMEM, errno.EMFILE, errno.ENFILE}
)
# What a person can name another place for.
NOT_THERE = frozenset(
    {
        errno.EACCES,
        errno.EEXIST,
        errno.EISDIR,
        errno.ELOOP,
        errno.ENAMETOOLONG,
        errno.ENOENT,
        errno.ENOTDIR,
        errno.ENOTEMPTY,
        errno.EPERM,
        errno.EROFS,
    }
)
VALUE_CHARS_MAX = 400
PHRASE_CHARS_MAX = 20_000  # of ours, which may be a list of what is wrong with a file
LOG_BYTES_MAX = 1 << 20
FAREWELLS_MAX = 3

# What the state that an error names is one of.
STATE_OF = {"offer-gone": "offer", "application-elsewhere": "application"}

AFTER_INTERRUPT = dict.fromkeys(("account", "report", "ledger", "plan"), around.UNCHANGED)


class Ended(KeyboardInterrupt):
    """A signal asked the command to end; `number` is the signal's."""

    def __init__(self, number: int) -> None:
        super().__init__()
        self.number = number


class Group(TyperGroup):
    """The group of all commands: whatever command runs, its errors are told in one way."""

    def make_context(self, *words: Any, **settings: Any) -> Any:
        """Read what stands before the command, telling what is wrong with it."""
        return run(lambda: super(Group, self).make_context(*words, **settings))

    def invoke(self, ctx: Any) -> Any:
        """Run the chosen command, telling its errors."""
        return run(
            lambda: super(Group, self).invoke(ctx),
            lambda: AFTER_INTERRUPT.get(ctx.invoked_subcommand, around.GO_ON),
        )


def run(body: Callable[[], T], after_interrupt: Callable[[], str] = lambda: around.GO_ON) -> T:
    """Run the body of a command; turn whatever goes wrong into a message and an exit code.

    What typer itself raises to end passes, and so does a reader of our output that has gone away;
    words that make no command are told as any error.

    Errors: typer.Exit with one of the exit codes above.
    """
    try:
        return body()
    except (KeyboardInterrupt, Exception) as fault:
        if isinstance(fault, BrokenPipeError) or (_is_typers(fault) and not usage.is_fault(fault)):
            raise
        raise typer.Exit(tell(fault, after_interrupt())) from fault


def _command() -> str:
    """Return the command that was given, as a shell takes it."""
    program, *words = sys.argv
    is_module = Path(program).name == "__main__.py"
    return f"{'python -m fenqi' if is_module else 'fenqi'} {shlex.join(words)}"


def _is_typers(fault: BaseException) -> bool:
    # Exit, Abort, help that was asked for by giving nothing: all come from what typer is made of.
    return type(fault).__module__.split(".")[0] in ("click", "typer")


def tell(fault: BaseException, after_interrupt: str = around.GO_ON) -> int:
    """Print what a person should know of a fault and return the exit code."""
    if isinstance(fault, KeyboardInterrupt):
        _say(after_interrupt, command=_command())
        return BY_SIGNAL + (fault.number if isinstance(fault, Ended) else signal.SIGINT)
    if isinstance(fault, OSError) and fault.strerror:
        return _tell_place(fault)
    if isinstance(fault, UnicodeEncodeError):
        _say(around.NOT_ENCODED)
        return REFUSED
    if usage.is_fault(fault):
        _print(_shown(usage.told(fault).told(speech().gettext), most=PHRASE_CHARS_MAX))
        return REFUSED
    if isinstance(fault, FenqiError):
        _print(sentence(fault))
        if isinstance(fault, Broken):
            _say_where(write_trace(fault))
        return exit_code(fault)
    _say(around.UNFORESEEN, kind=type(fault).__name__)
    _say_where(write_trace(fault))
    return BROKEN


def _tell_place(fault: OSError) -> int:
    """Tell of a file or folder that cannot be used."""
    place = _shown(fault.filename or speech().gettext(around.THE_SYSTEM))
    said = speech().gettext(str(fault.strerror))
    if fault.errno in NOT_THERE:
        _say(around.ELSEWHERE, place=place, said=said)
        return REFUSED
    is_outside = fault.errno in OUTSIDE
    _say(around.NO_ROOM if is_outside else around.UNUSABLE, place=place, said=said)
    _say_where(write_trace(fault))
    return UNAVAILABLE if is_outside else BROKEN


def _say(text: str, **values: object) -> None:
    """Print one of the sentences of `around` in the reader's language."""
    _print(say(text, **values))


def _say_where(log: Path | None) -> None:
    if log is not None:
        _say(around.DETAILS, log=log)


def _print(text: str) -> None:
    Console(stderr=True, highlight=False, soft_wrap=True).print(
        f"[bold red]fenqi:[/] {escape(text)}"
    )


def tell_of(others: Sequence[str]) -> None:
    """Print who works in the same folder already; the database keeps the programs apart."""
    if others:
        said = say(around.BESIDE, programs=_shown(list(others)))
        Console(stderr=True, highlight=False, soft_wrap=True).print(
            f"[bold]fenqi:[/] {escape(said)}"
        )


def sentence(error: FenqiError) -> str:
    """Return what a person reads; an error without a sentence shows its code and values."""
    templates = SENTENCES.get(error.code, ())
    fields = {name: _in_words(name, value) for name, value in error.fields.items()}
    fields |= _amounts(error.fields)
    if error.code in STATE_OF and "state" in fields:
        fields["state"] = sense(STATE_OF[error.code], fields["state"], speech())
    for template in (templates,) if isinstance(templates, str) else templates:
        try:
            return say(template, **fields)
        except (KeyError, IndexError):  # raised with other values than this sentence names
            continue
    told = {name: fields[name] for name in error.fields}
    return ", ".join([error.code, *(f"{name}={value}" for name, value in told.items())])


def _amounts(fields: Mapping[str, object]) -> dict[str, str]:
    """Return the amounts of an error that names their currency, as money: `limit` of `limit_minor`.

    Beside them the sentence may still name the minor units.
    """
    code = fields.get("currency")
    if not isinstance(code, str):
        return {}
    unit = currency(code)
    return {
        name.removesuffix("_minor"): f"{money_text(value, unit)} {unit.code}"
        for name, value in fields.items()
        if name.endswith("_minor") and isinstance(value, int)
    }


def _in_words(name: str, value: object) -> str:
    """Return the value of a field as `_shown`; a phrase of ours in the reader's language."""
    if isinstance(value, Phrase):
        return _shown(value.told(speech().gettext), most=PHRASE_CHARS_MAX)
    if name == "outcome":
        return word(_shown(value), speech())
    shown = _shown(value)
    is_ours = shown in PHRASES and (name in FIELDS or shown.startswith("("))
    is_ours |= shown in around.OF_SYSTEM and name in FIELDS
    return speech().gettext(shown) if is_ours else shown


def _shown(value: object, *, most: int = VALUE_CHARS_MAX) -> str:
    """Return a value as it may stand in a terminal: short, and nothing a terminal would obey."""
    listed = isinstance(value, list | tuple | set | frozenset)
    text = ", ".join(map(str, value)) if listed else str(value)  # type: ignore[call-overload]
    if len(text) > most:
        text = text[:most] + "..."
    return "".join(one if one.isprintable() or one in "\n\t" else repr(one)[1:-1] for one in text)


def exit_code(error: FenqiError) -> int:
    """Return the exit code of an error's family."""
    match error:
        case Broken():
            return BROKEN
        case Unavailable():
            return UNAVAILABLE
        case _:
            return REFUSED


# What an engineer needs, out of the way of everybody else -------------------------------------


def write_trace(fault: BaseException) -> Path | None:
    """Write a fault's trace to a file of its own, closed to others; return the file, if it worked.

    It lies below the data folder, or where the system keeps temporary files if that is closed.
    """
    now = SystemClock().now()
    name = f"fault-{now:%Y%m%dT%H%M%S}-{os.getpid()}.txt"
    text = "".join([f"{now.isoformat()} {sys.argv}\n", *traceback.format_exception(fault)])
    for folder in (log_folder(), Path(tempfile.gettempdir())):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            place = os.open(folder / name, os.O_CREAT | os.O_WRONLY | os.O_APPEND, 0o600)
            with os.fdopen(place, "w", encoding="utf-8", errors="backslashreplace") as file:
                file.write(text)
        except OSError:
            continue
        return folder / name
    return None


def log_folder() -> Path:
    """Return the folder of what an engineer may want to read later."""
    return Config.from_environment().data_folder / "log"


class LogFile(logging.Handler):
    """Appends warnings of libraries to a file, begun anew when it is large; never to a terminal."""

    def emit(self, record: logging.LogRecord) -> None:
        """Append a record; a log that cannot be written is not worth failing for."""
        try:
            folder = log_folder()
            if not folder.parent.exists():
                return
            folder.mkdir(exist_ok=True)
            file = folder / "fenqi.log"
            is_large = file.exists() and file.stat().st_size > LOG_BYTES_MAX
            with file.open("w" if is_large else "a", encoding="utf-8") as log:
                log.write(f"{SystemClock().now().isoformat()} {self.format(record)}\n")
        except OSError:
            return


def keep_quiet() -> None:
    """Send to files what libraries, threads and finalisers would print on the terminal."""
    logging.basicConfig(handlers=[LogFile(logging.WARNING)], level=logging.WARNING)
    threading.excepthook = lambda hook: _note(hook.exc_value)
    sys.unraisablehook = lambda hook: _note(hook.exc_value)


def _note(fault: BaseException | None) -> None:
    if fault is not None:
        write_trace(fault)


def interrupt_on_signals() -> None:
    """Let Ctrl-C, a request to end and a terminal that closes all end a command in one way.

    The first interrupts; a second one is not heard, so that it cannot tear the farewell; the third
    ends the program where it stands, which costs nothing that was committed.
    """
    heard = itertools.count(1)

    def interrupt(number: int, _: object) -> None:
        times = next(heard)
        if times == 1:
            raise Ended(number)
        if times == FAREWELLS_MAX:
            os._exit(BY_SIGNAL + number)

    for wanted in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(wanted) is not signal.SIG_IGN:  # as in the background of a shell
            signal.signal(wanted, interrupt)
