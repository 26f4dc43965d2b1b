"""What folding is worth, in a sentence; plainly where it is nothing."""

import pytest

from foldproof.model import Worth
from foldproof.model.examine import describe_worth
from foldproof.model.running import Plan


def worth(ratios=(), memory=(1000, 1000), kernels=(4, 4), problem=""):
    plans = {
        name: Plan(kernels=kernels[i], memory=memory[i], seconds=1.0) for i, name in enumerate(("unfolded", "folded"))
    }
    return Worth(pipeline="default", plans=plans, timed=tuple((1.0, ratio) for ratio in ratios), problem=problem)


FASTER, SAME, SLOWER = (0.8, 0.81, 0.8, 0.79), (0.98, 1.0, 1.02, 1.01), (1.2, 1.2, 1.22, 1.2)

SENTENCES = {
    "the fold saves 20% of the time and 12% of the planned memory": worth(FASTER, (1000, 880)),
    "the fold saves 20% of the time and no memory": worth(FASTER),
    "the fold saves no time and 12% of the planned memory": worth(SAME, (1000, 880)),
    "the fold is worth nothing here: it saves no time and no memory": worth(SAME),
    "the fold is worth nothing here: it saves no time and no memory; 2 fewer kernels": worth(SAME, kernels=(4, 2)),
    "the fold costs 20% more time here, and saves 12% of the planned memory": worth(SLOWER, (1000, 880)),
    "the fold saves no time and no memory (it plans 10% more)": worth(SAME, (1000, 1100)),
    "the fold saves 20% of the time and an unknown amount of memory": worth(FASTER, (None, None)),
    "not measured: it crashed": worth(problem="it crashed"),
    "not measured: the pass changes nothing": Worth(
        pipeline="default", plans={"unfolded": Plan(kernels=1, memory=1, seconds=1.0)}
    ),
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_what_a_fold_is_worth_is_a_sentence(sentence):
    assert describe_worth(SENTENCES[sentence]) == sentence


def test_the_ratio_is_the_median_of_the_ratios_of_pairs_with_quartiles():
    measured = Worth(pipeline="default", timed=((2.0, 1.0), (4.0, 4.0), (1.0, 2.0)))
    assert measured.ratio == (0.75, 1.0, 1.5)
    assert Worth(pipeline="default").ratio is None
