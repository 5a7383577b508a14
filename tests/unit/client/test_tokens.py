"""Personal access tokens are traded, once for all who wait."""

import threading

import pytest

from getting_images import UPLOAD, get
from loopback import Answer, Server, make_jwt, redirect
from prebrush.client import Studio
from prebrush.errors import ImageError, ImageForbidden, ImageUnreachable


def test_a_personal_access_token_is_traded_once(studio, client):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    assert get(client, UPLOAD, known).body == b"picture"
    assert get(client, "/data/local-files/?d=set/a.png", known).body == b"local"
    assert studio.trades == 1
    assert studio.asked[-1].headers["authorization"] == f"Bearer {studio.access_tokens[0]}"


def test_it_is_renewed_before_it_ends(studio, client, clock):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    get(client, UPLOAD, known)
    clock.time += 260
    get(client, UPLOAD, known)
    assert studio.trades == 1
    clock.time += 20
    get(client, UPLOAD, known)
    assert studio.trades == 2
    assert studio.asked[-1].headers["authorization"] == f"Bearer {studio.access_tokens[1]}"


def test_it_is_renewed_when_withdrawn_early(studio, client):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    get(client, UPLOAD, known)
    studio.withdrawn.add(studio.access_tokens[0])
    assert get(client, UPLOAD, known).body == b"picture"
    assert studio.trades == 2


def test_many_threads_trade_once(studio, client):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    bodies = []
    together = threading.Barrier(8)

    def work():
        together.wait()
        bodies.append(get(client, UPLOAD, known).body)

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert bodies == [b"picture"] * 8
    assert studio.trades == 1


@pytest.fixture
def hanging(studio):
    """Make Label Studio take a trade and not answer, until the event that is handed out is set."""
    over = threading.Event()
    respond = studio.respond

    def hang(asked):
        if asked.path.endswith("/api/token/refresh/"):
            over.wait()
        return respond(asked)

    studio.respond = hang
    yield over
    over.set()


def in_threads(count, work):
    """Start them together, and gather what they return or raise."""
    together = threading.Barrier(count)
    outcomes = []

    def run():
        together.wait()
        try:
            outcomes.append(work())
        except ImageError as error:
            outcomes.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, outcomes


def test_many_threads_wait_for_one_hanging_trade_together(studio, client, clock, hanging):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    threads, outcomes = in_threads(6, lambda: get(client, UPLOAD, known, timeout_s=1.5))
    for thread in threads:
        thread.join()
    assert [type(outcome) for outcome in outcomes] == [ImageUnreachable] * 6
    assert all("in time" in str(outcome) for outcome in outcomes)
    assert studio.trades == 1
    # known to fail, it is left alone for a while
    clock.time += 4
    with pytest.raises(ImageUnreachable, match="in time"):
        get(client, UPLOAD, known)
    assert studio.trades == 1
    hanging.set()
    clock.time += 2
    assert get(client, UPLOAD, known).body == b"picture"
    assert studio.trades == 2


def test_who_has_less_time_does_not_wait_for_who_has_more(studio, client, hanging):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    (patient,), outcomes = in_threads(1, lambda: get(client, UPLOAD, known, timeout_s=10))
    while not studio.trades:
        patient.join(0.01)
    with pytest.raises(ImageUnreachable, match="in time"):
        get(client, UPLOAD, known, timeout_s=0.2)
    assert patient.is_alive()
    hanging.set()
    patient.join()
    assert [outcome.body for outcome in outcomes] == [b"picture"]


def test_a_trade_that_had_hardly_any_time_is_not_held_against_the_token(studio, client, hanging):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    with pytest.raises(ImageUnreachable, match="in time"):
        get(client, UPLOAD, known, timeout_s=0.2)
    hanging.set()
    assert get(client, UPLOAD, known).body == b"picture"


def test_a_refused_token_is_not_traded_again_at_once(studio, client, clock):
    known = Studio(url=studio.origin, api_key=make_jwt(token_type="refresh", jti="revoked"))
    for _ in range(2):
        with pytest.raises(ImageForbidden, match="revoked"):
            get(client, UPLOAD, known)
    assert studio.trades == 1
    clock.time += 6
    with pytest.raises(ImageForbidden, match="revoked"):
        get(client, UPLOAD, known)
    assert studio.trades == 2


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, b"{}"),
        Answer(200, b'{"access": 5}'),
        Answer(200, b'{"access": "a\\r\\nX: y"}'),
        Answer(200, b"nonsense"),
        Answer(404),
        redirect("https://elsewhere.example/login?next=/api"),
    ],
)
def test_an_odd_answer_to_the_trade_is_a_refusal(answer, client):
    with Server(lambda _: answer) as server, pytest.raises(ImageForbidden, match="api/token/refresh"):
        get(client, UPLOAD, Studio(url=server.origin, api_key=make_jwt(token_type="refresh")))
