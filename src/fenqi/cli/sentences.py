"""What a person reads for each error code, in one place.

The names in braces are fields of the error. Several sentences of one code are tried in their order:
the first whose fields the error has is taken.
"""

SENTENCES: dict[str, str | tuple[str, ...]] = {
    "account-missing": "There is no account {account}.",
    "account-not-open": ("The account {account} is {status}: its limit is not looked at."),
    "admission-failed": (
        "The application could not be decided ({fault} at {place}). It is tried again; after three "
        "times `fenqi application parked` has it."
    ),
    "adopter-invalid": "This needs {expected}, not `{by}`.",
    "adopter-is-author": (
        "{by} wrote {policy} {version} and cannot adopt it: name a second person with --by."
    ),
    "already-enrolled": "This person has an account in the book already: {account}.",
    "already-there": "It is there already (unique key {constraint}).",
    "amount-not-positive": (
        "An advance or payment is {amount_minor} minor units; it must be above zero."
    ),
    "amounts-out-of-range": "An amount of {array} is not between {least} and {most} minor units.",
    "annuity-invalid": "No payments repay this: {count} of them at a rate of {rate} a period.",
    "asked-limit-invalid": "Asked for is a limit of {asked}; it is {limit} already.",
    "assessment-under-way": ("The account {account} is being looked at already. Ask again."),
    "appeal-ended": "The appeal {appeal} was decided already: {outcome}.",
    "appeal-evidence-missing": (
        "The reason {reason} is about income: give what was shown with --income, and by what with "
        "--evidence."
    ),
    "appeal-evidence-unasked": (
        "Income is looked at only where a declined application is upheld. Leave --income and "
        "--evidence out."
    ),
    "appeal-made": (
        "The decision was contested already: {appeal}. It is looked at once, and what was found "
        "stands."
    ),
    "appeal-missing": "There is no appeal {appeal}. `fenqi appeal list` tells which there are.",
    "appeal-reason-unknown": (
        "The decision was not made for `{reason}`. It was made for: {known}."
    ),
    "appeal-too-late": ("The decision of {decided_on} could be contested until {last_on}."),
    "application-elsewhere": "The application {application} is {state}; this is not possible now.",
    "application-invalid": "In the application {field} is {value}; it must be {expected}.",
    "application-missing": "There is no application {application}.",
    "application-not-parked": (
        "The application {application} is not parked: it waits for its turn, or is decided."
    ),
    "application-unreadable": (
        "{file}, line {line}, column {column}: {fault}. Correct the file.",
        "{file}, line {line}, column {column}: {field} is {value}; it must be {expected}.",
        "{file}, line {line}, column {column}: {field} must be {expected}.",
        "{file}: {field} must be {expected}.",
        "{file}: {fault}. Give another file.",
    ),
    "before-book": "This happened at {at}, before the book {book} was opened on {opened_on}.",
    "bill-differs": (
        "Of the statement {statement} {asked_minor} minor units are to pay, not {shown_minor}. "
        "Show the customer what it asks for now."
    ),
    "bill-moved-used-up": (
        "What the statement {statement} asks for was moved {moved} times already, and {product} "
        "takes over what was moved {allowed} times at most. Pay it, defer its next instalment or "
        "ask for an extension."
    ),
    "bill-plan-not-offered": (
        "The account is not offered {product}. Choose one that takes over bills and that it is "
        "offered: {offered}."
    ),
    "bill-too-small": (
        "Of the statement {statement} {amount_minor} minor units could become a plan; it takes "
        "{least_minor} at least."
    ),
    "bills-split-used-up": (
        "In the twelve months before, {used} statements of the account became plans, and {product} "
        "allows {allowed}. From {again_on} on another one may; until then pay it, defer an "
        "instalment or ask for an extension."
    ),
    "book-busy": (
        "Another program closes the book {book} at this moment, and goes on with {day}. Let it "
        "finish; run this again if days are still open then."
    ),
    "book-differs": (
        "The book {book} was begun with other facts (origin {origin}, not {origin_asked}): the "
        "file, the mapping or an option is another one now. Nothing was booked. Go on with those "
        "it was begun with, or begin another book.",
        "The book {book} lives on other terms: its {field} is {is_now}, not {asked}. Name another "
        "book with --book, or give the file and mapping the book was begun with.",
        "There is a book {book} already. Name another one with --book.",
    ),
    "book-missing": (
        "There is no book {book}. There are: {books}.",
        "There is no book {book}, and no other yet: run {begun_by}. FENQI_DATA says whose books a "
        "command looks into; the demo's are apart: FENQI_DATA=<data folder>/demo fenqi report.",
        "There is no book {book}. `fenqi report` tells which books there are.",
    ),
    "book-unclear": (
        "Say which book with --book. There are: {books}.",
        "There is no book yet: run fenqi demo or fenqi replay. FENQI_DATA says whose books a "
        "command looks into; the demo's are apart: FENQI_DATA=<data folder>/demo fenqi report.",
    ),
    "broken": "A promise of the books does not hold: {invariant}. Nothing was booked.",
    "bureau-settings-invalid": (
        "{setting} is `{value}`; it must be {expected}.",
        "{setting} must be {expected}, since FENQI_BUREAU_URL is set.",
    ),
    "bureau-unknown": (
        "No bureau {bureau} is known; there are: {known}. Name it in FENQI_BUREAU_FILES to take "
        "its files."
    ),
    "cap-broken": (
        "{file}, line {line}, column {column}: {product} in {count} instalments has a {what} of "
        "{value}; the pack allows {cap}. Lower it, or take that number of instalments away.",
        "{file}: {product} in {count} instalments has a {what} of {value}; the pack allows {cap}. "
        "Lower it, or take that number of instalments away.",
        "{file}, line {line}, column {column}: the {what} of {product} is {value}; the pack allows "
        "{cap}. Change it in the file.",
        "{file}: the {what} of {product} is {value}; the pack allows {cap}. Change it in the file.",
        "The {what} of {product} is {value}; the pack allows {cap}.",
    ),
    "capture-above-hold": "Of the order {order} only {held_minor} minor units are held.",
    "case-closed": (
        "The case {case} is closed ({outcome}). What was found stands; open an appeal against it."
    ),
    "case-ends-with-appeal": (
        "The case {case} is about an appeal: close that with `fenqi appeal close`."
    ),
    "case-invalid": "The {field} of a case is {value}; it must be {expected}.",
    "case-missing": "There is no case {case}. `fenqi case list` tells which there are.",
    "case-not-about": (
        "The case {case} is not about the account {account}, which cannot be frozen for it. `fenqi "
        "case show {case}` tells whom it is about. For this account open a case of its own: `fenqi "
        "case open TEXT --account {account} --subject SUBJECT --by NAME`."
    ),
    "catalogue-file-unreadable": (
        "{file}, line {line}, column {column}: {fault}. Correct the file.",
        "{file}: {fault}. Correct the file.",
    ),
    "catalogue-folder-missing": (
        "{setting} is {folder}, which is no folder that can be read. Give a folder with products/ "
        "or packs/ in it, or do not set it."
    ),
    "catalogue-twice": (
        "{file} and {other} both say they are version {version} of the {kind} {name}. Give one of "
        "them another version or id."
    ),
    "catalogue-version-changed": (
        "{file} changed, but it still says version {version}, which is in use already. Put the old "
        "text back, or give the new text a higher version."
    ),
    "challenger-missing": (
        "There is no challenger {challenger} that runs. `fenqi shadow list` names them."
    ),
    "challenger-runs": (
        "{name} {version} runs as a challenger already. Stop it first, or give the policy another "
        "version."
    ),
    "change-invalid": ("A change cannot be split into these parts."),
    "clock-naive": "The instant {instant} has no time zone.",
    "close-order-broken": "The step {step} of the day close runs before what it needs: {needs}.",
    "column-missing": (
        "{file}, line 1: column {column} ({key} in the mapping) is {found}. {remedy} The heading: "
        "{allowed}"
    ),
    "column-unreadable": (
        "{file}: column {column} holds {type}; it must hold {allowed}. Write it as one of these."
    ),
    "command-unfinished": "The command was not finished: {said}",
    "conduct-invalid": ("{field} is {value}; it must be {expected}."),
    "conflict": "The state does not allow this now.",
    "consent-missing": "There is no consent of the person to data of the class {data_class}.",
    "constraint-broken": "A row of table {table} breaks {constraint}. Nothing was booked.",
    "contest-ended": "The contest {contest} was decided already: {outcome}.",
    "contest-missing": (
        "There is no contest {contest} of this account. `fenqi contest list` tells which there are."
    ),
    "cost-table-differs": (
        "The costs of {offered} were offered, not those of {signed}. Show the offer again."
    ),
    "cost-not-agreed": (
        "The agreement of plan {plan} names no {cost_line}, so {cost_minor} minor units may not be "
        "charged for this."
    ),
    "count-not-offered": (
        "{file}, line {line}, column {column}: {key}: {product} is not offered in {count} "
        "instalments. Offered: {offered}.",
        "{file}: {key}: {product} is not offered in {count} instalments. Offered: {offered}.",
        "{product} is not offered in {count} instalments. Offered: {offered}.",
    ),
    "crowd-rule-invalid": (
        "{file}, line {line}, column {column}: {field} is {value}; it must be {expected}.",
        "{file}: {field} is {value}; it must be {expected}.",
        "The crowd rule's {field} is {value}; it must be {expected}.",
    ),
    "currency-mixed": "{left} and {right} cannot be added.",
    "currency-outside-pack": "The pack {pack} is not made for {currency}, only for {currencies}.",
    "currency-unknown": "The currency {code} is not known. Known are {known}.",
    "cycle-invalid": (
        "A statement day is 1 to 31 (of a shorter month, its last day), and what it asks for falls "
        "due 1 to 27 days later; not day {statement_day} and {due_after_days} days."
    ),
    "commit-broken": "A failed transaction came to its commit. Nothing was booked.",
    "database-full": (
        "The database has no room left: {said}\n"
        "Nothing was booked. Make room on its disk, then run the same command again."
    ),
    "database-gone": (
        "The database cannot be reached: {said}\n"
        "Look whether it runs and what FENQI_DATABASE_URL says, then try again. What was committed "
        "is kept; what was under way was not booked."
    ),
    "database-not-ours": (
        "The database has tables of another program ({tables}) and none of fenqi. Give "
        "FENQI_DATABASE_URL an empty database."
    ),
    "database-url-invalid": (
        "{setting} cannot be read as an address. It looks like "
        "postgresql://user:password@host:5432/database."
    ),
    "day-count-invalid": (
        "The convention {convention} needs {needs}.",
        "The period {period_start} to {period_end} is not one of whole {needs}.",
        "No days can be counted from {start} to {end}.",
    ),
    "day-not-open": "The book {book} stands at {open_day}; {day} is not its open day.",
    "day-outside-book": "The book lives from {first} to {last}; {day} is outside.",
    "day-outside-calendar": "{day} is outside the years {first} to {last}.",
    "day-too-far": (
        "{day} is more than {days_max} days after the book's open day, {open_day}. Close it in "
        "smaller steps if you mean it."
    ),
    "days-too-many": (
        "{file}, column {column}: its times run from {first} (line {first_line}) to {last} (line "
        "{last_line}), more than {days_max} days. Correct the mistyped one."
    ),
    "decision-missing": ("There is no decision {decision}."),
    "desk-closed": "fenqi is stopping and takes no more commands. Try again.",
    "due-dates-invalid": "These due days cannot be: too many, none, or out of order.",
    "due-days-invalid": "The due days do not follow one another.",
    "duties-setting-invalid": "{setting} is `{value}`; it must be {expected}.",
    "error": "Something is wrong.",
    "fact-invalid": "{kind}: {field} is {value}; it must be {expected}. Nothing was stored.",
    "fact-kind-unknown": "There is no kind of fact {kind}. There are: {known}.",
    "facts-uncounted": "A command carries 1 to {facts_max} facts; this one has {facts}.",
    "facts-unreadable": (
        "{file}: {problem}. Nothing of it was stored.",
        "{file}: nothing of it was stored. Lines that make no sense: {count}. Correct them, or "
        "leave such lines out with --skip-bad FILE.\n  {bad}",
    ),
    "features-invalid": (
        "{file}, line {line}: {field} of {entry} is {value}; it must be {expected}. Correct the "
        "file.",
        "{field} is {value}; it must be {expected}.",
    ),
    "file-unreadable": "{file}: {problem}. Wanted: {allowed}.",
    "flow-broken": "Something went wrong that nobody foresaw; the command was not booked.",
    "folder-in-use": (
        "Another program works in {folder}: {programs}. Nothing was touched. Let it finish, end it "
        "with Ctrl-C, or set FENQI_DATA to another folder."
    ),
    "folder-not-ours": (
        "The folder {folder} must belong to the user {owner} and be closed to everyone else."
    ),
    "folder-of-another-version": (
        "The folder {folder} was written by PostgreSQL {found}; this fenqi runs {wanted}. Export "
        "from the older version and import here, or set FENQI_DATA to another folder."
    ),
    "folder-unreachable": (
        "The user {owner}, who runs PostgreSQL, cannot enter {folder}: a folder above it is closed "
        "to other users. Set FENQI_DATA to a folder that is not, for example below /var/lib."
    ),
    "forbidden": "You may not do this.",
    "freeze-spent": (
        "The case {case} has frozen the account {account} already or found that nothing was wrong, "
        "or whoever asks has frozen it alone for as long as one person may."
    ),
    "identity-invalid": "This is no {kind}: {expected} are wanted.",
    "identity-key-changed": (
        "The key of identity values is another one now ({fingerprint}, not {before}): nobody "
        "would be recognised. Give the key of before in FENQI_IDENTITY_KEY, or NEW,OLD to change "
        "it."
    ),
    "identity-key-invalid": (
        "FENQI_IDENTITY_KEY is no key: at least {bytes_min} bytes in hexadecimal digits are wanted."
    ),
    "incident-closed": "The incident {incident} is closed; what it excused stays excused.",
    "incident-invalid": (
        "{from_on} to {through_on} cannot be excused. An incident has 1 to {days_max} days, from "
        "{opened_on}, when the book was opened, to {days_max} days from today; one that runs has "
        "begun."
    ),
    "incident-missing": (
        "There is no incident {incident}. `fenqi incident list --all` tells which there are."
    ),
    "incident-seconded": "No day of the incident {incident} waits for a second person.",
    "incident-unending": (
        "The incident {incident} touches more accounts than one round goes through. Say it again; "
        "it goes on with who is left."
    ),
    "interest-settings-invalid": "These settings of interest cannot be followed.",
    "interval-reversed": "{end} comes before {start}.",
    "invalid": "This makes no sense as it was asked.",
    "key-invalid": "A key has 1 to {length_max} characters; this one is {key}.",
    "key-reused": (
        "The command {key} was sent before with other words. Give this one a key of its own. A "
        "replay goes on with the file, mapping and options its book was begun with: name another "
        "book with --book."
    ),
    "limit-invalid": "A limit is not negative; this one is {limit_minor} minor units.",
    "line-unreadable": (
        "{file}, line {line}, {column}: {value} is not {wanted}. Nothing was booked. To go on: "
        "{remedy}."
    ),
    "mapping-invalid": (
        "{file}, line {line}, column {column}: {key} is {value}; it must be {allowed}.",
        "{file}, line {line}, column {column}: {key} is {problem}; it must be {allowed}.",
        "{file}, line {line}, column {column}: this is no TOML ({problem}). Correct the line.",
        "{file}: {key} is {value}; it must be {allowed}.",
        "{file}: {key} is {problem}; it must be {allowed}.",
        "{file} cannot be read: {problem}. Give --map the path of a MAP.toml.",
    ),
    "migration-edited": (
        "The migration {file} was changed after it had been applied. Put the applied text back "
        "and write a new migration, or set FENQI_DATA to a new folder."
    ),
    "migration-failed": "The migration {file} failed and was undone: {said}",
    "migration-gap": "The migration {file} is out of order; number {expected} was expected.",
    "migration-misnamed": "{file} is not called like a migration (0001_create_things.sql).",
    "migration-unknown": (
        "The database has the migration {file}, which this version of fenqi does not know. "
        "Run the newer version."
    ),
    "missing": "There is no such thing.",
    "name-invalid": "A name has 1 to {length_max} printable characters; this one is {name}.",
    "no-check-asked": "No check is asked for of the account {account}.",
    "nobody-to-run-as": "PostgreSQL cannot be run: {reason}.",
    "merchant-missing": "There is no merchant {merchant} in the account's book.",
    "not-migrated": "The database has not been migrated. Run: fenqi db start",
    "nothing-to-lift": "No protection {protection} runs on the account {account}.",
    "nothing-to-replay": (
        "{file}: none of its {lines} lines is a purchase, so there is nothing to live. Look at the "
        "filters and the cancellation prefix of the mapping."
    ),
    "offer-ended": "The offer of the application {application} ended on {ended_on}. Apply again.",
    "offer-gone": (
        "The offer {offer} is over; its last day was {last_on}.",
        "The offer {offer} is {state} already.",
        "The offer {offer} cannot be accepted now: the account is {status}, and {overdue_days} "
        "days overdue.",
        "The offer {offer} was made for another limit than there is now.",
    ),
    "offer-missing": ("There is no offer {offer} to this account."),
    "nothing-to-second": (
        "No freeze {protection} of the account {account} waits for a second person."
    ),
    "operation-senseless": (
        (
            "The operation makes no sense for this plan: {reason}; "
            "{value} is not from {least} to {most}."
        ),
        (
            "The operation makes no sense for this plan: {reason}; "
            "{day} is not from {least} to {most}."
        ),
        "The operation makes no sense for this plan: {reason}; {amount} minor units of {lent}.",
        "The operation makes no sense for this plan: {reason}.",
    ),
    "operation-untimely": (
        "The plan does not allow this now: {reason}; {used} of {allowed} were used.",
        "The plan does not allow this now: {reason}; the last of them was {last}.",
        "The plan does not allow this now: {reason}; {amount} minor units of {left}.",
        "The plan does not allow this now: {reason}.",
    ),
    "order-missing": "There is no order {order}.",
    "nothing-to-contest": "The decision took nothing away: its outcome is {outcome}.",
    "pack-invalid": "The pack's {field} is {value}; it must be {expected}.",
    "pack-lends-nothing": (
        "The pack {pack} does not say whom may be lent to ([lending]), so nobody can apply."
    ),
    "path-unwritable": "{path} cannot be written: {fault}. Give another place.",
    "payment-before-advance": (
        "Money flows on {flow_on}, before the first advance on {first_advance_on}."
    ),
    "outcome-unknown": (
        "The database went away while it was committing ({said}), so nobody knows whether this was "
        "booked. Send the same command again, with the same key: it is booked once, and you get "
        "its first answer."
    ),
    "periods-invalid": (
        "The periods of a plan must be at least one, and each must begin where the last one ends."
    ),
    "person-needed": (
        "Say who looked (--by) and what was found (--finding), in characters that can be printed."
    ),
    "place-invalid": "Of a place, {field} must be {expected}.",
    "place-known": (
        "It is the place {place} already ({kind}), in other words. Remove that first if it is "
        "wrong: fenqi place remove {place} --by YOU"
    ),
    "place-missing": "There is no place {place}. `fenqi place list` tells which there are.",
    "place-removed": "The place {place} was removed already by {by}.",
    "place-unfit": "{path} cannot be written: it is {problem}. Name another file.",
    "plan-contested": (
        "The plan {plan} is contested since {since}: nothing of it is claimed until that is "
        "decided."
    ),
    "plan-has-no-order": (
        "The plan {plan} took over a statement. Ask for the refund at the plan of the purchase."
    ),
    "plan-missing": "There is no plan {plan}.",
    "plan-not-running": "The plan {plan} is {state}, so it cannot be settled.",
    "policy-invalid": (
        "{file}, line {line}: {where}: in `{said}`: {fault}.\n  {more}",
        "{file}, line {line}: {where}: {fault}.\n  {more}",
        "{file}, line {line}: {where}: in `{said}`: {fault}.",
        "{file}, line {line}: {where}: {fault}.",
        "{file}, line {line}, column {column}: {fault}.",
        "{file}: the policy is refused: {fault}.",
        "The policy: {fault}.",
    ),
    "preview-unclear": (
        "Say of what (an amount with --on and --asked-on, --account with --plan, or --account with "
        "--statement), and for a plan ask one thing: --defer, --due-day, --extend, --split-bill, "
        "--withdraw, --settle, --cancel or --refund."
    ),
    "price-out-of-range": (
        "{product} is sold at 0 to {most} millionths of its own price; asked for was {price_ppm}."
    ),
    "price-not-cheaper": (
        "{product} in {count} at {price_ppm} millionths of its price would cost {cost_minor} minor "
        "units after rounding, more than the {listed_minor} at its own price; choose another plan."
    ),
    "price-not-open": ("The price of the account {account} is not looked at now (it is {status})."),
    "policy-input-forbidden": (
        "{policy}, {line}: the pack {pack} forbids {input} for {purpose}. Take it away."
    ),
    "policy-kinds-differ": (
        "One decides {first}, the other {second}: only policies of one kind are compared."
    ),
    "policy-missing": (
        "{policy} {version} was never adopted. `fenqi policy list` tells what was.",
        "No policy {policy} is known. `fenqi policy list` tells which are.",
    ),
    "policy-not-due": (
        "{policy} is for decisions from {valid_from} until {valid_until}; today is not among them."
    ),
    "policy-nothing-before": "Nothing decided {kind} before, so there is nothing to go back to.",
    "policy-rows-invalid": "These are no rows of the policy's inputs; wanted {wants}.",
    "policy-twice": (
        "{file} and {other} both decide {kind}, and only one can at a first start. Keep one of "
        "them in the folder and adopt the other later. Nothing was installed."
    ),
    "policy-unsound": (
        "{file} cannot decide yet:\n  {faults}\nCorrect the file and check it again."
    ),
    "policy-version-changed": (
        "{policy} {version} was adopted with another text. Give the new text a higher version."
    ),
    "policy-version-passed": (
        "{policy} {newest} was adopted already, and {version} is a new text under a lower number. "
        "Give it a version above {newest}; to go back to what decided before: fenqi policy "
        "rollback {policy}"
    ),
    "principal-out-of-range": (
        "An amount is {least} to {most} minor units; this one is {principal_minor}."
    ),
    "product-invalid": "The product's {field} is {value}; it must be {expected}.",
    "product-missing": (
        "{file}, line {line}, column {column}: {key}: there is no product {product}. There are: "
        "{known}.",
        "{file}: {key}: there is no product {product}. There are: {known}.",
        "There is no product {product}. There are: {known}.",
    ),
    "program-too-slow": "{program} did not end within {seconds} seconds. Try again.",
    "programs-missing": (
        "The programs of PostgreSQL {major} are missing; install the package {package}, "
        "or set FENQI_DATABASE_URL to a server of your own."
    ),
    "quote-amount-invalid": (
        "{amount} is no amount of {currency}. Write digits and a point, with at most {digits} "
        "digits after it, such as {example}."
    ),
    "rate-not-found": "No yearly rate fits these payments: {reason}.",
    "rate-not-unique": (
        "These payments turn {sign_changes} times and {rates} yearly rates fit them, so "
        "none is theirs."
    ),
    "receipt-invalid": "A receipt of {amount_minor} minor units in state {state} is none.",
    "receipt-missing": "There is no receipt {receipt}.",
    "receipt-settled": "The receipt {receipt} is {state} already.",
    "record-altered": (
        "{file} is not as it was written: its digest does not fit. Export the decision again.",
        "The {what} of the record {rulebook} is not the one its id was made of.",
    ),
    "record-too-large": (
        "{file} is larger than {bytes_max} bytes, so `fenqi decision show --json` did not write it."
    ),
    "record-unreadable": (
        "{file}, line {line}, column {column}: {fault}. Give a file that "
        "`fenqi decision show --json` wrote."
    ),
    "refund-above-order": "Of the order {order} only {left_minor} minor units can be refunded.",
    "refused": "The database user may not do this: {said}",
    "rate-too-large": "The rate of plan {plan} is above {rate_ppm_max} ppm a year.",
    "replay-file-unreadable": (
        "{file}: {fault}. Give --out the folder that `fenqi replay` or `fenqi demo` wrote.",
        "{file} is larger than {bytes_max} bytes, so `fenqi replay` did not write it.",
    ),
    "report-ahead": (
        "Line {line}: the report about {person} is as of {as_of}, which has not come. Nothing was "
        "kept."
    ),
    "reports-unreadable": (
        "{file}, line {line}, {column}: {value} is not {wanted}. Nothing was kept.",
        "{file}: {problem}. Nothing was kept.",
    ),
    "reason-unknown": (
        "No customer is told anything for the reason {reason}: nobody wrote a text for it. There "
        "are texts for: {known}."
    ),
    "resolution-invalid": "In the decision {field} is {value}; it must be {expected}.",
    "row-unknown": "The plan has {rows} rows; there is no row {row}.",
    "scorecard-invalid": (
        "{file}, line {line}, column {column}: {field} is {value}; it must be {expected}.",
        "The scorecard's {field} is {value}; it must be {expected}.",
    ),
    "response-invalid": (
        "A response needs 1 to 4 reasons; {cause} came with {reasons}.",
        "A response must end after it begins: {effect} for {cause} until {until}, at {now}.",
    ),
    "rulebook-altered": "The stored rulebook {rulebook} is not what it was when it was kept.",
    "rulebook-invalid": "The rulebook's {what} is not what fenqi wrote.",
    "rulebook-unknown": (
        "The record was made by {name} ({rulebook}), which this version cannot follow."
    ),
    "server-elsewhere": "{setting} is set: that server is not ours to start or stop.",
    "server-not-started": "PostgreSQL did not start in {folder}:\n{log}",
    "server-not-stopped": "PostgreSQL in {folder} did not stop: {said}",
    "settlement-invalid": (
        "Of {whole} periods {left} cannot be left, or the cost {cost_minor} is below zero.",
        "A rate of {rate} or a payment of {least_payment_minor} is below zero.",
        "A yearly rate of {yearly_rate} has no rate for one of {periods_per_year} periods.",
        "Money of {least_minor}, a credit after {credit_after} periods and a rate of "
        "{period_rate} cannot be settled after {settled_after}.",
    ),
    "settled-before-bought": (
        "--settle-on {settle_on} is before the purchase on {on} (--on). Give that day or a later "
        "one."
    ),
    "settlement-short": "Settling {plan} takes {quote_minor} minor units, not {amount_minor}.",
    "shadow-invalid": (
        "A challenger needs 1 to {days_max} days (--days), not {days}.",
        "A challenger needs {expected} (--by), not `{by}`.",
    ),
    "shape-invalid": (
        "An array has the wrong shape: {shape}, {dtype}; wanted {wants}.",
        "The array {array} is not what is wanted: {wants}.",
    ),
    "socket-path-too-long": (
        "The path {folder} is too long for a socket ({bytes_max} bytes at most). "
        "Set FENQI_DATA to a folder with a shorter path."
    ),
    "statement-broken": "The database did not understand a statement: {said} ({sqlstate})",
    "step-up-needed": (
        "Before the offer of {application} can be signed, a second factor must show who signs: "
        "there were {count} applications in 24 hours. This holds for all of their offers, until "
        "{until}; `fenqi application show {application}` tells more.",
        "Before the offer of {application} can be signed, a second factor must show who signs.",
    ),
    "statement-missing": "The account {account} has no statement {statement}.",
    "statement-past": (
        "The statement {statement} is past; only the latest one, {latest}, can become a plan."
    ),
    "text-unstorable": (
        "A text that was given holds a character that cannot be kept (such as NUL). Take it out."
    ),
    "takes-no-bills": (
        "No statement becomes a plan of {product}. Those that take over bills: {offered}."
    ),
    "too-many-bad-lines": (
        "{file} has more than {most} lines that make no sense (line {line}, {column}). Look at the "
        "mapping first."
    ),
    "too-much-at-once": (
        "Of {scope} {waiting} commands wait already. Send this one again in a moment."
    ),
    "trip-missing": ("No breaker for decisions about {kind} is open in the book {book}."),
    "took-part": (
        "{person} took part in the case {case} and is kept out of this. Ask somebody else."
    ),
    "try-again": "Another transaction stood in the way. Try again. ({said})",
    "unavailable": "Something outside failed. Try again.",
    "unit-period-invalid": (
        "A unit-period of {count} x {kind} is not between 1 and {most}.",
        "A term of months {months} and days {days} is not one of whole months or of up "
        "to 365 days.",
    ),
}
