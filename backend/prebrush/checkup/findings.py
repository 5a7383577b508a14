"""What a test found, and the things there are to change."""

from typing import TypedDict

LOCAL_ADVICE = (
    "Label Studio 1.23 refuses backends at local addresses: start it with ML_BLOCK_LOCAL_IP=false and "
    "SSRF_PROTECTION_ENABLED=false, then connect {url}"
)
KEY_ADVICE = (
    "In Label Studio: your picture (top right) > Account & Settings > Personal Access Token > Create New Token; "
    "set it as LABEL_STUDIO_API_KEY"
)
REACH_ADVICE = (
    "Open {url}/health on the machine (or in the container) where Label Studio runs: it must answer within a second. "
    "From a container localhost is that container itself: connect the service's name, or host.docker.internal, and "
    "let prebrush listen there with --host 0.0.0.0. At a private address Label Studio also needs "
    "ML_BLOCK_LOCAL_IP=false."
)
LOGIN_ADVICE = (
    "This server asks for a user and a password (BASIC_AUTH_USER, BASIC_AUTH_PASS): give the connection the same ones "
    "(Settings > Model > ... > Edit, authentication method Basic Authentication)."
)
NOT_ALLOWED_ADVICE = "Use the token of a user who may see the projects and their settings."
INTERACTIVE_ADVICE = (
    "Clicks and boxes are not answered there: switch on Interactive preannotations in the connection "
    "(Settings > Model > ... > Edit)."
)
WEBHOOK_ADVICE = (
    "Label Studio has no webhook to prebrush there, so that it is not told of new tasks and corrections: start Label "
    "Studio with SSRF_PROTECTION_ENABLED=false, then remove the connection and connect again."
)

EVENTS_ADVICE = (
    "Label Studio sends its events there without the user and the password that this server asks for, so that none is "
    "taken: put both into the connection's address, as in http://user:password@host:9090."
)


class Finding(TypedDict):
    """One thing that was tested."""

    what: str
    ok: bool
    found: str
    advice: str
