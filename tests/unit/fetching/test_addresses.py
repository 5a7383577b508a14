"""Which addresses may be connected to."""

import ipaddress

import pytest

from prebrush.errors import ConfigError
from prebrush.fetching import AllowList, Reach, reach_of
from prebrush.fetching.addresses import parse_address


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
