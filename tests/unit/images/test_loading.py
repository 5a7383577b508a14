"""Loading images, and knowing them again."""

import dataclasses
import threading

import msgspec
import pytest

from image_files import HEIGHT, WIDTH, save
from loopback import Answer, FakeStudio, Server
from prebrush.client import Studio
from prebrush.errors import ImageForbidden, ImageNotFound, ImageTooLarge, ImageUnreachable, ImageUnreadable
from prebrush.images import ImageIdentity


def load(loader, reference, known=None, studio=None):
    return loader.load(reference, 7, studio or Studio(), known)


def test_an_upload_is_loaded_once_and_believed_for_ever(picture, scene, loader, clock):
    with FakeStudio(legacy_enabled=True) as server:
        path = "/data/upload/1/0a1b-cat.png"
        server.files[path] = picture
        studio = Studio(setup_host=server.origin, setup_token=server.legacy_token)
        loaded = load(loader, path, studio=studio)
        assert (loaded.image.pixels == scene).all()
        assert (loaded.identity.height, loaded.identity.width) == (HEIGHT, WIDTH)
        assert loaded.identity.immutable
        assert loaded.identity.digest == loaded.image.digest
        clock.time += 10**8
        again = load(loader, path, loaded.identity, studio)
        assert (again.image, again.identity) == (None, loaded.identity)
        assert len(server.asked) == 1


def test_an_identity_survives_being_stored(loader, picture):
    with Server(lambda _: Answer(200, picture, {"ETag": '"é"'})) as server:
        identity = load(loader, f"{server.origin}/a.png").identity
    assert msgspec.json.decode(msgspec.json.encode(identity), type=ImageIdentity) == identity
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(identity), type=ImageIdentity) == identity


def test_elsewhere_an_image_is_believed_for_seconds_then_asked_for(picture, scene, loader, clock):
    state = {"body": picture, "etag": '"1"'}

    def respond(asked):
        if asked.headers.get("if-none-match") == state["etag"]:
            return Answer(304, headers={"ETag": state["etag"]})
        # a long life is promised; a promise is not enough
        return Answer(200, state["body"], {"ETag": state["etag"], "Cache-Control": "max-age=86400"})

    with Server(respond) as server:
        url = f"{server.origin}/a.png"
        first = load(loader, url).identity
        clock.time += 9.9
        assert load(loader, url, first).image is None
        assert len(server.asked) == 1
        clock.time += 0.2
        unchanged = load(loader, url, first)
        assert unchanged.image is None
        assert server.asked[-1].headers["if-none-match"] == '"1"'
        assert unchanged.identity == dataclasses.replace(first, fetched_at=clock.time)
        clock.time += 9.9
        assert load(loader, url, unchanged.identity).image is None
        assert len(server.asked) == 2
        clock.time += 0.2
        state.update(body=save(scene[::-1], "PNG"), etag='"2"')
        changed = load(loader, url, unchanged.identity)
        assert (changed.image.pixels == scene[::-1]).all()
        assert changed.identity.digest != first.digest
        assert changed.identity.key == first.key
        assert changed.identity.etag == '"2"'


def test_last_modified_is_asked_with_too(picture, loader, clock):
    date = "Tue, 01 Sep 2026 10:00:00 GMT"

    def respond(asked):
        return Answer(304) if "if-modified-since" in asked.headers else Answer(200, picture, {"Last-Modified": date})

    with Server(respond) as server:
        url = f"{server.origin}/a.png"
        first = load(loader, url).identity
        clock.time += 11
        assert load(loader, url, first).image is None
        assert server.asked[-1].headers["if-modified-since"] == date


def test_a_short_304_does_not_take_the_wish_back(picture, loader):
    headers = {"ETag": '"1"', "Cache-Control": "no-cache"}
    with Server(
        lambda asked: Answer(304) if "if-none-match" in asked.headers else Answer(200, picture, headers)
    ) as server:
        identity = load(loader, f"{server.origin}/a.png").identity
        assert load(loader, f"{server.origin}/a.png", identity).identity.always_ask


def test_without_anything_to_ask_with_the_bytes_decide(picture, scene, loader, clock):
    with Server(lambda _: Answer(200, picture)) as server:
        url = f"{server.origin}/a.png"
        first = load(loader, url).identity
        clock.time += 11
        same = load(loader, url, first)
        assert same.image is None
        assert same.identity == dataclasses.replace(first, fetched_at=clock.time)
        server.respond = lambda asked: Answer(200, save(scene[:, ::-1], "PNG"))
        clock.time += 11
        assert (load(loader, url, same.identity).image.pixels == scene[:, ::-1]).all()


@pytest.mark.parametrize("directive", ["no-cache", "no-store", "private, Max-Age=0", "max-age=0, must-revalidate"])
def test_a_server_that_wants_to_be_asked_is_asked_each_time(directive, picture, loader):
    def respond(asked):
        headers = {"ETag": '"1"', "Cache-Control": directive}
        return Answer(304, headers=headers) if "if-none-match" in asked.headers else Answer(200, picture, headers)

    with Server(respond) as server:
        url = f"{server.origin}/a.png"
        identity = load(loader, url).identity
        for count in (2, 3):
            loaded = load(loader, url, identity)
            assert loaded.image is None
            identity = loaded.identity
            assert len(server.asked) == count


def test_a_clock_set_back_makes_nothing_fresh(picture, loader, clock):
    with Server(lambda _: Answer(200, picture)) as server:
        url = f"{server.origin}/a.png"
        first = load(loader, url).identity
        clock.time -= 86400
        load(loader, url, first)
        assert len(server.asked) == 2


def test_a_304_that_nobody_asked_for_is_an_error(loader):
    with Server(lambda _: Answer(304)) as server, pytest.raises(ImageUnreachable, match="304"):
        load(loader, f"{server.origin}/a.png")


def test_an_image_that_went_away_is_not_believed_in(picture, loader, clock):
    with Server(lambda _: Answer(200, picture)) as server:
        url = f"{server.origin}/a.png"
        first = load(loader, url).identity
        clock.time += 11
        server.respond = lambda asked: Answer(404)
        with pytest.raises(ImageNotFound):
            load(loader, url, first)


def test_an_identity_of_another_place_is_not_taken(picture, scene, loader):
    with Server(lambda _: Answer(200, picture)) as server:
        first = load(loader, f"{server.origin}/a.png").identity
        assert load(loader, f"{server.origin}/b.png", first).image is not None


def test_errors_name_the_reference_and_hide_what_is_signed(loader):
    with Server(lambda _: Answer(200, b"%PDF-1.7")) as server:
        with pytest.raises(ImageUnreadable, match=r"/a\.png\?Signature=\*\*\*: not an image") as raised:
            load(loader, f"{server.origin}/a.png?Signature=hidden")
        assert "hidden" not in str(raised.value)
        server.respond = lambda asked: Answer(200, bytes(2 << 20))
        with pytest.raises(ImageTooLarge, match="max_bytes"):
            load(loader, f"{server.origin}/a.png")
    with pytest.raises(ImageForbidden):
        load(loader, "file:///etc/passwd")


def test_threads_share_a_loader(picture, scene, loader):
    with Server(lambda _: Answer(200, picture)) as server:
        found = []
        threads = [
            threading.Thread(target=lambda i=i: found.append(load(loader, f"{server.origin}/{i}.png").image.pixels))
            for i in range(8)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert len(found) == 8
    assert all((pixels == scene).all() for pixels in found)
