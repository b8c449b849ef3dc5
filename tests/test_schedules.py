import pytest

from prefrl.schedules import SCHEDULES, all_at_start, constant, hyperbolic


@pytest.mark.parametrize("step, due", [(0, 175), (500_000, 269), (1_250_000, 378), (2_500_000, 515), (5_000_000, 700)])
def test_hyperbolic_gives_the_paper_s_700_labels(step, due):
    """The cumulative form of 2e6 / (T + 2e6), rounded."""
    assert hyperbolic(step, 5_000_000, 700, 175, 2e6) == due


def test_constant_is_half_way_at_half_time():
    assert constant(500, 1000, 700, 100, 0) == 400


def test_all_at_start_asks_everything_before_training():
    assert all_at_start(0, 1000, 700, 175, 2e6) == 700


@pytest.mark.parametrize("schedule", SCHEDULES.values(), ids=SCHEDULES)
def test_every_schedule_never_falls_and_ends_at_the_budget(schedule):
    due = [schedule(step, 10_000, 97, 24, 3e3) for step in range(0, 12_000, 100)]
    assert due == sorted(due)
    assert due[-1] == schedule(10_000, 10_000, 97, 24, 3e3) == 97
    assert due[0] >= 24
