import math

import pytest

from widgets import formatting as show


@pytest.mark.parametrize("unknown", [None, math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "write", [show.number, show.signed, show.usd, show.count, show.hours, show.duration, show.probability]
)
def test_an_unknown_number_is_a_dash_and_never_zero(write, unknown):
    assert write(unknown) == "—"


@pytest.mark.parametrize("foreign", ["12", True, [1], {}])
def test_a_value_that_is_not_a_number_is_refused(foreign):
    with pytest.raises(TypeError, match="expected a number or null"):
        show.number(foreign)


@pytest.mark.parametrize(
    ("value", "shown"),
    [(37.02, "+37.0"), (-9.04, "−9.0"), (0.0, "0.0"), (-0.04, "0.0"), (0.04, "0.0"), (12345.6, "+12,345.6")],
)
def test_a_signed_number_has_its_sign_unless_it_shows_as_zero(value, shown):
    assert show.signed(value) == shown


@pytest.mark.parametrize(
    ("value", "digits", "sign", "shown"),
    [
        (5161.6, 0, False, "$5,162"),
        (37.02, 2, True, "+$37.02"),
        (-3.4, 2, True, "−$3.40"),
        (-12.0, 0, False, "−$12"),
        (0.0, 2, True, "$0.00"),
    ],
)
def test_dollars_stand_after_the_sign(value, digits, sign, shown):
    assert show.usd(value, digits, sign=sign) == shown


@pytest.mark.parametrize(
    ("value", "shown"), [(-1e300, "−1.00e+300"), (2e12, "+2.00e+12"), (9e11, "+900,000,000,000.0")]
)
def test_a_number_out_of_this_world_has_an_exponent_and_not_a_line_of_digits(value, shown):
    assert show.signed(value) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [(0.5, "30 min"), (6.42, "6.4 h"), (71.94, "71.9 h"), (76.8, "3.2 d"), (1e6, "41,666.7 d"), (1e300, "4.17e+298 d")],
)
def test_hours_are_shown_in_the_unit_that_fits(value, shown):
    assert show.hours(value) == shown


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-3, "0 s"),
        (34, "34 s"),
        (89.4, "89 s"),
        (2702, "45 min"),
        (3600, "1 h"),
        (12000, "3 h 20 min"),
        (187200, "2 d 4 h"),
    ],
)
def test_an_age_is_shown_in_at_most_two_units(seconds, shown):
    assert show.duration(seconds) == shown


@pytest.mark.parametrize(("p", "shown"), [(0.00312, "0.0031"), (0.0, "<0.0001"), (0.00009, "<0.0001"), (1.0, "1.0000")])
def test_a_tiny_probability_is_not_rounded_to_zero(p, shown):
    assert show.probability(p) == shown


def test_times_are_shown_in_utc_whatever_offset_they_carry():
    assert show.utc_time("2026-11-20T08:45:02.250-05:00") == "13:45:02 UTC"
    assert show.utc_time("2026-11-20T13:45:02.250Z", date=True) == "2026-11-20 13:45:02 UTC"
    assert show.utc_time("2026-11-20T13:00:00Z", seconds=False) == "13:00 UTC"


def test_text_that_is_no_time_is_refused():
    with pytest.raises(ValueError, match="Invalid isoformat"):
        show.utc_time("yesterday")


def test_a_count_must_be_known():
    with pytest.raises(TypeError, match="expected a count"):
        show.whole(None)


@pytest.mark.parametrize(
    ("value", "said"), [(0.391, "39%"), (1.0, "100%"), (0.002, "0.2%"), (None, "—"), (float("nan"), "—")]
)
def test_a_share_is_in_percent(value, said):
    assert show.share(value) == said
