import numpy as np
import pytest
import torch

from prefrl.agents.averaging import STEPS, running_average


def followed(kept, values):
    """What the average of a network of one weight and one buffer is after it had these values."""
    network = torch.nn.BatchNorm1d(1)
    average = running_average(network, kept, STEPS)
    for value in values:
        network.weight.data.fill_(value)
        network.running_mean.fill_(value)
        average.update_parameters(network)
    return float(average.module.weight.detach()), float(average.module.running_mean)


def test_once_there_are_enough_policies_in_it_the_average_keeps_its_share_of_what_it_was():
    weight, _ = followed(0.5, [1.0, 2.0, 3.0])
    assert weight == pytest.approx(0.5 * (0.5 * 1 + 0.5 * 2) + 0.5 * 3)


def test_what_was_seen_of_observations_is_the_latest():
    _, statistic = followed(0.9, [1.0, 2.0, 3.0])
    assert statistic == 3.0


def test_nothing_kept_is_the_last_policy():
    assert followed(0.0, [1.0, 2.0, 3.0]) == (3.0, 3.0)


@pytest.mark.parametrize("number", [1, 2, 5, 9])
def test_the_first_policies_count_alike(number):
    """With 0.9 from the start on, the first of five would have two thirds of the weight, and of ten 0.39."""
    weight, _ = followed(0.9, [float(i) for i in range(number)])
    assert weight == pytest.approx(np.mean(range(number)))


def test_a_fresh_agent_begins_its_mean_anew():
    network = torch.nn.Linear(1, 1, bias=False)
    average = running_average(network, 0.9, STEPS)
    for value in (5.0, 5.0, 5.0):
        network.weight.data.fill_(value)
        average.update_parameters(network)
    average.n_averaged.zero_()
    for value in (1.0, 2.0):
        network.weight.data.fill_(value)
        average.update_parameters(network)
    assert float(average.module.weight.detach()) == pytest.approx(1.5)


def test_the_share_that_is_kept_goes_by_steps():
    """Eight updates of 256 steps keep as much as one of 2,048."""
    weights = []
    for updates in (1, 8):
        network = torch.nn.Linear(1, 1, bias=False)
        average = running_average(network, 0.5, STEPS // updates)
        average.n_averaged.fill_(1000)  # enough policies
        average.module.weight.data.fill_(0.0)
        network.weight.data.fill_(1.0)
        for _ in range(updates):
            average.update_parameters(network)
        weights.append(float(average.module.weight.detach()))
    assert weights == pytest.approx([0.5, 0.5])
