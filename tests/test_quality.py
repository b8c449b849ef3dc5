from dataclasses import replace

import pytest

from prefrl.quality import Agreement, Quality, Share, agreement, by_labeler, on_screen, quality
from prefrl.queries import INCOMPARABLE, LEFT, RIGHT, TIE, Answer, Record


def a_record(query_id, answer, labeler="ann", swapped=False, repeat=False, seconds=None, withdrawn_at=None):
    return Record(str(query_id), 0, labeler, answer, swapped, repeat, seconds, 0.0, withdrawn_at)


class TestQuality:
    def test_by_hand(self):
        records = [
            a_record(1, LEFT, seconds=1.0),
            a_record(2, LEFT, seconds=2.0, swapped=True),  # the right one on the screen
            a_record(3, RIGHT, seconds=3.0, swapped=True),
            a_record(4, TIE, seconds=11.0),
            a_record(5, INCOMPARABLE),
            a_record(6, LEFT, seconds=100.0, withdrawn_at=1.0),
            a_record(1, LEFT, swapped=True, repeat=True, seconds=50.0),
            a_record(4, LEFT, repeat=True),
            a_record(6, LEFT, repeat=True),  # of an answer that was withdrawn: nothing to be consistent with
            a_record(3, RIGHT, repeat=True, withdrawn_at=1.0),
        ]
        assert quality(records) == Quality(
            answers=5,
            left=Share(2, 3),
            ties=1,
            skipped=1,
            seconds=(2.5, pytest.approx(8.6)),
            consistent=Share(1, 2),
            withdrawn=2,
        )

    def test_of_nothing(self):
        assert quality([]) == Quality(0, Share(0, 0), 0, 0, None, Share(0, 0), 0)

    def test_a_repeat_is_compared_with_the_same_labeler_s_answer(self):
        records = [a_record(1, LEFT), a_record(1, RIGHT, "bob"), a_record(1, RIGHT, "bob", repeat=True)]
        assert quality(records).consistent == Share(1, 1)

    def test_shares(self):
        assert (Share(1, 4).value, Share(0, 0).value, Share(0, 0).interval) == (0.25, None, None)
        assert Share(0, 20).interval == pytest.approx((0, 0.1611), abs=5e-5)

    def test_rankings_have_no_side(self):
        ranking = a_record(1, Answer((2, 0, 1)), swapped=True)
        assert on_screen(ranking).ranks == (1, 0, 2)
        assert quality([ranking]).left == Share(0, 0)

    def test_a_ranking_in_the_order_in_which_it_was_shown(self):
        ranking = replace(a_record(1, Answer((2, 0, 1, 3))), shown=(3, 0, 2, 1))
        assert on_screen(ranking).ranks == (3, 2, 1, 0)

    def test_a_ranking_is_consistent_whatever_numbers_its_ranks_have(self):
        first, same = a_record(1, Answer((0, 1, 1))), a_record(1, Answer((0, 2, 2)), repeat=True)
        assert quality([first, same]).consistent == Share(1, 1)
        assert quality([first, a_record(1, Answer((0, 1, 2)), repeat=True)]).consistent == Share(0, 1)

    def test_a_ranking_in_which_all_are_as_good_is_a_tie(self):
        assert quality([a_record(1, Answer((0, 0, 0))), a_record(2, Answer((0, 0, 1)))]).ties == 1

    def test_labelers_by_diligence(self):
        records = [
            a_record(1, LEFT, "bob"),
            a_record(1, LEFT, "ann"),
            a_record(2, LEFT, "cid"),
            a_record(3, TIE, "cid"),
        ]
        assert list(by_labeler(records)) == ["cid", "ann", "bob"]


class TestAgreement:
    def test_of_two_is_kappa_and_alpha(self):
        records = [
            *(a_record(i, answer) for i, answer in enumerate([LEFT, LEFT, RIGHT, TIE])),
            *(a_record(i, answer, "bob", swapped=True) for i, answer in enumerate([LEFT, RIGHT, RIGHT, TIE])),
        ]
        # Observed 3/4; chance (2 * 1 + 1 * 2 + 1 * 1) / 16. Alpha: 2 unlike of 8 values, (64 - 9 - 9 - 4) / 7.
        assert agreement(records) == Agreement(2, 4, pytest.approx(7 / 11), pytest.approx(1 - 2 / 6))

    def test_of_three_is_alpha(self):
        records = [a_record(i, LEFT if i else RIGHT, name) for i in range(3) for name in ("ann", "bob", "cid")]
        assert agreement(records) == Agreement(3, 3, None, 1.0)

    def test_leaves_out_what_is_no_comparison(self):
        records = [
            a_record(1, LEFT),
            a_record(1, RIGHT, "bob", withdrawn_at=1.0),
            a_record(2, LEFT),
            a_record(2, INCOMPARABLE, "bob"),
            a_record(3, LEFT),
            a_record(3, RIGHT, repeat=True),
        ]
        assert agreement(records) == Agreement(0, 0, None, None)

    def test_of_rankings_is_of_their_pairs(self):
        """Of 6 pairs two labelers differ about one: kappa and alpha are those of six answers to pairs."""
        ranked = [a_record(1, Answer((0, 1, 2, 3))), a_record(1, Answer((0, 1, 3, 2)), "bob")]
        pairs = [a_record(i, LEFT) for i in range(6)] + [
            a_record(i, RIGHT if i == 5 else LEFT, "bob") for i in range(6)
        ]
        assert agreement(ranked).queries == 1
        assert agreement(ranked).kappa == agreement(pairs).kappa
        assert agreement(ranked).alpha == agreement(pairs).alpha

    def test_rankings_and_pairs_go_together_and_only_the_order_of_ranks_counts(self):
        records = [
            *(a_record(1, Answer(ranks), name) for ranks, name in [((0, 1, 1), "ann"), ((2, 7, 7), "bob")]),
            *(a_record(2, RIGHT, name) for name in ("ann", "bob")),
        ]
        assert agreement(records) == Agreement(2, 2, 1.0, 1.0)
