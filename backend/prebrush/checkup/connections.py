"""The way from Label Studio to this server and on to the images, project by project.

Asking Label Studio for a project's connections makes it call each of them at once: what it says is what it just saw.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import urlsplit

from prebrush.checkup.cures import failed
from prebrush.checkup.findings import (
    EVENTS_ADVICE,
    INTERACTIVE_ADVICE,
    LOCAL_ADVICE,
    LOGIN_ADVICE,
    REACH_ADVICE,
    WEBHOOK_ADVICE,
    Finding,
)
from prebrush.client import Studio, StudioClient
from prebrush.errors import ImageError, RequestError, StudioError
from prebrush.fetching.urls import show_reference
from prebrush.images import ImageLoader
from prebrush.labelstudio.config import parse_label_config
from prebrush.labelstudio.request import read_extra_params
from prebrush.labelstudio.task_data import image_addresses
from prebrush.pictures import Account, build_studio, build_studio_client, image_limits
from prebrush.planning import Plan, build_plan
from prebrush.projects import ProjectState
from prebrush.settings import Settings, server_url

MOST_PROJECTS = 20
"""Those changed last; to test hundreds would take minutes."""


def check_connections(settings: Settings) -> list[Finding]:
    """Test every connected project: Label Studio's way here, the labeling config, the image of a task.

    Raises
    ------
    StudioError
        Label Studio does not answer as it should.
    """
    client = build_studio_client(settings)
    studio = build_studio(settings, Account(ProjectState()))
    projects = client.get_json(f"/api/projects/?page_size={MOST_PROJECTS}", studio)["results"]
    findings = [finding for project in projects for finding in _check_project(settings, client, studio, project)]
    if findings:
        return findings
    advice = LOCAL_ADVICE.format(url=server_url(settings.server.host, settings.server.port))
    return [Finding(what="connections", ok=True, found="no project is connected to prebrush yet", advice=advice)]


def _check_project(
    settings: Settings, client: StudioClient, studio: Studio, project: Mapping[str, Any]
) -> Iterator[Finding]:
    number = project["id"]
    connections = client.get_json(f"/api/ml?project={number}", studio)
    ours = [each for each in connections if _is_ours(each, settings)]
    if not ours:
        return
    what = f"project {number} ({project.get('title')})"
    hooks = client.get_json(f"/api/webhooks/?project={number}", studio)
    for connection in ours:
        active = [hook for hook in hooks if hook.get("is_active")]
        yield _check_way_here(what, connection, active, settings.server.basic_auth_user)
    try:
        extra = read_extra_params(ours[0].get("extra_params")) or {}
        plan = build_plan(parse_label_config(project["label_config"]), settings, str(number), extra)
        plan.require_controls()
    except RequestError as error:
        yield failed(f"{what}, labeling config", error)
    else:
        for doubt in plan.doubts:
            yield Finding(what=f"{what}, labeling config", ok=False, found=doubt, advice="")
        yield from _check_image(what, settings, client, studio, plan, number)


def _is_ours(connection: Mapping[str, Any], settings: Settings) -> bool:
    """Tell a connection to prebrush; one that never worked has no version and is known by its port."""
    version = str(connection.get("model_version") or "")
    return version.startswith("prebrush-") or str(connection["url"]).rstrip("/").endswith(f":{settings.server.port}")


def _check_way_here(what: str, connection: Mapping[str, Any], hooks: Sequence[Mapping[str, Any]], user: str) -> Finding:
    """Tell what Label Studio says of a connection; ``user`` is whom this server asks for, if it asks."""
    url = str(connection["url"]).rstrip("/")
    # a password may stand in it, for the webhook to be let in as well
    shown = show_reference(url)
    state = connection.get("state")
    if state == "DI":
        found = f"Label Studio does not reach {shown}"
        if user and user not in (connection.get("basic_auth_user"), urlsplit(url).username):
            return Finding(what=what, ok=False, found=f"{found} as the user {user!r}", advice=LOGIN_ADVICE)
        # Label Studio tells a refused password like a server that is not there
        reach = REACH_ADVICE.format(url=shown)
        return Finding(what=what, ok=False, found=found, advice=f"{reach} {LOGIN_ADVICE}" if user else reach)
    if state == "ER":
        reason = str(connection.get("error_message")).replace(url, shown)
        found = f"Label Studio reaches {shown}, but connecting failed: {reason}"
        return Finding(what=what, ok=False, found=found, advice="")
    advice = []
    if not connection.get("is_interactive"):
        advice.append(INTERACTIVE_ADVICE)
    ours = [hook for hook in hooks if hook["url"].startswith(f"{url}/webhook")]
    if not ours:
        advice.append(WEBHOOK_ADVICE)
    elif user and not urlsplit(url).username and not any(hook.get("headers") for hook in ours):
        advice.append(EVENTS_ADVICE)
    return Finding(what=what, ok=True, found=f"Label Studio reaches {shown}", advice=" ".join(advice))


def _check_image(
    what: str, settings: Settings, client: StudioClient, studio: Studio, plan: Plan, number: int
) -> Iterator[Finding]:
    """Get the image of the first task the way a prediction would."""
    tasks = client.get_json(f"/api/tasks/?project={number}&page_size=1", studio)["tasks"]
    if not tasks:
        return
    task = tasks[0]
    what = f"{what}, image of task {task['id']}"
    try:
        address = image_addresses(plan.controls[0].control, task["data"])[0]
        image = ImageLoader(client, image_limits(settings)).load(address, task["id"], studio).identity
    except (ImageError, RequestError, StudioError) as error:
        yield failed(what, error)
    else:
        yield Finding(what=what, ok=True, found=f"{image.width} x {image.height} pixels", advice="")
