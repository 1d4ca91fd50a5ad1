"""What commands answer in one sentence, in English; the catalogue has them in other languages."""

MORE = "more with --before {last}"
CONTESTED = "contest {contest}, case {case}"
APPEALED = "appeal {appeal}, case {case}, to be answered by {day}"
RESET = "{by} closed the open breakers of {kind}: {count}."
OPENED = "opened {case}"
IS_WITH = "{case} is with {person}"
LINE = "The note is line {number} of the case {case}."
CLOSED = "{case} is closed: {outcome}; {count} protections ended"
FROZEN = "frozen until {until}: {protection}"
ONCE_SECONDED = (
    "until {until} once a second person agrees:\n"
    "  fenqi case second {protection} --account {account} --by SOMEBODY_ELSE"
)
SECONDED = "frozen until {until}"
LIFTED = "purchases are possible again, unless something else stops them"
VERIFIED = "{account} has passed the check"
ADOPTED = (
    "{policy} {version} decides {kind} from now on, adopted by {by}. To go back:\n"
    "  fenqi policy rollback {policy} --by YOUR_NAME --because WHY"
)
TAKEN_BACK = (
    "{policy} {version} decides {kind} again; {gone} {gone_version} was taken back by {by}."
)
CHALLENGES = "{challenger}: {policy}, until {until} UTC"
JUDGED = "{count} judged"
STOPPED = "{challenger} stopped by {by}"
RUNNING = "running {duties}; Ctrl-C ends it"
WAIT_AGAIN = "{count} suspicions wait again"
REPORT_IS_IN = "The report is in {place}"
READING = "Reading the file"
LEFT_OUT = "Bad lines left out: {count}. They are named in {place}"
OPENING = "Opening the book"
LIVING = "Living {day}"
DAYS = "days"
CLEAN = "Books checked: clean."
CONTRADICTED = "Books checked: {count} contradictions. `fenqi ledger check` names them."
LEFT_THERE = "Report and ledger are in {place}/"
LEFT_THERE_WITH_LINES = "Report, ledger and exceptions are in {place}/"
PICTURE = "The picture of the book: {place}"
CHALLENGER_JUDGED = (
    "A challenger judged beside the policy: {differing} of {count} decisions would have come out "
    "differently."
)
WHERE_THEY_PART = "Where they part: {place}"
LOOK_AGAIN = "Look at it again: {command}"
AGREE = (
    "The books agree: {accounts} accounts compared, {plans} plans replayed, {trails} trails made "
    "again."
)
DISAGREE = (
    "Contradictions: {count}. {accounts} accounts compared, {plans} plans replayed, {trails} "
    "trails made again."
)
AND_MORE = "and {count} more; --json prints them all"
EXPORTED = "{place}: {form}, one transaction per {by}"
PER_EVENT = "event"
PER_DAY = "day and pair of accounts"
FINDING = ("What", "Account", "Plan", "Expected", "Found")
COUNTED = {  # what the number of each step of a close counts
    "release": "expired holds released",
    "collect": "accounts paid from their credit balance",
    "bill": "statements cut",
    "age": "plans moved to another bucket",
    "write-off": "plans written off",
    "recognise": "plans whose income was recognised",
    "remit-refunds": "accounts paid back",
    "remit-merchants": "merchants paid",
    "measure": "rows of month-end measures",
    "provide": "lines of provision",
    "link": "groups of accounts that share a device, card or phone",
    "turn": "totals of days",
}
CLOSED_ALREADY = "{book}: {day} is closed already; nothing was changed."
CLOSED_DAYS = "{book}: closed {first} to {last}."
CLOSING = "Closing"
CLOSED_DAY = "Closed {day}"
NO_ACCOUNT = "no open account"
CAP_MET = (
    "The cap is met for {effect} ({cap}): whom it would have harmed beyond that is kept as they "
    "were until a person has looked; its case is in `fenqi case list`, `fenqi breaker list "
    "--open` names it."
)
STARTED = "PostgreSQL {version} started: {folder}"
RAN_ALREADY = "PostgreSQL {version} was running already: {folder}"
STOPPED_SERVER = "PostgreSQL stopped."
NOT_RUNNING = "PostgreSQL was not running."
STATUS = {  # what is known of a server
    "folder": "folder",
    "is_running": "running",
    "pid": "process",
    "version": "version",
    "socket": "socket",
}
YES = "yes"
NO = "no"
WATCHING = "watching; Ctrl-C ends it"
WATCHED = (
    "{suspicions} suspicions: {rings} rings, {places} places, {held} held, {frozen} frozen, "
    "{asked} asked for a check; {over} protections over"
)
NONE_PARKED = "No application is parked."
RECEIVED = "{application}  received {at}, book {book}"
PARKED = "  parked {at} after {count} tries: {fault}"
TO_RETRY = "  once that is mended: fenqi application retry {application} --by YOU"
WAITS_AGAIN = "The application {application} waits for its turn again."
NONE_WAITS = "No application waits."
ASKED = ("application", "state", "reasons")
REPORTS_KNOWN = "{file}: {count} reports are known now."
KNOWN_BEFORE = "{count} were known already"
REPORTS_OF_NOBODY = "{count} are about nobody who ever applied here"
REPORTS_WITHOUT_CONSENT = "{count} are left out: the person has not consented to a bureau's report"
TELLING = "Telling the facts"
FACTS_STORED = "{file}: new facts stored: {count}"
FACTS_UNCHANGED = "Nothing was changed: all of it was known already."
FACTS_LATE = "{count} of them were told late"
FACTS_SKEWED = "{count} of them by a clock that is ahead"
OFFER_ACCEPTED = "accepted: the limit is {limit} from now on, for later purchases"
OFFER_DECLINED = "declined: the limit stays {limit}"
LIMIT_RAISED = "raised: the limit is {limit} from now on, for later purchases"
LIMIT_KEPT = "kept: the limit stays {limit}, for: {reasons}"
LIMIT_KEPT_SO_FAR = (
    "kept: the limit stays {limit}; nothing that is known speaks for a higher one yet"
)
LIMIT_CUT = "cut: the limit is {limit} from now on, for: {reasons}"
PLACE_ADDED = "{place}: addresses added: {size}"
PLACE_THERE = "{place}: it is there already ({size}); nothing was changed"
PLACE_REMOVED = "{place}: addresses that count no more: {size}"
DAYS_OR_TO = "Give either --days or --to, not both."
EXCUSED = "{first} to {last} are excused: {incident}"
NOT_EXCUSED = "no day is excused: {incident}"
INCIDENT_CLOSED = "{incident} is closed; {first} to {last} stay excused."
INCIDENT_CLOSED_UNUSED = "{incident} is closed; it excused no day."
EXCUSED_ONCE_SECONDED = (
    "to {until} once a second person agrees:\n  fenqi incident second {incident} --by SOMEBODY_ELSE"
)

ALL = (
    MORE,
    CONTESTED,
    APPEALED,
    RESET,
    OPENED,
    IS_WITH,
    LINE,
    CLOSED,
    FROZEN,
    ONCE_SECONDED,
    SECONDED,
    LIFTED,
    VERIFIED,
    ADOPTED,
    TAKEN_BACK,
    CHALLENGES,
    JUDGED,
    STOPPED,
    RUNNING,
    WAIT_AGAIN,
    REPORT_IS_IN,
    READING,
    LEFT_OUT,
    OPENING,
    LIVING,
    DAYS,
    CLEAN,
    CONTRADICTED,
    LEFT_THERE,
    LEFT_THERE_WITH_LINES,
    PICTURE,
    CHALLENGER_JUDGED,
    WHERE_THEY_PART,
    LOOK_AGAIN,
    AGREE,
    DISAGREE,
    AND_MORE,
    EXPORTED,
    PER_EVENT,
    PER_DAY,
    *FINDING,
    *COUNTED.values(),
    CLOSED_ALREADY,
    CLOSED_DAYS,
    CLOSING,
    CLOSED_DAY,
    NO_ACCOUNT,
    CAP_MET,
    STARTED,
    RAN_ALREADY,
    STOPPED_SERVER,
    NOT_RUNNING,
    *STATUS.values(),
    YES,
    NO,
    WATCHING,
    WATCHED,
    NONE_PARKED,
    RECEIVED,
    PARKED,
    TO_RETRY,
    WAITS_AGAIN,
    NONE_WAITS,
    *ASKED,
    REPORTS_KNOWN,
    KNOWN_BEFORE,
    REPORTS_OF_NOBODY,
    REPORTS_WITHOUT_CONSENT,
    TELLING,
    FACTS_STORED,
    FACTS_UNCHANGED,
    FACTS_LATE,
    FACTS_SKEWED,
    OFFER_ACCEPTED,
    OFFER_DECLINED,
    LIMIT_RAISED,
    LIMIT_KEPT,
    LIMIT_KEPT_SO_FAR,
    LIMIT_CUT,
    PLACE_ADDED,
    PLACE_THERE,
    PLACE_REMOVED,
    DAYS_OR_TO,
    EXCUSED,
    NOT_EXCUSED,
    INCIDENT_CLOSED,
    INCIDENT_CLOSED_UNUSED,
    EXCUSED_ONCE_SECONDED,
)
