"""What commands answer in one sentence, in English; the catalogue has them in other languages."""

MORE = "more with --before {decision}"
CONTESTED = "contest {contest}, case {case}"
RESET = "{count} closed by {by}."
OPENED = "opened {case}"
IS_WITH = "{case} is with {person}"
LINE = "{case}: line {number}"
CLOSED = "{case} is closed: {outcome}; {count} protections ended"
FROZEN = "frozen until {until}: {protection}"
ONCE_SECONDED = (
    "until {until} once a second person agrees:\n"
    "  fenqi case second {protection} --account {account} --by SOMEBODY_ELSE"
)
SECONDED = "frozen until {until}"
LIFTED = "purchases are possible again, unless something else stops them"
ADOPTED = (
    "{policy} {version} decides {kind} from now on, adopted by {by}. To go back: fenqi policy "
    "rollback {policy}"
)
TAKEN_BACK = (
    "{policy} {version} decides {kind} again; {gone} {gone_version} was taken back by {by}."
)
CHALLENGES = "{challenger}: {kind} {policy} {version}, until {until} UTC"
JUDGED = "{count} judged"
STOPPED = "{challenger} stopped by {by}"
RUNNING = "running {duties}; Ctrl-C ends it"
WAIT_AGAIN = "{count} suspicions wait again"
DAYS_OR_TO = "either --days or --to"
EXCUSED = "{first} to {last} are excused: {incident}"
EXCUSED_ONCE_SECONDED = (
    "to {until} once a second person agrees:\n  fenqi incident second {incident} --by SOMEBODY_ELSE"
)

ALL = (
    MORE,
    CONTESTED,
    RESET,
    OPENED,
    IS_WITH,
    LINE,
    CLOSED,
    FROZEN,
    ONCE_SECONDED,
    SECONDED,
    LIFTED,
    ADOPTED,
    TAKEN_BACK,
    CHALLENGES,
    JUDGED,
    STOPPED,
    RUNNING,
    WAIT_AGAIN,
    DAYS_OR_TO,
    EXCUSED,
    EXCUSED_ONCE_SECONDED,
)
