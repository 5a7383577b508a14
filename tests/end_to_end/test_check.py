"""`prebrush check` beside a real Label Studio: what it says of projects that work and of those that do not."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

from demo.prebrush_server import run_prebrush
from demo.processes import Server
from demo.studio import Studio
from end_to_end.conftest import EVIDENCE, LABEL_CONFIG
from end_to_end.pictures import ordinary_pictures


def check(studio: Studio, access_token: str, folder: Path, **settings: str) -> dict[str, dict[str, Any]]:
    """Run the command and return its findings by what was tested."""
    environment = {
        **os.environ,
        "LABEL_STUDIO_URL": studio.url,
        "LABEL_STUDIO_API_KEY": access_token,
        "PREBRUSH_STORAGE_URL": f"sqlite:///{folder}/prebrush.db",
        **settings,
    }
    command = [sys.executable, "-m", "prebrush", "check", "--json"]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, timeout=100)
    findings = json.loads(done.stdout)["checks"]
    assert done.returncode == (0 if all(finding["ok"] for finding in findings) else 1)
    assert access_token not in done.stdout + done.stderr
    return {finding["what"]: finding for finding in findings}


def test_a_connected_project_is_tested_from_both_sides(
    studio: Studio, access_token: str, prebrush: Server, tmp_path: Path
) -> None:
    project = studio.create_project("works", LABEL_CONFIG)
    picture = ordinary_pictures()[0]
    task = studio.upload(project, picture.name, picture.content)
    studio.connect(project, prebrush.url)

    found = check(studio, access_token, tmp_path)

    assert found["Label Studio"]["ok"]
    reached = found[f"project {project} (works)"]
    assert reached["ok"]
    assert reached["found"] == f"Label Studio reaches {prebrush.url}"
    assert found[f"project {project} (works), image of task {task}"]["ok"]


def test_what_is_broken_is_named_with_what_to_change(
    studio: Studio, access_token: str, prebrush: Server, tmp_path: Path
) -> None:
    wrong_config = studio.create_project("no image", '<View><Text name="t" value="$t"/></View>')
    studio.connect(wrong_config, prebrush.url)
    no_file = studio.create_project("no file", LABEL_CONFIG)
    studio.call("POST", f"/api/projects/{no_file}/import", [{"image": "/data/upload/1/not-there.png"}])
    studio.connect(no_file, prebrush.url)
    no_class = studio.create_project("no class", LABEL_CONFIG.replace("<Label ", '<Label predicted_values="car" '))
    studio.connect(no_class, prebrush.url)
    stopped = studio.create_project("stopped", LABEL_CONFIG)
    with run_prebrush(tmp_path, EVIDENCE / "prebrush-that-stops.log", {}) as short_lived:
        studio.connect(stopped, short_lived.url)
    for title, extra in (("number", 5), ("text of an object", '{"method": "kmeans"}')):
        project = studio.create_project(title, LABEL_CONFIG)
        model = {"project": project, "title": "prebrush", "url": prebrush.url, "extra_params": extra}
        studio.call("POST", "/api/ml/", model)

    found = check(studio, access_token, tmp_path)

    config = found[f"project {wrong_config} (no image), labeling config"]
    assert not config["ok"]
    assert "BrushLabels" in config["found"]
    labels = found[f"project {no_class} (no class), labeling config"]
    assert not labels["ok"]
    assert 'predicted_values="foreground"' in labels["found"]
    (image,) = [each for what, each in found.items() if what.startswith(f"project {no_file} (no file), image")]
    assert not image["ok"]
    assert "not-there.png" in image["found"]
    away = found[f"project {stopped} (stopped)"]
    assert not away["ok"]
    assert f"{short_lived.url}/health" in away["advice"]
    what_is_said = {what.partition(" ")[2].partition(" ")[2]: each for what, each in found.items()}
    assert "JSON object" in what_is_said["(number), labeling config"]["found"]
    assert what_is_said["(text of an object)"]["ok"]
    assert "(text of an object), labeling config" not in what_is_said


def test_a_connection_without_the_password_is_told_from_one_that_does_not_reach(
    studio: Studio, access_token: str, tmp_path: Path
) -> None:
    project = studio.create_project("password", LABEL_CONFIG)
    in_the_form = studio.create_project("password in the form", LABEL_CONFIG)
    in_the_url = studio.create_project("password in the url", LABEL_CONFIG)
    asked = {"BASIC_AUTH_USER": "me", "BASIC_AUTH_PASS": "secret-of-this-test"}
    with run_prebrush(tmp_path, EVIDENCE / "prebrush-before-a-password.log", {}) as prebrush:
        studio.connect(project, prebrush.url)
    with run_prebrush(tmp_path, EVIDENCE / "prebrush-with-a-password.log", asked) as prebrush:
        studio.connect(in_the_url, prebrush.url.replace("//", "//me:secret-of-this-test@"))
        login = {"auth_method": "BASIC_AUTH", "basic_auth_user": "me", "basic_auth_pass": asked["BASIC_AUTH_PASS"]}
        model = {"project": in_the_form, "title": "prebrush", "url": prebrush.url, "is_interactive": True, **login}
        studio.call("POST", "/api/ml/", model)

        found = check(studio, access_token, tmp_path, **asked)

    refused = found[f"project {project} (password)"]
    assert refused["found"].endswith("as the user 'me'")
    assert "BASIC_AUTH_USER" in refused["advice"]
    reached = found[f"project {in_the_url} (password in the url)"]
    assert (reached["ok"], reached["advice"]) == (True, "")
    # events come without what is filled in there
    assert "http://user:password@" in found[f"project {in_the_form} (password in the form)"]["advice"]
    assert asked["BASIC_AUTH_PASS"] not in json.dumps(found)
