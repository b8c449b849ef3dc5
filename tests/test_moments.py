import torch

from prefrl.moments import RunningMoments


def test_updates_in_parts_give_the_moments_of_the_whole():
    rows = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0)) * 4 + 2
    moments = RunningMoments((3,))
    for part in rows.split([10, 500, 490]):
        moments.update(part)
    assert torch.allclose(moments.mean, rows.mean(0), atol=1e-5)
    assert torch.allclose(moments.variance, rows.var(0, correction=0), rtol=1e-5)


def test_standardises_and_clips():
    moments = RunningMoments((1,), limit=3.0)
    moments.update(torch.tensor([[1.0], [3.0]]))  # mean 2, standard deviation 1
    assert torch.allclose(moments(torch.tensor([[2.0], [3.0], [99.0]])), torch.tensor([[0.0], [1.0], [3.0]]))


def test_leaves_everything_as_it_is_before_anything_was_shown():
    assert torch.allclose(RunningMoments((2,))(torch.tensor([[1.0, -2.0]])), torch.tensor([[1.0, -2.0]]))


def test_is_saved_with_the_weights():
    moments, other = RunningMoments((2,)), RunningMoments((2,))
    moments.update(torch.randn(10, 2))
    other.load_state_dict(moments.state_dict())
    assert torch.equal(other.mean, moments.mean)
