"""Guarded fetching, against real servers that would answer."""

import ipaddress
import logging
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from loopback import Answer, Asked, Server, redirect, rude_server
from prebrush.errors import (
    ConfigError,
    ImageForbidden,
    ImageTooLarge,
    ImageUnreachable,
    ImageUnreadable,
)
from prebrush.fetching import (
    AllowList,
    Fetcher,
    FetchLimits,
    Origin,
    Reach,
    Trusted,
    join_url,
    parse_url,
    reach_of,
    show_reference,
)
from prebrush.fetching.addresses import parse_address

MEBIBYTE = 1 << 20
LOOPBACK = AllowList.parse("127.0.0.1")


def fetch(fetcher, url, **options):
    return fetcher.fetch(parse_url(url), **{"max_bytes": MEBIBYTE, **options})


@pytest.fixture
def server():
    with Server(lambda _: Answer(200, b"picture", {"Content-Type": "image/png", "ETag": '"1"'})) as running:
        yield running


# URLs


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("http://example.org", "http://example.org/"),
        ("HTTPS://Example.ORG:443/a?b=c#d", "https://example.org/a?b=c"),
        ("http://example.org:8080/my photo.jpg", "http://example.org:8080/my%20photo.jpg"),
        ("http://example.org/ä%20b", "http://example.org/%C3%A4%20b"),
        ("http://bücher.example/", "http://xn--bcher-kva.example/"),
        ("http://[2001:DB8::1]:81/x", "http://[2001:db8::1]:81/x"),
        ("http://label_studio:8080/x", "http://label_studio:8080/x"),
        ("http://example.org./x", "http://example.org/x"),
        ("  http://example.org/x\n", "http://example.org/x"),
        ("http://example.org?q=@", "http://example.org/?q=@"),
        ("http://example.org/a@b", "http://example.org/a@b"),
    ],
)
def test_a_url_is_read_as_a_browser_reads_it(text, shown):
    assert str(parse_url(text)) == shown


@pytest.mark.parametrize(
    "text",
    [
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_INFO",
        "ftp://example.org/x",
        "javascript:alert(1)",
        "http:example.org",
        "http:/example.org",
        "//example.org/x",
        "http://",
        "http:///x",
        "http://user:password@example.org/",
        "http://example.org@127.0.0.1/",
        "http://example.org\\@127.0.0.1/",
        "http://example.org\\x",
        "http://127.0.0.1#@example.org:x/",
        "http://exam\r\nHost: evil/",
        "http://example.org/x\r\nAuthorization: y",
        "http://example.org/\x00",
        "http://example.org:0/",
        "http://example.org:65536/",
        "http://example.org:80:80/",
        "http://example.org:port/",
        "http://%31%32%37.0.0.1/",
        "http://exa mple.org/",
        "http://[::1/",
        "http://::1/",
        "http://[fe80::1%25eth0]/",
        "http://" + "a" * 300 + "/",
        "http://" + "ä" * 300 + "/",
    ],
)
def test_a_url_that_can_be_read_in_two_ways_is_refused(text):
    if "#@" in text:
        # a fragment is dropped, which leaves the address before it to be judged
        assert parse_url(text).origin.host == "127.0.0.1"
        return
    with pytest.raises(ImageForbidden):
        parse_url(text)


def test_redirect_targets_may_be_relative():
    url = parse_url("http://example.org/a/b?c=d")
    assert str(join_url(url, "../e")) == "http://example.org/e"
    assert str(join_url(url, "//other.example/f")) == "http://other.example/f"
    assert str(join_url(url, "https://other.example/ü")) == "https://other.example/%C3%BC"
    with pytest.raises(ImageForbidden, match="not an http"):
        join_url(url, "file:///etc/passwd")


def test_what_a_message_shows_holds_no_secret():
    signed = "https://u:pw@bucket.example/k.png?X-Amz-Signature=deadbeef&d=folder/k.png&sessiontokenvalue#frag"
    shown = show_reference(signed)
    assert shown == "https://***@bucket.example/k.png?X-Amz-Signature=***&d=folder/k.png&***"
    assert "\n" not in show_reference("http://x/\nfake log line")
    assert len(show_reference("http://x/" + "y" * 10_000)) < 250
    assert show_reference("data:image/png;base64,AAAA") == "data:image/png;base64,... (26 characters)"


# addresses


@pytest.mark.parametrize(
    ("address", "reach"),
    [
        ("93.184.216.34", Reach.PUBLIC),
        ("2606:2800:220:1::1", Reach.PUBLIC),
        ("64:ff9b::5db8:d822", Reach.PUBLIC),
        ("127.0.0.1", Reach.PRIVATE),
        ("127.255.255.254", Reach.PRIVATE),
        ("0.0.0.0", Reach.PRIVATE),
        ("10.1.2.3", Reach.PRIVATE),
        ("172.16.0.1", Reach.PRIVATE),
        ("192.168.0.1", Reach.PRIVATE),
        ("100.64.0.1", Reach.PRIVATE),
        ("192.0.2.1", Reach.PRIVATE),
        ("198.18.0.1", Reach.PRIVATE),
        ("224.0.0.1", Reach.PRIVATE),
        ("240.0.0.1", Reach.PRIVATE),
        ("255.255.255.255", Reach.PRIVATE),
        ("::", Reach.PRIVATE),
        ("::1", Reach.PRIVATE),
        ("::127.0.0.1", Reach.PRIVATE),
        ("::ffff:127.0.0.1", Reach.PRIVATE),
        ("::ffff:10.0.0.1", Reach.PRIVATE),
        ("64:ff9b::7f00:1", Reach.PRIVATE),
        ("2002:7f00:1::", Reach.GUARDED),
        ("2001:0:4136:e378:8000:63bf:3fff:fdd2", Reach.GUARDED),
        ("64:ff9b:1::a9fe:a9fe", Reach.GUARDED),
        ("::ffff:0:a9fe:a9fe", Reach.GUARDED),
        ("fd00:ec2::23", Reach.GUARDED),
        ("fd00:c1::a9fe:a9fe", Reach.GUARDED),
        ("fd00:42::42", Reach.GUARDED),
        ("fd12:3456::1", Reach.PRIVATE),
        ("fec0::1", Reach.PRIVATE),
        ("ff02::1", Reach.PRIVATE),
        ("169.254.169.254", Reach.GUARDED),
        ("169.254.1.1", Reach.GUARDED),
        ("::ffff:169.254.169.254", Reach.GUARDED),
        ("64:ff9b::a9fe:a9fe", Reach.GUARDED),
        ("fe80::1", Reach.GUARDED),
        ("fe80::1%eth0", Reach.GUARDED),
        ("fd00:ec2::254", Reach.GUARDED),
        ("100.100.100.200", Reach.GUARDED),
        ("168.63.129.16", Reach.GUARDED),
    ],
)
def test_addresses_are_judged_by_what_they_reach(address, reach):
    assert reach_of(parse_address(address)) is reach


def test_allow_list_matches_names_suffixes_addresses_and_networks():
    allowed = AllowList.parse("minio, *.Corp.example, 10.1.0.0/16, fd12::/16, [::1], ", allow_public=False)

    def permits(host, address):
        return allowed.permits(host, ipaddress.ip_address(address), trusted=False)

    assert permits("minio", "169.254.169.254")
    assert permits("a.b.corp.example", "10.9.9.9")
    assert permits("anything", "10.1.2.3")
    assert permits("anything", "fd12::7")
    assert permits("anything", "::1")
    assert not permits("corp.example", "10.9.9.9")
    assert not permits("evilcorp.example", "10.9.9.9")
    assert not permits("minio.evil.example", "10.9.9.9")
    assert not permits("anything", "10.2.0.1")
    assert not permits("anything", "93.184.216.34")


def test_trust_reaches_private_addresses_but_no_metadata():
    allowed = AllowList(allow_public=False)
    assert allowed.permits("studio", ipaddress.ip_address("10.0.0.1"), trusted=True)
    assert allowed.permits("studio", ipaddress.ip_address("93.184.216.34"), trusted=True)
    assert not allowed.permits("studio", ipaddress.ip_address("169.254.169.254"), trusted=True)


@pytest.mark.parametrize("text", ["http://minio", "10.0.0.0/33", "10.0.0", "a b", "*", "*.", "host:9000", "1.2.3.4.5"])
def test_allow_list_names_the_entry_it_cannot_read(text):
    with pytest.raises(ConfigError, match="allowed_hosts"):
        AllowList.parse(f"minio, {text}")


# fetching


def test_a_body_comes_with_what_is_needed_to_ask_again(server):
    fetched = fetch(Fetcher(allowed=LOOPBACK), f"{server.origin}/cat.png?x=1", headers={"If-None-Match": '"0"'})
    assert (fetched.status, fetched.body, fetched.etag, fetched.content_type) == (200, b"picture", '"1"', "image/png")
    (asked,) = server.asked
    assert asked.target == "/cat.png?x=1"
    assert asked.headers["host"] == f"127.0.0.1:{server.port}"
    assert asked.headers["accept-encoding"] == "identity"
    assert asked.headers["if-none-match"] == '"0"'
    assert asked.headers["user-agent"].startswith("prebrush/")


def test_the_body_of_an_error_is_not_read():
    with Server(lambda _: Answer(404, b"secrets of a page")) as server:
        fetched = fetch(Fetcher(allowed=LOOPBACK), server.origin)
    assert (fetched.status, fetched.body) == (404, b"")


def test_the_refusal_names_the_host_and_the_setting():
    with pytest.raises(ImageForbidden) as refused:
        fetch(Fetcher(), "http://127.0.0.1:1/x?Signature=secret")
    message = str(refused.value)
    assert "127.0.0.1" in message
    assert "PREBRUSH_IMAGES_ALLOWED_HOSTS" in message
    assert "LABEL_STUDIO_URL" in message
    assert "secret" not in message


def test_public_addresses_can_be_switched_off():
    fetcher = Fetcher(allowed=AllowList(allow_public=False), resolver=lambda host, port: ["93.184.216.34"])
    with pytest.raises(ImageForbidden, match=r"93\.184\.216\.34"):
        fetch(fetcher, "http://example.org/")


def test_the_trusted_origin_is_scheme_host_and_port(server):
    trusted = Trusted(Origin("http", "127.0.0.1", server.port))
    fetcher = Fetcher()
    assert fetch(fetcher, server.origin, trusted=trusted).body == b"picture"
    with Server(lambda _: Answer()) as other, pytest.raises(ImageForbidden):
        fetch(fetcher, other.origin, trusted=trusted)
    with pytest.raises(ImageForbidden):
        fetch(fetcher, f"https://127.0.0.1:{server.port}/", trusted=trusted)
    with pytest.raises(ImageForbidden):
        fetch(fetcher, server.origin, trusted=Trusted(trusted.origin, private=False))


# redirects


def credentials_for(server):
    return Trusted(parse_url(server.origin).origin, {"Authorization": "Bearer secret"})


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_followed_without_the_credentials(status, server):
    with Server(lambda _: redirect(f"{server.origin}/there?Signature=x", status)) as studio:
        fetched = fetch(
            Fetcher(allowed=LOOPBACK), studio.origin, trusted=credentials_for(studio), headers={"If-None-Match": "e"}
        )
    assert fetched.body == b"picture"
    assert str(fetched.url) == f"{server.origin}/there?Signature=x"
    assert studio.asked[0].headers["authorization"] == "Bearer secret"
    assert "authorization" not in server.asked[0].headers
    assert server.asked[0].headers["if-none-match"] == "e"


def test_credentials_stay_while_the_origin_does(server):
    server.respond = lambda asked: redirect("/b?c") if asked.path == "/a" else Answer(200, b"ok")
    assert fetch(Fetcher(), f"{server.origin}/a", trusted=credentials_for(server)).body == b"ok"
    assert [asked.headers.get("authorization") for asked in server.asked] == ["Bearer secret", "Bearer secret"]


def test_credentials_do_not_return_once_left(server):
    with Server(lambda _: redirect(f"{server.origin}/c")) as elsewhere:
        server.respond = lambda asked: redirect(elsewhere.origin) if asked.path == "/a" else Answer(200, b"ok")
        fetch(Fetcher(allowed=LOOPBACK), f"{server.origin}/a", trusted=credentials_for(server))
        assert [asked.headers.get("authorization") for asked in server.asked] == ["Bearer secret", None]
        # nor does a stranger who points at us borrow them
        fetch(Fetcher(allowed=LOOPBACK), elsewhere.origin, trusted=credentials_for(server))
    assert server.asked[-1].headers.get("authorization") is None
    assert "authorization" not in elsewhere.asked[-1].headers


def test_redirects_end(server):
    server.respond = lambda asked: redirect("/again?Signature=secret")
    with pytest.raises(ImageUnreachable, match="max_redirects") as ended:
        fetch(Fetcher(FetchLimits(max_redirects=3), LOOPBACK), f"{server.origin}/?Signature=secret")
    assert len(server.asked) == 4
    assert "secret" not in str(ended.value)


def test_a_redirect_without_a_target_is_an_answer(server):
    server.respond = lambda asked: Answer(302)
    assert fetch(Fetcher(allowed=LOOPBACK), server.origin).status == 302


def test_a_post_is_not_redirected(server):
    with Server(lambda _: redirect(server.origin, 307)) as studio:
        trusted = credentials_for(studio)
        answer = Fetcher(allowed=LOOPBACK).post(
            parse_url(studio.origin), b'{"refresh": "secret"}', max_bytes=MEBIBYTE, trusted=trusted
        )
    assert answer.status == 307
    assert studio.asked[0].body == b'{"refresh": "secret"}'
    assert server.asked == []


# limits


def test_a_stated_length_over_the_limit_is_refused_before_the_body(server):
    server.respond = lambda asked: Answer(200, b"x" * 1001)
    with pytest.raises(ImageTooLarge, match="1000 bytes"):
        fetch(Fetcher(allowed=LOOPBACK), server.origin, max_bytes=1000)
    server.respond = lambda asked: Answer(200, b"x" * 1000)
    assert len(fetch(Fetcher(allowed=LOOPBACK), server.origin, max_bytes=1000).body) == 1000


def endless(head):
    def behave(sock, over):
        sock.sendall(head)
        while not over.is_set():
            sock.sendall(b"10000\r\n" + b"x" * 65536 + b"\r\n" if b"chunked" in head else b"x" * 65536)

    return behave


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: none\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999999999\r\n\r\n",
    ],
)
def test_an_endless_body_ends_at_the_byte_limit(head):
    with rude_server(endless(head)) as origin, pytest.raises((ImageTooLarge, ImageUnreachable)):
        fetch(Fetcher(allowed=LOOPBACK), origin)


def drip(head, body=b"x"):
    def behave(sock, over):
        for byte in head:
            sock.sendall(bytes([byte]))
            if over.wait(0.02):
                return
        while not over.wait(0.02):
            sock.sendall(body)

    return behave


@pytest.mark.parametrize(
    ("head", "body"),
    [
        (b"HTTP/1.1 200 OK\r\nX: ", b"y"),
        (b"HTTP/1.1 200 OK\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b"x"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1", b"0"),
        (b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n"),
    ],
    ids=["in the headers", "no length", "with a length", "in chunks", "in a chunk's size", "never beginning"],
)
def test_a_dripping_server_is_cut_off(head, body):
    with rude_server(drip(head, body)) as origin, pytest.raises(ImageUnreachable, match="in time"):
        fetch(Fetcher(FetchLimits(timeout_s=1.0), LOOPBACK), origin)


def test_a_silent_server_is_cut_off():
    with rude_server(lambda sock, over: over.wait()) as origin, pytest.raises(ImageUnreachable, match="in time"):
        fetch(Fetcher(allowed=LOOPBACK), origin, timeout_s=0.3)


def test_redirects_share_one_time_limit():
    """Each hop is quick enough by itself."""

    def behave(sock, over):
        if not over.wait(0.2):
            sock.sendall(b"HTTP/1.1 302 Found\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n")

    with rude_server(behave) as origin, pytest.raises(ImageUnreachable, match="in time"):
        fetch(Fetcher(FetchLimits(timeout_s=0.7, max_redirects=20), LOOPBACK), origin)


def test_a_slow_name_service_is_not_waited_for():
    over = threading.Event()

    def resolver(host, port):
        over.wait()
        return ["127.0.0.1"]

    with pytest.raises(ImageUnreachable, match="looked up in time"):
        fetch(Fetcher(FetchLimits(timeout_s=0.2), resolver=resolver), "http://slow.example/")
    over.set()


@pytest.mark.parametrize(
    "sent",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n10\r\nshort",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        b"HTTP/1.1 banana\r\n\r\n",
        b"SSH-2.0-OpenSSH_9.6\r\n",
        b"",
        b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n",
        b"HTTP/1.1 200 " + b"x" * 100_000 + b"\r\n\r\n",
    ],
)
def test_a_broken_answer_is_a_clear_error(sent):
    with rude_server(lambda sock, over: sock.sendall(sent)) as origin:
        with pytest.raises(ImageUnreachable, match="broke off") as broken:
            fetch(Fetcher(allowed=LOOPBACK), origin)
        assert broken.value.__cause__ is not None


def test_a_length_stated_too_short_ends_the_body():
    sent = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nfour and more"
    with rude_server(lambda sock, over: sock.sendall(sent)) as origin:
        assert fetch(Fetcher(allowed=LOOPBACK), origin).body == b"four"


def test_a_compressed_body_is_refused(server):
    server.respond = lambda asked: Answer(200, b"\x1f\x8b", {"Content-Encoding": "gzip"})
    with pytest.raises(ImageUnreadable, match="gzip"):
        fetch(Fetcher(allowed=LOOPBACK), server.origin)


def test_a_closed_port_and_an_unknown_name_are_told_apart():
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with pytest.raises(ImageUnreachable, match="connection refused"):
        fetch(Fetcher(allowed=LOOPBACK), f"http://127.0.0.1:{port}/")

    def resolver(host, port):
        raise socket.gaierror(-2, "Name or service not known")

    with pytest.raises(ImageUnreachable, match="not known here"):
        fetch(Fetcher(resolver=resolver), "http://nowhere.example/")


def test_the_next_address_is_tried_where_the_first_does_not_answer(server):
    fetcher = Fetcher(allowed=AllowList.parse("127.0.0.0/8"), resolver=lambda host, port: ["127.0.0.9", "127.0.0.1"])
    assert fetch(fetcher, f"http://two.example:{server.port}/").body == b"picture"


def test_nothing_secret_is_logged(server, caplog):
    caplog.set_level(logging.DEBUG)
    server.respond = lambda asked: redirect("/b?Signature=hidden") if asked.path == "/a" else Answer(401)
    fetch(Fetcher(), f"{server.origin}/a?Signature=hidden", trusted=credentials_for(server))
    assert "redirects" in caplog.text
    assert "hidden" not in caplog.text
    assert "Bearer" not in caplog.text
    assert "secret" not in repr(credentials_for(server))


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("openssl, which makes the test certificate, is not installed")
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-subj", "/CN=studio.example", "-addext", "subjectAltName=DNS:studio.example",
         "-keyout", folder / "key.pem", "-out", folder / "cert.pem"],
        check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture
def tls_server(certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "cert.pem", certificate / "key.pem")
    with Server(lambda _: Answer(200, b"picture"), tls=context) as running:
        yield running


def test_the_certificate_is_checked_against_the_name_not_the_address(tls_server, certificate):
    tls = ssl.create_default_context(cafile=certificate / "cert.pem")
    fetcher = Fetcher(allowed=LOOPBACK, resolver=lambda host, port: ["127.0.0.1"], tls=tls)
    assert fetch(fetcher, f"https://studio.example:{tls_server.port}/").body == b"picture"
    assert tls_server.asked[0].headers["host"] == f"studio.example:{tls_server.port}"
    with pytest.raises(ImageUnreachable, match="certificate"):
        fetch(fetcher, f"https://other.example:{tls_server.port}/")
    with pytest.raises(ImageUnreachable, match="SSL_CERT_FILE"):
        fetch(
            Fetcher(allowed=LOOPBACK, resolver=lambda host, port: ["127.0.0.1"]),
            f"https://studio.example:{tls_server.port}/",
        )


def test_a_silent_server_is_cut_off_under_tls(certificate, tls_server):
    tls = ssl.create_default_context(cafile=certificate / "cert.pem")
    over = threading.Event()

    def slow(asked: Asked) -> Answer:
        over.wait()
        return Answer()

    tls_server.respond = slow
    fetcher = Fetcher(FetchLimits(timeout_s=0.5), LOOPBACK, lambda host, port: ["127.0.0.1"], tls)
    with pytest.raises(ImageUnreachable, match="in time"):
        fetch(fetcher, f"https://studio.example:{tls_server.port}/")
    over.set()
