"""Certificates are checked, and time limits hold under TLS too."""

import shutil
import ssl
import subprocess
import threading

import pytest

from fetching_through import LOOPBACK, fetch
from loopback import Answer, Asked, Server
from prebrush.errors import ImageUnreachable
from prebrush.fetching import Fetcher, FetchLimits


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
