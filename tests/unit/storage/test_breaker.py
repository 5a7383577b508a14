import pytest

from prebrush.errors import StorageError
from prebrush.storage.breaker import Breaker


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def breaker(clock):
    return Breaker(3.0, clock)


def test_everybody_passes_at_first(breaker):
    breaker.check()
    breaker.check()


def test_after_a_failure_nobody_passes_until_the_pause_is_over(breaker, clock):
    breaker.failed("the server hangs")
    clock.now += 2.9
    with pytest.raises(StorageError, match="the server hangs"):
        breaker.check()
    clock.now += 0.2
    breaker.check()


def test_after_the_pause_one_tries_for_all(breaker, clock):
    breaker.failed("the server hangs")
    clock.now += 4
    breaker.check()
    with pytest.raises(StorageError):
        breaker.check()
    clock.now += 4  # the one that tried hangs as well
    breaker.check()


def test_an_answer_lets_everybody_through(breaker, clock):
    breaker.failed("the server hangs")
    clock.now += 4
    breaker.check()
    breaker.answered()
    breaker.check()
    breaker.check()
