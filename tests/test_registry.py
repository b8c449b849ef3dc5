import pytest

from prefrl.core.registry import look_up, look_up_or_load


def test_an_unknown_name_is_met_with_the_nearest_and_all_known():
    with pytest.raises(ValueError, match=r"unknown loss 'bradly'. Did you mean 'bradley'\? Known: bradley, elo"):
        look_up("loss", "bradly", {"bradley": 1, "elo": 2})


def test_a_plug_in_is_loaded_by_module_and_name():
    import math

    assert look_up_or_load("function", "math:sqrt", {}) is math.sqrt
    assert look_up_or_load("function", "known", {"known": 3}) == 3


@pytest.mark.parametrize("name", ["no_such_module:x", "math:no_such_function"])
def test_a_plug_in_that_is_not_there_is_one_clear_line(name):
    with pytest.raises(ValueError, match=f"cannot load '{name}'"):
        look_up_or_load("function", name, {})
