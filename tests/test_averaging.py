import pytest
import torch

from prefrl.agents.averaging import running_average


def followed(kept, values):
    """What the average of a network of one weight and one buffer is after it had these values."""
    network = torch.nn.BatchNorm1d(1)
    average = running_average(network, kept)
    for value in values:
        network.weight.data.fill_(value)
        network.running_mean.fill_(value)
        average.update_parameters(network)
    return float(average.module.weight.detach()), float(average.module.running_mean)


def test_the_average_begins_with_the_first_policy_and_keeps_its_share_of_what_it_was():
    weight, _ = followed(0.9, [1.0, 2.0, 3.0])
    assert weight == pytest.approx(0.9 * (0.9 * 1 + 0.1 * 2) + 0.1 * 3)


def test_what_was_seen_of_observations_is_the_latest():
    _, statistic = followed(0.9, [1.0, 2.0, 3.0])
    assert statistic == 3.0


def test_nothing_kept_is_the_last_policy():
    assert followed(0.0, [1.0, 2.0, 3.0]) == (3.0, 3.0)
