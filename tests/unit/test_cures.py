"""What `prebrush check` advises: one thing for each message, and nothing that the message says already."""

import pytest

from prebrush.checkup.cures import CURES, failed, find_cure
from prebrush.client.authorized import HOW_TO_OPEN, LEGACY_IS_OFF, NOT_FOR_THAT_USER
from prebrush.errors import ImageForbidden


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("tried: KEY: http://a:1/api/token/refresh/ answers 404 to it: is that Label Studio?. " + HOW_TO_OPEN, "else"),
        ("refuses /data/local-files/?d=a.jpg; tried: KEY: 403. " + NOT_FOR_THAT_USER, "LOCAL_FILES_SERVING_ENABLED"),
        ("refuses /data/upload/1/a.jpg; tried: KEY: 403. " + NOT_FOR_THAT_USER, "a member"),
        ("refuses /data/upload/1/a.jpg; tried: KEY: 401. " + LEGACY_IS_OFF + " " + HOW_TO_OPEN, "Create New Token"),
        ("https://a does not take a connection: [ssl: wrong_version_number] ...", "http:// in place"),
        ("http://a does not take a connection: connection refused", "Start it"),
        ("the labeling config has no tag to fill: it has no <Image> tag", "labeling config"),
        ("Label Studio at http://a has no s3://b/c.jpg (404)", "storage"),
        ("http://10.0.0.1 is at 10.0.0.1, and this server may not fetch from there.", "images.allowed_hosts"),
    ],
)
def test_the_nearest_cause_is_what_is_to_be_changed(said, told):
    assert told in find_cure(said)


def test_what_is_to_be_changed_is_said_once():
    finding = failed("image", ImageForbidden(f"refused. {LEGACY_IS_OFF} {HOW_TO_OPEN}"))
    assert finding["found"] == "refused."
    assert finding["advice"] == find_cure(HOW_TO_OPEN)


def test_the_allow_list_is_named_once():
    said = "http://10.0.0.1 is at 10.0.0.1, and this server may not fetch from there. If it should, add '10.0.0.1' to x"
    finding = failed("image", ImageForbidden(said))
    assert finding["found"].endswith("may not fetch from there.")
    assert "images.allowed_hosts" in finding["advice"]


def test_what_nobody_foresaw_gets_no_advice():
    assert find_cure("the moon is in the way") == ""
    assert all(cure.endswith(".") for _, cure in CURES)
