"""Images got by way of sub-paths, proxies and storages, in one time limit."""

import threading

import pytest

from getting_images import UPLOAD, get
from loopback import Answer, FakeStudio, Server, redirect
from prebrush.client import Studio, StudioClient
from prebrush.errors import ImageForbidden, ImageUnreachable
from prebrush.fetching import AllowList, Fetcher


def test_a_presigned_address_is_followed_without_the_token(studio):
    with Server(lambda _: Answer(200, b"from storage")) as storage:
        studio.cloud["s3://bucket/a.png"] = redirect(f"{storage.origin}/bucket/a.png?X-Amz-Signature=s", 303)
        known = Studio(url=studio.origin, api_key=studio.personal_token)
        client = StudioClient(Fetcher(allowed=AllowList.parse("127.0.0.1")))
        assert get(client, "s3://bucket/a.png", known).body == b"from storage"
        # without the operator's word, storage at a private address is out of bounds
        with pytest.raises(ImageForbidden, match="allowed_hosts"):
            get(StudioClient(Fetcher()), "s3://bucket/a.png", known)
    assert "authorization" not in storage.asked[0].headers
    assert len(storage.asked) == 1


def test_below_a_sub_path_the_token_is_traded_there(client):
    with FakeStudio(prefix="/sub") as studio:
        studio.files = {UPLOAD: b"picture"}
        known = Studio(url=f"{studio.origin}/sub", api_key=studio.personal_token)
        assert get(client, f"/sub{UPLOAD}", known).body == b"picture"
        assert get(client, UPLOAD, known).body == b"picture"
        assert client.whoami(known).user == "annotator@example.com"


def test_behind_its_proxy_the_sub_path_is_left_out(studio, client):
    """Label Studio itself answers 404, or stumbles, below the sub-path that only its proxy knows."""
    known = Studio(url=studio.origin, setup_host="https://public.example/sub", api_key=studio.personal_token)
    assert get(client, f"/sub{UPLOAD}", known).body == b"picture"
    assert get(client, "https://public.example/sub/data/local-files/?d=set/a.png", known).body == b"local"


def test_an_address_told_by_setup_may_be_distrusted(studio, client):
    studio.legacy_enabled = True
    told = {"setup_host": studio.origin, "setup_token": studio.legacy_token}
    assert get(client, UPLOAD, Studio(**told)).body == b"picture"
    with pytest.raises(ImageForbidden, match="LABEL_STUDIO_URL"):
        get(client, UPLOAD, Studio(**told, trust_setup_host=False))


def test_a_condition_is_passed_on(studio, client):
    known = Studio(url=studio.origin, api_key=studio.personal_token)
    etag = get(client, "/data/local-files/?d=set/a.png", known).etag
    assert get(client, "/data/local-files/?d=set/a.png", known, headers={"If-None-Match": etag}).status == 304


def test_all_requests_for_an_image_share_one_time_limit(client):
    over = threading.Event()

    def respond(asked):
        over.wait()
        return Answer(401)

    with Server(respond) as slow:
        known = Studio(url=slow.origin, api_key="0" * 40, setup_token="1" * 40)
        with pytest.raises(ImageUnreachable, match="in time"):
            get(client, UPLOAD, known, timeout_s=0.3)
        assert len(slow.asked) == 1
        over.set()
