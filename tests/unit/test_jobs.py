"""Work is done once, the urgent first, and never without bound."""

import threading
import time

import pytest

from prebrush.errors import Overloaded
from prebrush.jobs import Jobs, Slots, Urgency


@pytest.fixture
def gate():
    return threading.Event()


def test_the_same_key_is_run_once_and_everybody_gets_the_result(gate):
    jobs = Jobs(2)
    runs = []

    def work():
        gate.wait(10)
        runs.append(1)
        return len(runs)

    futures = [jobs.submit("same", work, Urgency.BATCH) for _ in range(3)]
    gate.set()
    assert [future.result(10) for future in futures] == [1, 1, 1]
    assert jobs.submit("same", work, Urgency.BATCH).result(10) == 2


def test_urgent_work_overtakes_a_batch(gate):
    jobs = Jobs(1)
    order = []
    jobs.submit("block", lambda: gate.wait(10), Urgency.NOW)
    batch = [jobs.submit(n, lambda n=n: order.append(n), Urgency.BATCH) for n in range(3)]
    urgent = jobs.submit("urgent", lambda: order.append("urgent"), Urgency.NOW)
    # joining work that waits, with more urgency, moves it forward
    again = jobs.submit(2, lambda: order.append("never"), Urgency.NOW)
    gate.set()
    for future in (*batch, urgent, again):
        future.result(10)
    assert order == ["urgent", 2, 0, 1]


def test_joining_does_not_lengthen_the_queue(gate):
    jobs = Jobs(1)
    futures = [jobs.submit("block", lambda: gate.wait(10), Urgency.NOW)]
    futures += [jobs.submit("same", lambda: True, Urgency.BATCH) for _ in range(1000)]
    assert len(jobs._queue) <= 2
    gate.set()
    assert all(future.result(10) for future in futures)


def test_an_error_reaches_who_asked_and_the_crew_goes_on():
    jobs = Jobs(1)

    def fail():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        jobs.submit("a", fail, Urgency.NOW).result(10)
    assert jobs.submit("b", lambda: 5, Urgency.NOW).result(10) == 5
    assert jobs.unfinished == 0


def test_too_much_is_refused(gate):
    jobs = Jobs(1, most_waiting=2)
    futures = [jobs.submit(n, lambda: gate.wait(10), Urgency.BATCH) for n in range(2)]
    with pytest.raises(Overloaded, match="2 tasks"):
        jobs.submit("more", lambda: True, Urgency.BATCH)
    gate.set()
    assert all(future.result(10) for future in futures)


def test_a_batch_never_holds_the_reserved_threads(gate):
    jobs = Jobs(2, reserved=1)
    blocked = [jobs.submit(n, lambda: gate.wait(10), Urgency.BATCH) for n in range(5)]
    assert jobs.submit("urgent", lambda: "here", Urgency.NOW).result(5) == "here"
    gate.set()
    assert all(future.result(10) for future in blocked)


def test_slots_go_to_the_urgent_first():
    slots = Slots(1)
    order = []
    inside, leave = threading.Event(), threading.Event()

    def hold():
        with slots.take(Urgency.BATCH):
            inside.set()
            leave.wait(10)

    def work(name, urgency):
        with slots.take(urgency):
            order.append(name)

    threads = [threading.Thread(target=hold)]
    threads[0].start()
    assert inside.wait(10)
    for name, urgency in (("batch", Urgency.BATCH), ("urgent", Urgency.NOW)):
        waiting = len(slots._waiting)
        threads.append(threading.Thread(target=work, args=(name, urgency)))
        threads[-1].start()
        while len(slots._waiting) == waiting:
            time.sleep(0.001)
    leave.set()
    for thread in threads:
        thread.join(10)
    assert order == ["urgent", "batch"]
