"""The charges of the published lives: what each code is called and how it is levied.

Source: the vectors' README, `add_charge` (which are penalties), and the figures (names, times).
The processing fee occurs in no list of charges; its name is that of the public test suite.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ChargeWords:
    """How a charge is printed."""

    name: str
    is_penalty: bool
    due_at: str = "Specified due date"
    calculation: str = "Flat"


CHARGES = {
    "LOAN_NSF_FEE": ChargeWords("NSF fee", is_penalty=True),
    "LOAN_SNOOZE_FEE": ChargeWords("Snooze fee", is_penalty=False),
    "LOAN_PERCENTAGE_PROCESSING_FEE": ChargeWords(
        "% Processing fee", is_penalty=False, calculation="% Loan Amount + Interest"
    ),
    "LOAN_PERCENTAGE_LATE_FEE": ChargeWords(
        "% Late fee", is_penalty=True, due_at="Overdue Fees", calculation="% Amount"
    ),
    "LOAN_PERCENTAGE_LATE_FEE_AMOUNT_PLUS_INTEREST": ChargeWords(
        "% Late fee amount+interest",
        is_penalty=True,
        due_at="Overdue Fees",
        calculation="% Loan Amount + Interest",
    ),
}
