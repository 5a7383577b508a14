"""Work is done once, the urgent first, and never without bound."""

import threading
import time

import pytest

from prebrush.errors import Abandoned, Overloaded
from prebrush.jobs import Jobs, Slots, Urgency, stop_if_abandoned


def submit(jobs, key, work, urgency):
    return jobs.submit_all([(key, work)], urgency)[0]


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

    futures = [submit(jobs, "same", work, Urgency.BATCH) for _ in range(3)]
    gate.set()
    assert [future.result(10) for future in futures] == [1, 1, 1]
    assert submit(jobs, "same", work, Urgency.BATCH).result(10) == 2


def test_urgent_work_overtakes_a_batch(gate):
    jobs = Jobs(1)
    order = []
    submit(jobs, "block", lambda: gate.wait(10), Urgency.NOW)
    batch = [submit(jobs, n, lambda n=n: order.append(n), Urgency.BATCH) for n in range(3)]
    urgent = submit(jobs, "urgent", lambda: order.append("urgent"), Urgency.NOW)
    # joining work that waits, with more urgency, moves it forward
    again = submit(jobs, 2, lambda: order.append("never"), Urgency.NOW)
    gate.set()
    for future in (*batch, urgent, again):
        future.result(10)
    assert order == ["urgent", 2, 0, 1]


def test_joining_does_not_lengthen_the_queue(gate):
    jobs = Jobs(1)
    futures = [submit(jobs, "block", lambda: gate.wait(10), Urgency.NOW)]
    futures += [submit(jobs, "same", lambda: True, Urgency.BATCH) for _ in range(1000)]
    assert len(jobs._queue) <= 2
    gate.set()
    assert all(future.result(10) for future in futures)


def test_an_error_reaches_who_asked_and_the_crew_goes_on():
    jobs = Jobs(1)

    def fail():
        raise ValueError("broken")

    with pytest.raises(ValueError, match="broken"):
        submit(jobs, "a", fail, Urgency.NOW).result(10)
    assert submit(jobs, "b", lambda: 5, Urgency.NOW).result(10) == 5
    assert jobs.unfinished == 0


def test_too_much_is_refused(gate):
    jobs = Jobs(1, most_waiting=2)
    futures = [submit(jobs, n, lambda: gate.wait(10), Urgency.BATCH) for n in range(2)]
    with pytest.raises(Overloaded, match="2 tasks"):
        submit(jobs, "more", lambda: True, Urgency.BATCH)
    gate.set()
    assert all(future.result(10) for future in futures)


def test_a_batch_never_holds_the_reserved_threads(gate):
    jobs = Jobs(2, reserved=1)
    blocked = [submit(jobs, n, lambda: gate.wait(10), Urgency.BATCH) for n in range(5)]
    assert submit(jobs, "urgent", lambda: "here", Urgency.NOW).result(5) == "here"
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


def test_what_nobody_waits_for_is_not_begun(gate):
    jobs = Jobs(1)
    begun = []
    block = submit(jobs, "block", lambda: gate.wait(10), Urgency.NOW)
    left = submit(jobs, "left", lambda: begun.append("left"), Urgency.NOW)
    shared = [submit(jobs, "shared", lambda: begun.append("shared"), Urgency.NOW) for _ in range(2)]
    promised = submit(jobs, "promised", lambda: begun.append("promised"), Urgency.BATCH)
    assert submit(jobs, "promised", lambda: None, Urgency.NOW) is promised
    for future in (left, shared[0], promised, promised):
        jobs.leave(future)
    assert jobs.unfinished == 3
    assert jobs.in_background() == 1
    gate.set()
    assert block.result(10)
    promised.result(10)
    assert begun == ["shared", "promised"] or begun == ["promised", "shared"]
    assert left.cancelled()
    # what was dropped can be asked for again
    assert submit(jobs, "left", lambda: "anew", Urgency.NOW).result(10) == "anew"
    assert jobs.unfinished == 0


def test_work_that_runs_ends_at_its_next_step_when_nobody_waits(gate):
    jobs = Jobs(2)
    running, steps = threading.Event(), []

    def work():
        running.set()
        gate.wait(10)
        stop_if_abandoned()
        steps.append("second")

    future = submit(jobs, "same", work, Urgency.NOW)
    assert running.wait(10)
    jobs.leave(future)
    # one who comes while it still runs is waited for again
    joined = submit(jobs, "same", work, Urgency.NOW)
    gate.set()
    joined.result(10)
    assert steps == ["second"]

    gate.clear()
    running.clear()
    future = submit(jobs, "same", work, Urgency.NOW)
    assert running.wait(10)
    jobs.leave(future)
    gate.set()
    with pytest.raises(Abandoned):
        future.result(10)
    assert steps == ["second"]
    assert jobs.unfinished == 0


def test_a_core_that_comes_free_goes_to_nobody_who_left(gate):
    slots, jobs = Slots(1), Jobs(2)
    computed = []

    def compute(name):
        with slots.take(Urgency.NOW):
            computed.append(name)
            gate.wait(10)

    first = submit(jobs, "first", lambda: compute("first"), Urgency.NOW)
    while not slots.taken:
        time.sleep(0.001)
    second = submit(jobs, "second", lambda: compute("second"), Urgency.NOW)
    while not slots.waiting:
        time.sleep(0.001)
    jobs.leave(second)
    gate.set()
    first.result(10)
    with pytest.raises(Abandoned):
        second.result(10)
    assert computed == ["first"]
    assert (slots.taken, slots.waiting) == (0, 0)


def test_a_batch_that_does_not_fit_leaves_nothing_behind(gate):
    jobs = Jobs(1, most_waiting=3)
    block = submit(jobs, "block", lambda: gate.wait(10), Urgency.NOW)
    with pytest.raises(Overloaded):
        jobs.submit_all([(n, lambda: True) for n in range(3)], Urgency.BATCH)
    assert jobs.unfinished == 1
    # what is under way already takes no further room
    futures = jobs.submit_all(
        [("block", lambda: True), (1, lambda: True), (1, lambda: True), (2, lambda: True)], Urgency.NOW
    )
    assert jobs.is_full
    assert futures[0] is block
    assert futures[1] is futures[2]
    gate.set()
    assert all(future.result(10) for future in futures)


def test_no_more_threads_compute_than_there_are_cores_and_the_last_result_is_let_go():
    import gc
    import weakref

    class Large:
        pass

    jobs = Jobs(2)
    kept = weakref.ref(submit(jobs, "large", Large, Urgency.NOW).result(10))
    submit(jobs, "after", lambda: None, Urgency.NOW).result(10)
    give_up = time.monotonic() + 5
    while kept() is not None and time.monotonic() < give_up:
        gc.collect()
        time.sleep(0.01)
    assert kept() is None
