"""What commands print of decisions, cases, policies, contests: whole at 80 columns, in Chinese."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import pytest
from click.testing import Result
from make_book import World, buy, done, enrol, open_book, purchase, rows
from make_change import move
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.core.risk.change import Pull, Subject
from fenqi.core.values.ids import AccountId
from fenqi.flows.authorise import authorise
from fenqi.store.policies import SHIPPED
from fenqi.store.pool import Store

Run = Callable[..., Result]
CHINESE = re.compile("[\u4e00-\u9fff]")
WIDTH = 80
WESTERN = str.maketrans(
    "\uff0c\uff1a\uff1b\uff08\uff09\uff1f", ",:;()?"
)  # so that the tests read in one script


@pytest.fixture
def world(store: Store) -> World:
    world = open_book(store)
    account = enrol(world, limit_minor=500_000)
    buy(world, account, 300_000, "flat", 3)
    done(authorise(world.ground, [purchase(world, account, 300_000, "flat", 3)])[0])
    return world


@pytest.fixture
def fenqi(database_url: str) -> Run:
    def run(*words: object, language: str = "en", columns: int = WIDTH) -> Result:
        environment = {
            "FENQI_DATABASE_URL": database_url,
            "FENQI_LANGUAGE": language,
            "COLUMNS": str(columns),
            "TERM": "dumb",
        }
        ended = CliRunner().invoke(app, [str(word) for word in words], env=environment)
        assert ended.exit_code in (0, 2), ended.output
        return ended

    return run


def account_of(world: World) -> UUID:
    sql = "SELECT account_id FROM accounts WHERE kind = 'customer'"
    found: UUID = rows(world.store, sql)[0][0]
    return found


def test_decisions_are_readable_at_eighty_columns(world: World, fenqi: Run) -> None:
    for columns in (80, 100, 140):
        told = fenqi("decision", "list", columns=columns).stdout
        assert all(len(line) <= columns for line in told.split("\n"))
        for (decision,) in rows(world.store, "SELECT decision_id FROM decisions"):
            assert str(decision) in told
        for whole in ("decided at", "approve", "decline", "purchase", "limit-exceeded"):
            assert re.search(rf"(^|\s){whole}(\s|$)", told), (columns, whole, told)
        assert re.search(r"\d{4}-\d\d-\d\d \d\d:\d\d ", told)


def test_the_queue_of_cases_keeps_ids_whole_at_eighty_columns(world: World, fenqi: Run) -> None:
    one = account_of(world)
    words = ("case", "open", "odd basket", "--account", one, "--subject", "basket", "--by", "mei")
    case = fenqi(*words).stdout.split()[-1]
    for columns in (80, 160):
        told = fenqi("case", "list", columns=columns).stdout
        assert case in told
        assert all(len(line) <= columns for line in told.split("\n"))
    told = fenqi("case", "list", language="zh").stdout
    assert {"案件", "期限", "未结"} <= set(re.findall("[\u4e00-\u9fff]+", told))
    shown = fenqi("case", "show", case, language="zh").stdout.translate(WESTERN)
    assert "优先级 3,未结,经办人无人" in shown
    closed = fenqi("case", "close", case, "false-alarm", "ok", "--by", "mei", language="zh")
    assert f"{case} 已结案:误报 false-alarm;解除 0 项保护措施" in closed.stdout.translate(WESTERN)


PLAIN = {
    "decision list": (("decision", "list"), "决策时间"),
    "no decision": (("decision", "list", "--outcome", "freeze"), "没有这样的决策"),
    "policy list": (("policy", "list"), "采用人"),
    "policy check": (("policy", "check", SHIPPED / "purchase.toml"), "一次决策最多"),
    "policy diff": (("policy", "diff", "purchase", SHIPPED / "purchase.toml"), "个决策中重算了"),
    "shadow list": (("shadow", "list"), "没有策略在作为挑战者运行"),
    "shadow run": (("shadow", "run"), "已评判 0 个"),
    "breaker list": (("breaker", "list"), "没有触及任何上限"),
    "case list": (("case", "list"), "没有待处理的案件"),
    "contest list": (("contest", "list"), "没有异议"),
    "report": (("report",), "滚动率"),
    "ledger check": (("ledger", "check"), "账簿一致"),
    "assess": (("assess", "limit"), "额度 limit"),
    "application parked": (("application", "parked"), "没有被搁置的申请"),
    "bureau ask": (("bureau", "ask"), "没有等待中的申请"),
    "watch": (("watch", "--once"), "个疑点"),
    "plan quote": (("plan", "quote", "600"), "应还合计"),
    "plan preview": (
        ("plan", "preview", "600", "--on", "2026-01-05", "--asked-on", "2026-01-10", "--settle"),
        "提前结清",
    ),
}


@pytest.mark.parametrize("command", PLAIN)
def test_what_a_command_prints_is_in_the_language_of_the_person(
    world: World, fenqi: Run, command: str
) -> None:
    assert world
    words, said = PLAIN[command]
    chinese = fenqi(*words, language="zh").stdout
    assert said in chinese.replace("\n", "")
    assert not CHINESE.search(fenqi(*words, language="en").stdout)


def test_changes_of_nobody_who_changed_are_told_in_chinese(world: World, fenqi: Run) -> None:
    told = fenqi("decision", "changes", account_of(world), language="zh").stdout
    assert told == "额度和价格从未变动。\n"


def test_a_changed_limit_is_told_as_money_and_a_price_in_per_cent(world: World, fenqi: Run) -> None:
    account = AccountId(account_of(world))
    move(world, account, [Pull("late", -200_000, "late-payments")])
    move(world, account, [Pull("late", 700_000, "late-payments")], Subject.PRICE)
    told = {one: fenqi("decision", "changes", account, language=one).stdout for one in ("en", "zh")}
    for text in told.values():
        assert all(len(line) <= WIDTH for line in text.split("\n"))
        for whole in ("5,000.00", "4,000.00", "-1,000.00", "10.90%", "18.00%", "+7.10%"):
            assert re.search(rf"(^|\s){re.escape(whole)}(\s|$)", text), (whole, text)
        assert "late-payments" in text
        assert "CNY" in text
    assert {"limit", "price"} <= set(told["en"].split())
    assert {"额度", "价格"} <= set(told["zh"].split())
    as_json = json.loads(fenqi("decision", "changes", account, "--json").stdout)
    assert [(one["old"], one["new"]) for one in as_json][1] == (500_000, 400_000)


def test_what_a_check_of_a_policy_finds_is_told_in_chinese_with_its_place(
    world: World, fenqi: Run, tmp_path: Path
) -> None:
    assert world
    file = tmp_path / "mine.toml"
    text = (SHIPPED / "purchase.toml").read_text("utf-8")
    file.write_text(text.replace("applications_24h >= 5", "applications_24h >= 6", 1), "utf-8")
    ended = fenqi("policy", "check", file, language="zh", columns=400)
    assert ended.exit_code == 2
    said = ended.stderr.translate(WESTERN)
    found = re.search(r"mine\.toml 第 (\d+) 行:示例 five applications.*应为 .*,实际为 ", said)
    assert found is not None, ended.stderr
    assert "还不能用于决策" in ended.stderr
    assert re.search("错误 .*mine.toml 第", ended.stdout)


def test_a_challenger_is_told_in_chinese(world: World, fenqi: Run, tmp_path: Path) -> None:
    assert world
    file = tmp_path / "next.toml"
    text = (SHIPPED / "purchase.toml").read_text("utf-8")
    file.write_text(text.replace("version = 3", "version = 4", 1), "utf-8")
    begun = fenqi("shadow", "start", file, "--by", "mei", language="zh").stdout.translate(WESTERN)
    assert re.search(":消费 purchase 4,至 .* UTC", begun)
    challenger = begun.split(":")[0]
    assert "0 个决策" in fenqi("shadow", "report", challenger, language="zh").stdout
    assert "挑战者" in fenqi("shadow", "list", language="zh").stdout
    stopped = fenqi("shadow", "stop", challenger, "--by", "mei", language="zh").stdout
    assert stopped == f"{challenger} 由 mei 停止\n"


def test_what_a_contest_gives_back_is_told_as_money(world: World, fenqi: Run) -> None:
    ((account, plan),) = rows(world.store, "SELECT account_id, plan_id FROM plans")
    about = ("--account", account)
    opened = fenqi("contest", "open", *about, "--plan", plan, "--ground", "not-mine", "not me")
    assert opened.exit_code == 0, opened.output
    contest = opened.stdout.split()[1].rstrip(",")
    assert "未" not in fenqi("contest", "list").stdout
    words = ("contest", "close", contest, *about, "--outcome", "upheld", "--by", "mei", "true")
    told = fenqi(*words, language="zh").stdout.translate(WESTERN)
    assert told == f"{contest} 成立:撤销 3,000.00 CNY,退回 0.00 CNY\n"


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("overdue_days > 0", "overdue_day > 0", "没有输入 overdue_day(是否指 overdue_days?)"),
        ("overdue_days > 0", "overdue_days > 20 %", "单位不同:overdue_days 是天数,20 % 是以 ppm"),
        ("overdue_days > 0", "overdue_days is unknown", "不得因未知而成立"),
        ('reason = "payment-overdue"\n', "", "须告知原因"),
        ('owner = "risk"', "owner = 7", "策略:owner 为 7;应为文本"),
        ("version = 3", "version = 0", "version 为 0;应为 1 至 1000000 的整数"),
        ('owner = "', 'owner = "\\u001b[31m', "应为不含控制字符的文本"),
        ("[[thresholds]]", "[[thresholds]]\nnew = 1", "new"),
        ('"decline" }', '"declin" }', "应为以下之一:"),
        ("version = 3\n", 'version = "1"\n', 'version 为 "1";应为 1 至 1000000 的整数'),
        ('kind = "purchase"', 'kind = "sale"', 'kind 为 "sale";应为以下之一:application, '),
        ("valid_from = 2026-01-01", 'valid_from = "today"', "应为日期,如 2026-01-31,不加引号"),
        ('reason = "account-closed"\n', 'reason = "shut"\n', "没有原因 shut;现有:account-closed"),
        ("== 'closed'", "== 'close'", "account_status 不会是 close(是否指 closed?);可选:"),
        ("== 'closed'", "> 'closed'", "选项没有大小顺序"),
        ("== 'closed'", "== 'closed", "此处的引号没有闭合"),
        ("== 'closed'", "== overdue_days", "选项须与引号中的词比较,而不是天数"),
        ("overdue_days > 0", "overdue_days > 0 && is_held", "& 须写成单词:and、or、not"),
        ("overdue_days > 0", "(overdue_days > 0", "此处的括号没有闭合"),
        ("overdue_days > 0", "overdue_days // 0 > 1", "此处除以零"),
        ('suppressed_by = ["proved"]', 'suppressed_by = ["nobody"]', "nobody 不是上文的规则"),
        ('hit = "first"', 'hit = "last"', 'hit 为 "last";应为 first 或 collect'),
        ('if_unknown = "standard"', 'if_unknown = "none"', "表 menu:表中没有行 none"),
        ("at_least = 60\n", "at_least = 40\n", "有两个门槛都是 40"),
        ('owner = "risk"', 'oner = "risk"', "缺少 owner;应为文本"),
    ],
)
def test_faults_of_a_policy_are_told_in_chinese(
    fenqi: Run, tmp_path: Path, old: str, new: str, said: str
) -> None:
    file = tmp_path / "mine.toml"
    text = (SHIPPED / "purchase.toml").read_text("utf-8")
    assert old in text
    file.write_text(text.replace(old, new, 1), "utf-8")
    ended = fenqi("policy", "check", file, language="zh", columns=400)
    assert ended.exit_code == 2
    told = ended.stderr.translate(WESTERN)
    assert said in told
    assert re.search(r"mine\.toml 第 \d+ 行", told)
    assert not re.search("must be|whole number|missing|one of", told)


def test_ids_are_whole_at_eighty_columns_wherever_they_are_to_be_copied(
    world: World, fenqi: Run
) -> None:
    account = account_of(world)
    decision = str(
        rows(world.store, "SELECT decision_id FROM decisions WHERE outcome = 'decline'")[0][0]
    )
    appeal = fenqi("appeal", "open", decision, "it is mine").stdout.split()[1].rstrip(",")
    place = ("place", "add", "203.0.113.0/24", "--kind", "campus", "--by", "mei")
    fenqi(*place, "--note", "the dormitories of the college")
    place_id = str(rows(world.store, "SELECT place_id FROM places")[0][0])
    case = fenqi(
        *("case", "open", "odd", "--account", account, "--subject", "basket", "--by", "mei")
    ).stdout.split()[-1]
    freeze = ("case", "freeze", case, "--account", account, "--days", 3, "--by", "mei")
    frozen = fenqi(*freeze, "--reason", "shared-identifier").stdout.split()[-1]
    for words, ids in (
        (("appeal", "list"), (appeal, decision)),
        (("place", "list"), (place_id,)),
        (("case", "show", case), (str(account), frozen)),
    ):
        told = fenqi(*words).stdout
        assert not [one for one in ids if one not in told], words
        assert all(len(line) <= WIDTH for line in told.split("\n")), words
