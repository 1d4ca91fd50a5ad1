"""The form of who applies, as a file: complete, and with the consents it needs."""

FORM = """\
person = "%(person)s"
legal_name = "Sample Person"
born_on = 1990-02-03
national_id = "110101 1990 0203 001X"
phone = "+86 138 0013 8000"
asked_minor = 500000
income_declared_minor = 1000000
income_evidenced_minor = 1000000
evidence = "payslip"
obligations_minor = 0
is_student = false
key = "%(key)s"
"""
CONSENTS = "".join(
    f'[consents.{one}]\nstated_at = 2026-01-01T00:00:00Z\ntext_sha256 = "{"ab" * 32}"\n'
    for one in ("identity", "contact", "income", "bureau")
)


def form_of(person: str, *, key: str) -> str:
    """Return the form of a person, without consents."""
    return FORM % {"person": person, "key": key}
