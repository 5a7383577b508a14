"""What `prebrush check` tests: settings, storage, Label Studio; for each failure the one thing to change."""

from prebrush.checkup.connections import check_connections
from prebrush.checkup.cures import failed
from prebrush.checkup.findings import KEY_ADVICE, LOCAL_ADVICE, NOT_ALLOWED_ADVICE, Finding
from prebrush.errors import ConfigError, PrebrushError, StudioError
from prebrush.health import ask_health
from prebrush.pictures import Account, build_studio, build_studio_client
from prebrush.planning import check_choices
from prebrush.projects import ProjectState
from prebrush.segmentation import DEFAULT_METHOD
from prebrush.segmentation.registry import UNUSABLE
from prebrush.settings import Settings, server_url
from prebrush.storage import open_storage


def run_checks(settings: Settings) -> list[Finding]:
    """Test everything. Of what is kept nothing changes; the storage is tested by writing and reading."""
    return [
        _check_methods(settings),
        *_check_storage(settings),
        _check_server(settings),
        *(_check_images(settings) or _check_studio(settings)),
    ]


def _check_methods(settings: Settings) -> Finding:
    try:
        check_choices(settings)
    except PrebrushError as error:
        return Finding(what="method", ok=False, found=str(error), advice="Change it in config.yaml.")
    if UNUSABLE:
        advice = "Mend the package or uninstall it; all other methods work."
        return Finding(what="method", ok=False, found="; ".join(UNUSABLE.values()), advice=advice)
    return Finding(
        what="method", ok=True, found=f"default is {settings.default.get('method') or DEFAULT_METHOD}", advice=""
    )


def _check_storage(settings: Settings) -> list[Finding]:
    try:
        storage = open_storage(settings.storage.url, max_bytes=settings.storage.max_bytes, ttl_s=settings.storage.ttl_s)
        advice = storage.check()
        where = storage.where
        storage.close()
    except ConfigError as error:
        return [
            Finding(what="storage", ok=False, found=str(error), advice="Change storage.url (PREBRUSH_STORAGE_URL).")
        ]
    except PrebrushError as error:
        if "refuses the credentials" in str(error):
            mend = "Put the right user and password into it"
        else:
            mend = "Start it" if settings.storage.url.startswith("redis") else "Make that folder writable for this user"
        change = f"{mend}, or change storage.url (PREBRUSH_STORAGE_URL)."
        return [Finding(what="storage", ok=False, found=str(error), advice=change)]
    return [Finding(what="storage", ok=True, found=f"{where} reads and writes", advice=" ".join(advice))]


def _check_server(settings: Settings) -> Finding:
    """Look whether the server runs; that it does not is no failure, as settings are tested before a start, too."""
    url = server_url(settings.server.host, settings.server.port)
    try:
        found = f"prebrush {ask_health(settings)} is up at {url}"
    except PrebrushError as error:
        advice = "Start it with: prebrush serve. If it runs elsewhere or on another port, this says nothing."
        return Finding(what="server", ok=True, found=f"not up: {error}", advice=advice)
    return Finding(what="server", ok=True, found=found, advice="")


def _check_images(settings: Settings) -> list[Finding]:
    """Look whether the settings for fetching can be read, without which nothing is fetched."""
    try:
        build_studio_client(settings)
    except ConfigError as error:
        advice = "Change images.allowed_hosts (PREBRUSH_IMAGES_ALLOWED_HOSTS)."
        return [Finding(what="images", ok=False, found=str(error), advice=advice)]
    return []


def _check_studio(settings: Settings) -> list[Finding]:
    url = settings.label_studio.url
    if not url:
        return [
            Finding(
                what="Label Studio",
                ok=True,
                found="no LABEL_STUDIO_URL: images are fetched from the address that Label Studio tells in /setup",
                advice="Set LABEL_STUDIO_URL and a token, and this tests all connected projects. " + KEY_ADVICE,
            ),
            _tell_way_back(settings),
        ]
    try:
        who = build_studio_client(settings).whoami(build_studio(settings, Account(ProjectState())))
    except StudioError as error:
        return [failed("Label Studio", error), _tell_way_back(settings)]
    found = f"{url} knows us as {who.user}" + (f", by {who.source}" if who.source else "")
    known = Finding(what="Label Studio", ok=True, found=found, advice="")
    try:
        return [known, *check_connections(settings)]
    except StudioError as error:
        return [known, Finding(what="connections", ok=False, found=str(error), advice=NOT_ALLOWED_ADVICE)]


def _tell_way_back(settings: Settings) -> Finding:
    """Tell what cannot be tested without asking Label Studio: whether it may call us."""
    advice = LOCAL_ADVICE.format(url=server_url(settings.server.host, settings.server.port))
    return Finding(what="the way back", ok=True, found="only Label Studio itself can test it", advice=advice)
