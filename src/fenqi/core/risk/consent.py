"""What a person agrees to: each class of data for a purpose, given and taken back.

Nothing is taken in without the consent for its class, and nothing is used after it was taken back.
"""

from enum import StrEnum

from fenqi.core.errors import Forbidden


class ConsentMissing(Forbidden):
    """Data came, or was to be used, without the person's consent for its class."""

    code = "consent-missing"


class DataClass(StrEnum):
    """The classes of data that are asked for one by one."""

    IDENTITY = "identity"  # name, day of birth, number of the identity card
    CONTACT = "contact"  # phone
    DEVICE = "device"
    PAYMENT = "payment"  # bank card
    INCOME = "income"  # what was shown of it
    BUREAU = "bureau"  # to ask a credit bureau, and to use what it said


# Identifiers of the outside by the class each belongs to.
CLASS_OF_IDENTIFIER = {
    "phone": DataClass.CONTACT,
    "device": DataClass.DEVICE,
    "card": DataClass.PAYMENT,
}
