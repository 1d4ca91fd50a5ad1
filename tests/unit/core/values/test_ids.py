"""An account belongs to one slice for life."""

from uuid import UUID

from fenqi.core.values.ids import SLICES, AccountId, slice_of


def test_the_slice_comes_from_the_random_end_of_the_id() -> None:
    early = AccountId(UUID("01900000-0000-7000-8000-00000000003f"))
    late = AccountId(UUID("01ffffff-ffff-7fff-bfff-ffffffffff3f"))
    assert slice_of(early) == slice_of(late) == 63


def test_every_slice_is_within_range() -> None:
    slices = {slice_of(AccountId(UUID(int=number))) for number in range(3 * SLICES)}
    assert slices == set(range(SLICES))
