"""A person applies, signs and is decided about from the command line, in their language."""

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

import pytest
from make_book import BOOK, open_book, row
from typer.testing import CliRunner, Result

from fenqi.channels.sandbox.bureau import SECRET, SUBSCRIBER, Mood, SandboxBureau, report_of
from fenqi.cli import app
from fenqi.store.pool import Store
from make_form import CONSENTS, form_of

Run = Callable[..., Result]
GOOD = next(
    f"person-{one}"
    for one in range(200)
    if (said := report_of(1, f"person-{one}")) and said["odAcc"] == "0" and int(said["scr"]) > 660
)
FORM = form_of(GOOD, key="form-1")


@pytest.fixture
def bureau() -> Iterator[SandboxBureau]:
    with SandboxBureau(lambda: datetime.now(UTC)) as house:
        yield house


@pytest.fixture
def fenqi(store: Store, database_url: str, tmp_path: Path, bureau: SandboxBureau) -> Run:
    """Runs the program on a fresh book, with a bureau."""
    open_book(store)
    environment = {
        "FENQI_DATABASE_URL": database_url,
        "FENQI_DATA": str(tmp_path / "data"),
        "FENQI_BUREAU_URL": bureau.url,
        "FENQI_BUREAU_SUBSCRIBER": SUBSCRIBER,
        "FENQI_BUREAU_SECRET": SECRET,
        "FENQI_BUREAU_SECONDS": "60",
        "COLUMNS": "200",
        "TERM": "dumb",
    }

    def run(*arguments: str, **more: str) -> Result:
        return CliRunner().invoke(app, list(arguments), env=environment | more)

    return run


def form(folder: Path, text: str = FORM + CONSENTS) -> str:
    path = folder / "form.toml"
    path.write_text(text, "utf-8")
    return str(path)


def test_a_person_applies_sees_the_costs_and_signs(
    fenqi: Run, store: Store, tmp_path: Path
) -> None:
    ended = fenqi("apply", form(tmp_path), "--book", BOOK, "--json")
    assert ended.exit_code == 0, ended.output
    told = json.loads(ended.stdout)
    assert (told["state"], told["limit_minor"], told["reasons"]) == ("offered", 500_000, [])
    again = fenqi("apply", form(tmp_path), "--book", BOOK)
    assert f"Application {told['application_id']}: offered" in again.stdout
    assert "5,000.00 CNY" in again.stdout
    assert "late charge, of what is overdue  up to 0.05 % a day" in again.stdout
    assert f"fenqi decision show {told['decision_id']}\n" in again.stdout
    assert f"sign {told['application_id']} --costs {told['cost_table']}\n" in again.stdout
    assert row(store, "SELECT COUNT(*) FROM applications") == 1
    sign = ["application", "sign", told["application_id"], "--costs"]
    wrong = fenqi(*sign, "another")
    assert wrong.exit_code == 2
    assert "Show the offer again" in wrong.stderr
    signed = fenqi(*sign, told["cost_table"])
    assert signed.exit_code == 0, signed.output
    assert told["application_id"] in signed.stdout
    shown = json.loads(fenqi("application", "show", told["application_id"], "--json").stdout)
    assert shown["state"] == "accepted"
    kept = str(row(store, "SELECT json_agg(identities)::text FROM identities"))
    assert "0203" not in kept.replace("1990-02-03", "")


def test_a_decline_is_told_in_the_language_of_the_person(fenqi: Run, tmp_path: Path) -> None:
    text = FORM.replace("1990-02-03", "2020-02-03").replace("is_student = false", "")
    ended = fenqi("apply", form(tmp_path, text + CONSENTS), "--book", BOOK)
    assert ": declined\n" in ended.stdout
    assert "Credit is given to adults only." in ended.stdout
    ended = fenqi("apply", form(tmp_path, text + CONSENTS), "--book", BOOK, FENQI_LANGUAGE="zh-CN")
    assert "须年满法定年龄" in ended.stdout
    decision = ended.stdout.partition("decision show ")[2].split()[0]
    told = fenqi("decision", "show", decision)
    assert "under-age" in told.stdout
    assert "Credit is given to adults only." in told.stdout
    assert "deep-overdue-elsewhere" in told.stdout
    assert "bureau_overdue_accounts = unknown" in told.stdout
    assert "age in years" in told.stdout


def test_the_form_of_the_handbook_is_taken_in_and_told_in_chinese_too(
    fenqi: Run, tmp_path: Path
) -> None:
    page = Path(__file__).parents[3] / "docs" / "reference" / "applications.md"
    text = page.read_text("utf-8").partition("```toml\n")[2].partition("```")[0]
    ended = fenqi("apply", form(tmp_path, text), "--book", BOOK, FENQI_LANGUAGE="zh-CN")
    assert ended.exit_code == 0, ended.output
    assert "申请额度" in ended.stdout
    assert "每日最高 0.05 %" in ended.stdout


def test_a_bureau_that_hangs_is_a_smaller_beginning(
    fenqi: Run, tmp_path: Path, bureau: SandboxBureau
) -> None:
    bureau.mood = Mood.HANG  # and would never answer
    words = ("apply", form(tmp_path), "--book", BOOK, "--json")
    ended = fenqi(*words, FENQI_BUREAU_SECONDS="1")
    told = json.loads(ended.stdout)
    assert (told["state"], told["limit_minor"]) == ("offered", 300_000)
    assert told["texts"][0].startswith("There is no credit bureau report now")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("person = \n", "line 1, column"),
        (FORM, "consents must be given"),
        (FORM.replace("person =", "persn ="), "one of the fields there are (is person meant?)"),
        (FORM.replace('"form-1"', '""') + CONSENTS, "A key has 1 to 200 characters"),
        (FORM.replace('"form-1"', '"a\\u0000"') + CONSENTS, "character that cannot be kept"),
        (FORM + "more = " + "[" * 9000, "too deep"),
        (FORM + 'nickname = "x"\n' + CONSENTS, "nickname must be one of the fields"),
        (
            FORM.replace("500000", '"much"') + CONSENTS,
            'line 6, column 1: asked_minor is "much"; it must be a whole number',
        ),
        (FORM.replace("500000", "true") + CONSENTS, "asked_minor is true; it must be a whole"),
        (FORM.replace("500000", "-5") + CONSENTS, "line 6, column 1: asked_minor is -5; it must"),
        (FORM.replace("1990-02-03", '"old"') + CONSENTS, "born_on must be a day"),
        (FORM + "consents = 3\n", "consents is 3; it must be a table of classes"),
        (FORM + "[consents.identity]\nstated_at = 3\n", "consents.identity must be"),
        (FORM + CONSENTS.replace("contact", "device"), "no consent of the person to data"),
        (FORM.replace("payslip", "trust me") + CONSENTS, 'evidence is "trust me"'),
        (
            FORM.replace("138 0013", "x") + CONSENTS,
            "line 5, column 1: phone must be 5 to 17 digits",
        ),
    ],
)
def test_a_form_that_makes_no_sense_is_named(
    fenqi: Run, store: Store, tmp_path: Path, text: str, said: str
) -> None:
    ended = fenqi("apply", form(tmp_path, text), "--book", BOOK)
    assert ended.exit_code == 2, ended.output
    assert said in ended.stderr, ended.stderr
    assert "0013 8000" not in ended.output
    assert row(store, "SELECT COUNT(*) FROM applications") == 0


def test_reports_are_imported_and_applications_decided_by_commands(
    fenqi: Run, store: Store, tmp_path: Path
) -> None:
    fenqi("apply", form(tmp_path), "--book", BOOK)
    path = tmp_path / "reports.csv"
    path.write_text(f"person,as_of,score\n{GOOD},2026-01-01,700\nnobody,2026-01-01,1\n")
    ended = fenqi("bureau", "import", str(path))
    assert ended.exit_code == 0, ended.output
    assert "1 reports are known now" in ended.stdout
    assert "1 are about nobody" in ended.stdout
    path.write_text("person,as_of,score\nx,2026-01-01,many\n")
    ended = fenqi("bureau", "import", str(path))
    assert ended.exit_code == 2
    assert "line 2, score: many is not a whole number" in ended.stderr
    assert fenqi("bureau", "ask").stdout == "No application waits.\n"
    assert row(store, "SELECT COUNT(*) FROM bureau_reports WHERE source = 'file'") == 1


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("FENQI_BUREAU_URL", "http://elsewhere.example"),
        ("FENQI_BUREAU_URL", "nonsense"),
        ("FENQI_BUREAU_SECRET", ""),
        ("FENQI_BUREAU_SECONDS", "0"),
        ("FENQI_BUREAU_SECONDS", "1.5"),
    ],
)
def test_settings_of_a_bureau_that_make_no_sense_are_named(
    fenqi: Run, setting: str, value: str
) -> None:
    ended = fenqi("bureau", "ask", **{setting: value})
    assert ended.exit_code == 2
    assert setting in ended.stderr
    assert SECRET not in ended.output


def test_after_five_applications_the_first_offer_asks_for_the_check_and_offers_short_plans(
    fenqi: Run, store: Store, tmp_path: Path
) -> None:
    told = []
    for number in range(5):
        text = FORM.replace("form-1", f"form-{number}") + CONSENTS
        told.append(
            json.loads(fenqi("apply", form(tmp_path, text), "--book", BOOK, "--json").stdout)
        )
    first = told[0]["application_id"]
    assert (told[0]["needs_step_up"], told[0]["counts_max"]) == (False, None)
    shown = json.loads(fenqi("application", "show", first, "--json").stdout)
    assert (shown["state"], shown["needs_step_up"], shown["counts_max"]) == ("offered", True, 3)
    assert shown["reasons"] == ["many-applications"]
    read = fenqi("application", "show", first)
    assert "Several applications came today from you, or with the same phone" in read.stdout
    assert "plans of 3 instalments at most" in read.stdout
    assert f"This holds until  {shown['cautious_until']}" in read.stdout
    assert f"sign {first} --costs {told[0]['cost_table']} --checked\n" in read.stdout
    sign = ["application", "sign", first, "--costs", told[0]["cost_table"]]
    refused = fenqi(*sign)
    assert refused.exit_code == 2
    assert "there were 5 applications in 24 hours" in " ".join(refused.stderr.split())
    assert shown["cautious_until"] in " ".join(refused.stderr.split())
    chinese = fenqi(*sign, FENQI_LANGUAGE="zh-CN")
    assert "24小时内共有 5 次申请" in chinese.stderr
    assert (
        "仅提供不超过 3 期的方案"
        in fenqi("application", "show", first, FENQI_LANGUAGE="zh-CN").stdout
    )
    assert row(store, "SELECT COUNT(*) FROM accounts WHERE kind = 'customer'") == 0
    signed = fenqi(*sign, "--checked", "--json")
    assert signed.exit_code == 0, signed.output
    assert json.loads(signed.stdout)["state"] == "accepted"
    again = fenqi(
        "application", "sign", told[1]["application_id"], "--costs", told[1]["cost_table"]
    )
    assert again.exit_code == 2
    assert "has an account in the book already" in again.stderr
    nobody = fenqi("application", "sign", str(UUID(int=5)), "--costs", told[1]["cost_table"])
    assert nobody.exit_code == 2
    assert "There is no application" in nobody.stderr
