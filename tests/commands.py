"""Commands as a person types them, for tests."""

from prefrl.cli import main

TINY = [
    "--steps", "3072", "--initial-steps", "512", "--query.round-steps", "512", "--checkpoint-steps", "1024",
    "--agent.num-envs", "4", "--agent.n-steps", "64", "--agent.batch-size", "64", "--agent.n-epochs", "1",
    "--reward.initial-epochs", "2", "--eval-episodes", "2", "--threads", "1",
]  # fmt: skip
ALE_PONG = ["ale_py:ALE/Pong-v5", "--horizon", "1000", "--steps", "100000"]  # of another shape than the suite's own


def refused(capsys, *arguments):
    """What a command that must fail says, on one line."""
    assert main(list(arguments)) == 2
    said = capsys.readouterr().err.strip()
    assert "\n" not in said
    return said
