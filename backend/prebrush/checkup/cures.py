"""For each way in which an image or Label Studio cannot be had, the one thing to change. docs/connect.md has it all."""

from prebrush.checkup.findings import Finding
from prebrush.client.authorized import HOW_TO_OPEN, KEY_IS_WITHHELD, LEGACY_IS_OFF, NOT_FOR_THAT_USER
from prebrush.errors import PrebrushError

CURES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("is not an http or https address",),
        "Write the address with http:// or https://, as in LABEL_STUDIO_URL=http://localhost:8080.",
    ),
    (
        ("holds a user name or password, which are not sent",),
        "Write the address without them; for Label Studio, LABEL_STUDIO_API_KEY is what opens it.",
    ),
    (
        ("it is a personal access token without its last part",),
        "Make a new token and copy it where it is made; the list shows it shortened.",
    ),
    (
        ("LABEL_STUDIO_API_KEY was not shown to it",),
        "Set LABEL_STUDIO_URL too: the token is shown to that address only.",
    ),
    (
        ("to which it redirects; if that is Label Studio",),
        "Set LABEL_STUDIO_URL to the address after the redirect, often https:// in place of http://.",
    ),
    (
        ("is that Label Studio?", "is LABEL_STUDIO_URL right?"),
        (
            "Something else answers there: set LABEL_STUDIO_URL to Label Studio's own address, with its path if it is "
            "under one."
        ),
    ),
    (
        ("refuses /data/local-files/",),
        (
            "Start Label Studio with LOCAL_FILES_SERVING_ENABLED=true and LOCAL_FILES_DOCUMENT_ROOT=/your/folder, and "
            "add to the project a Local files storage that holds the file."
        ),
    ),
    (
        ("It knows that token, but its user may not see this",),
        "Set LABEL_STUDIO_API_KEY to the token of a member of the project.",
    ),
    (
        ("refuses legacy tokens, also the one it tells in /setup", "A personal access token opens it"),
        (
            "In Label Studio: your picture (top right) > Account & Settings > Personal Access Token > Create New "
            "Token; set it as LABEL_STUDIO_API_KEY, and set LABEL_STUDIO_URL."
        ),
    ),
    (
        ("whose address nobody told",),
        "Set LABEL_STUDIO_URL, or open the project's model settings and save the connection again.",
    ),
    (("wrong_version_number",), "Write http:// in place of https://: what answers there speaks no TLS."),
    (("is not trusted",), "Set SSL_CERT_FILE to the file with your authority's certificate."),
    (
        ("does not take a connection",),
        (
            "Start it, or mend its address. LABEL_STUDIO_URL must be Label Studio as prebrush reaches it: not "
            "localhost across containers."
        ),
    ),
    (
        ("is not known here",),
        "Write a name or an address that is known where prebrush runs: across containers, the service's name.",
    ),
    (
        ("this server may not fetch from",),
        (
            "The image is at a private address: add its host to images.allowed_hosts "
            "(PREBRUSH_IMAGES_ALLOWED_HOSTS=minio,10.1.0.0/16)."
        ),
    ),
    (
        ("with a web page instead of an image",),
        (
            "That is most likely a login page: the image's host wants credentials that prebrush does not have. Let "
            "Label Studio hand it out, as an upload or from cloud storage."
        ),
    ),
    (("which is what it does for a missing upload",), "The file is gone from Label Studio: import it again."),
    (("from its storage (424)",), "Label Studio itself cannot read that bucket: mend its storage connection."),
    (
        ("the labeling config has no tag to fill",),
        "Add to the labeling config the tags that the message shows, with labels of yours.",
    ),
    (
        (" has no ",),
        (
            "Label Studio does not have that file. For a bucket, add its storage to the project (Settings > Cloud "
            "Storage); else import the file again."
        ),
    ),
    (
        ("the task's data has only:",),
        'value="$image" in the labeling config names a key that the task does not have: write the key it has.',
    ),
    (
        ("which is no address", "images are not fetched by"),
        (
            "Import addresses that a browser could open from Label Studio, such as /data/local-files/?d=photos/a.jpg "
            "or https://images.example/a.jpg; a path on a disk is none."
        ),
    ),
    (
        ("not an image that can be read",),
        "Convert the file to JPEG, PNG, WebP, TIFF, BMP or GIF, or import it again if it is damaged.",
    ),
    (("(images.max_pixels)",), "Raise images.max_pixels, and give it the memory."),
)
"""What messages say, in the order in which it is looked for, and the one thing to change."""
_TOLD = (HOW_TO_OPEN, LEGACY_IS_OFF, NOT_FOR_THAT_USER, KEY_IS_WITHHELD)
"""Ends of messages that say what to change: said here, they need not be said twice."""


def find_cure(message: str) -> str:
    """Return what to change; empty for what the list does not know."""
    return next((cure for phrases, cure in CURES if any(phrase in message for phrase in phrases)), "")


def failed(what: str, error: PrebrushError) -> Finding:
    """Tell what failed, and the one thing to change."""
    message = str(error)
    found = message.partition(" If it should, add ")[0]
    for sentence in _TOLD:
        found = found.replace(sentence, "")
    return Finding(what=what, ok=False, found=found.strip(), advice=find_cure(message))
