"""foldproof.checking.failures: a type for each fingerprint, and failures between processes."""

from tests.support.blame import FOLDABLE

from foldproof import Step
from foldproof.checking.failures import KINDS, failure

CAST = Step(kind="astype", out_dtype="int8")


def test_every_fingerprint_has_a_failure_type_of_its_own():
    types = {type(failure(kind.__name__, FOLDABLE, symptom, "")) for kind in KINDS for symptom in ("a", "b")}
    assert len(types) == 2 * len(KINDS)
    assert type(failure("Miscompile", FOLDABLE, "a", "x")) is type(failure("Miscompile", FOLDABLE, "a", "y"))


def test_a_failure_can_be_sent_between_processes():
    import pickle

    caught = failure("Miscompile", FOLDABLE, "values", "out[0] = 1.0, but should be 2.0")
    copy = pickle.loads(pickle.dumps(caught))
    assert type(copy) is type(caught)
    assert (copy.case, copy.fingerprint, copy.detail) == (caught.case, caught.fingerprint, caught.detail)
