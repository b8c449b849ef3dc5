import gymnasium as gym
import numpy as np
import pytest
from ale_py import AtariVectorEnv
from gymnasium.vector import AutoresetMode
from prefrl_envs.atari_vector import AtariBatch


def play(batch, steps, seed=0):
    """Every step of random actions."""
    rng = np.random.default_rng(seed)
    return [batch.step(rng.integers(batch.action_space.n, size=batch.num_envs)) for _ in range(steps)]


@pytest.mark.parametrize("game, steps, games", [("Breakout", 220, 1), ("Qbert", 80, 0), ("SpaceInvaders", 80, 0)])
def test_a_batch_equals_single_games_bit_for_bit(game, steps, games):
    """Observations, screens, rewards and scores, over ends of games and of episodes."""
    env_id, num_envs, horizon = f"prefrl/{game}-v0", 2, 70
    batch = AtariBatch(env_id, num_envs, num_threads=2, horizon=horizon)
    envs = [gym.make(env_id, max_episode_steps=horizon) for _ in range(num_envs)]
    assert batch.observation_space == envs[0].observation_space
    assert batch.action_space == envs[0].action_space
    expected = np.stack([env.reset(seed=7 + i)[0] for i, env in enumerate(envs)])
    np.testing.assert_array_equal(batch.reset([7, 8]), expected)
    rng, ended = np.random.default_rng(0), 0
    for number in range(1, steps + 1):
        actions = rng.integers(batch.action_space.n, size=num_envs)
        step = batch.step(actions)
        singles = [env.step(action) for env, action in zip(envs, actions, strict=True)]
        infos = [info for *_, info in singles]
        np.testing.assert_array_equal(step.obs, np.stack([single[0] for single in singles]))
        np.testing.assert_array_equal(batch.render_states(), np.stack([env.unwrapped.render() for env in envs]))
        np.testing.assert_array_equal(step.true_rewards, [info["true_reward"] for info in infos])
        oracle = [info.get("oracle_reward", info["true_reward"]) for info in infos]
        np.testing.assert_array_equal(step.oracle_rewards, oracle)
        np.testing.assert_array_equal(step.game_scores, [info.get("game_score", np.nan) for info in infos])
        np.testing.assert_array_equal(step.truncated, [single[3] for single in singles])
        if step.truncated.all():
            assert number % horizon == 0
            np.testing.assert_array_equal(batch.reset(), np.stack([env.reset()[0] for env in envs]))
        ended += (~np.isnan(step.game_scores)).sum()
    assert ended >= games


def test_observations_overlap_across_the_ends_of_games_and_episodes():
    batch = AtariBatch("prefrl/Breakout-v0", 2, horizon=50)
    before = batch.reset([0, 1])
    games = 0
    for _ in range(220):
        step = batch.step(np.array([1, 2]))
        np.testing.assert_array_equal(step.obs[:, :3], before[:, 1:])
        before = step.obs
        games += (~np.isnan(step.game_scores)).sum()
        if step.truncated.all():
            np.testing.assert_array_equal(batch.reset(), before)
    assert games


def test_the_same_seeds_give_the_same_streams_whatever_came_before_and_on_any_threads():
    streams = []
    for threads in (1, 2):
        batch = AtariBatch("prefrl/Breakout-v0", 2, num_threads=threads)
        batch.reset([5, 6])
        play(batch, 20 * threads, seed=9)
        batch.reset([3, 4])
        streams.append(play(batch, 200))
    for one, two in zip(*streams, strict=True):
        for a, b in zip(one, two, strict=True):
            np.testing.assert_array_equal(a, b)
    assert any((~np.isnan(step.game_scores)).any() for step in streams[0])


def test_one_console_may_be_seeded_and_the_others_go_on():
    batch = AtariBatch("prefrl/Pong-v0", 2)
    first = batch.reset([1, 2])
    obs = play(batch, 30)[-1].obs
    screens = batch.render_states().copy()
    again = batch.reset([None, 2])
    np.testing.assert_array_equal(again[0], obs[0])
    np.testing.assert_array_equal(again[1], first[1])
    np.testing.assert_array_equal(batch.render_states()[0], screens[0])


def test_what_it_returned_does_not_change_later():
    batch = AtariBatch("prefrl/Pong-v0", 2)
    obs, screens = batch.reset([0, 1]), batch.render_states()
    kept = obs.copy(), screens.copy()
    play(batch, 5)
    np.testing.assert_array_equal(obs, kept[0])
    np.testing.assert_array_equal(screens, kept[1])


def test_people_may_be_shown_the_score():
    hidden, shown = (AtariBatch("prefrl/Breakout-v0", 1, show_score=show) for show in (False, True))
    np.testing.assert_array_equal(hidden.reset([0]), shown.reset([0]))
    assert not hidden.render_states()[:, :17].any()
    assert shown.render_states()[:, :17].any()


def test_games_are_those_of_ales_own_vector_environment():
    """Which skips frames, takes maxima, draws no-ops and starts games in C++; its screens are not painted over."""
    batch = AtariBatch("prefrl/Breakout-v0", 2, boxes=[])
    ales = AtariVectorEnv(
        "breakout", 2, frameskip=4, maxpool=True, img_height=210, img_width=160, grayscale=False, stack_num=1,
        noop_max=31, use_fire_reset=False, repeat_action_probability=0.0, autoreset_mode=AutoresetMode.SAME_STEP,
    )  # fmt: skip
    batch.reset([3, 8])
    screens, _ = ales.reset(seed=np.array([3, 8]))
    rng, games = np.random.default_rng(0), 0
    for _ in range(300):
        np.testing.assert_array_equal(batch.render_states(), screens[:, 0])
        actions = rng.integers(4, size=2)
        step = batch.step(actions)
        screens, rewards, terminated, _, _ = ales.step(actions)
        np.testing.assert_array_equal(step.true_rewards, rewards)
        np.testing.assert_array_equal(~np.isnan(step.game_scores), terminated)
        games += terminated.sum()
    assert games >= 1
    ales.close()


def test_an_action_that_there_is_not_is_named_instead_of_waited_for():
    batch = AtariBatch("prefrl/Pong-v0", 2)
    batch.reset([0, 1])
    with pytest.raises(ValueError, match="action 6: this game has the actions 0 to 5"):
        batch.step(np.array([0, 6]))


@pytest.mark.parametrize("env_id", ["prefrl/Hopper-v0", "prefrl/EnduroLevel-v0"])
def test_only_games_played_for_their_score(env_id):
    with pytest.raises(ValueError, match=f"{env_id} is not a game played for its score"):
        AtariBatch(env_id, 2)
