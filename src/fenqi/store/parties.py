"""Parties: whom decisions are about, with an account or as who applied for one."""

from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, applications, books
from fenqi.store.accounts import Account, AccountMissing, applicant
from fenqi.store.appeals import Contested
from fenqi.store.applications import Application, ApplicationElsewhere, ApplicationState
from fenqi.store.booking import Booking
from fenqi.store.pool import Session

# An offer stands, and might be worse if it were made again; a person looks at a review already.
# Once the account is open a higher limit is asked for, which is a decision of its own.
REOPENABLE = (ApplicationState.DECLINED,)


class Parties:
    """Whom decisions are about: accounts, or those who applied for one; all locked."""

    def __init__(self, session: Session, ids: set[AccountId]) -> None:
        self._applied = applications.lock(session, ids)
        self._accounts = accounts.lock(session, ids)
        alone = {key: one for key, one in self._applied.items() if key not in self._accounts}
        held = books.hold(session, {one.book_id for one in alone.values()})
        self._applicants = {
            key: applicant(key, held[one.book_id], one.event_count) for key, one in alone.items()
        }

    def find(self, account_id: AccountId) -> Account:
        """Return an account, or what stands for one. Errors: AccountMissing."""
        found = self._accounts.get(account_id) or self._applicants.get(account_id)
        if found is None:
            raise AccountMissing(account=account_id)
        return found

    def application(self, account_id: AccountId) -> Application:
        """Return an application. Errors: ApplicationMissing."""
        return applications.find(self._applied, account_id)

    def check_reopens(self, decision: Contested) -> None:
        """Refuse what was decided again since, or signed. Errors: ApplicationElsewhere."""
        one = self.application(decision.account_id)
        one.expect(*REOPENABLE)
        if one.decision_id != decision.decision_id:
            raise ApplicationElsewhere(application=one.account_id, state=one.state.value)

    def keep(self, booking: Booking) -> None:
        """Write back those who applied, whose events are counted on the application."""
        for key, account in self._applicants.items():
            self._applied[key].event_count = account.event_count
        if self._applied:
            booking.others.append(applications.changed(self._applied.values()))
