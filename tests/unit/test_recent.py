"""The last answers: bounded, and the ones asked for last stay."""

from prebrush.recent import Recent


def test_what_was_not_asked_for_the_longest_leaves_first():
    recent = Recent(10, len)
    assert recent.put("a", b"1234") == recent.put("b", b"1234") == []
    assert recent.get("a") == b"1234"
    assert recent.put("c", b"1234") == ["b"]
    assert recent.size == 8
    assert (recent.get("a"), recent.get("b"), recent.get("c")) == (b"1234", None, b"1234")


def test_replacing_counts_once_and_too_large_a_value_is_not_kept():
    recent = Recent(10, len)
    for _ in range(5):
        recent.put("a", b"12345678")
    assert recent.get("a") == b"12345678"
    recent.put("b", b"x" * 11)
    assert recent.get("b") is None
    recent.put("a", b"again")
    assert recent.get("a") == b"again"


def test_what_is_dropped_makes_room():
    recent = Recent(10, len)
    recent.put("a", b"1234")
    recent.put("b", b"1234")
    recent.drop("a")
    recent.drop("never there")
    assert recent.size == 4
    assert recent.put("c", b"123456") == []
    assert (recent.names(), "a" in recent, "b" in recent) == (["b", "c"], False, True)
