"""The examples for rollouts: their commands exist, and the files fit the schemas of those who read them."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from dualmetrics.cli.compare import compare_command
from tests import debian
from tests.backends import takes_long
from tests.peers import PREFIX

FOLDER = Path(__file__).parents[2] / "examples" / "rollouts"
MODULES = {
    "argo-rollouts.yaml": ("github.com/argoproj/argo-rollouts@v1.8.5", "manifests/crds/*-crd.yaml"),
    "flagger.yaml": ("github.com/fluxcd/flagger@v1.36.1", "artifacts/flagger/crd.yaml"),
}
"""The Go module with the schemas of each file, and the schemas in it."""


def documents(name: str) -> list[Any]:
    return list(yaml.safe_load_all((FOLDER / name).read_text(encoding="utf-8")))


def job_arguments() -> list[str]:
    """The arguments of the Job, with those of the template filled in."""
    template, rollout = documents("argo-rollouts.yaml")
    given = {each["name"]: each.get("value") for each in template["spec"]["args"]}
    analysis = rollout["spec"]["strategy"]["canary"]["steps"][1]["analysis"]
    given |= {each["name"]: each["value"] for each in analysis["args"]}
    container = template["spec"]["metrics"][0]["provider"]["job"]["spec"]["template"]["spec"]["containers"][0]
    return [re.sub(r"{{args\.(\w+)}}", lambda match: given[match[1]], word) for word in container["args"]]


def shell_commands(text: str) -> Iterator[list[str]]:
    """The calls of `dualmetrics` in a line for a shell, with the time that it puts in."""
    words = shlex.split(text.replace('"$(cat /tmp/shop.start)"', "1795831209"))
    if "dualmetrics" in words:
        yield words[words.index("dualmetrics") + 1 :]


def commands() -> dict[str, list[str]]:
    canary = documents("flagger.yaml")[0]
    hooks = [hook["metadata"]["cmd"] for hook in canary["spec"]["analysis"]["webhooks"]]
    steps = documents("github-actions.yaml")[0]["jobs"]["compare"]["steps"]
    lines = [*hooks, *(step["run"] for step in steps if "run" in step)]
    calls = [words for line in lines for words in shell_commands(line)]
    return {"argo": job_arguments()} | {f"call {number}": words for number, words in enumerate(calls)}


@pytest.mark.parametrize("name", commands())
def test_every_command_of_an_example_is_understood(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    command, *arguments = commands()[name]
    assert command == "compare"
    with compare_command.make_context("compare", arguments) as context:
        options = context.params
    assert (options["experiment"], options["duration"]) == ("shop", 3600.0)
    assert options["split"][0][0] == (50.0, 50.0)
    assert options["wait"] or options["sequential"]


def test_all_examples_call_the_command() -> None:
    assert len(commands()) == 4


def test_only_what_is_no_verdict_starts_the_job_again() -> None:
    job = documents("argo-rollouts.yaml")[0]["spec"]["metrics"][0]["provider"]["job"]["spec"]
    assert job["podFailurePolicy"]["rules"][0]["onExitCodes"]["values"] == [1, 2, 3, 4]
    assert job["template"]["spec"]["restartPolicy"] == "Never"  # as the policy requires


def go_module(name: str) -> Path:
    """Fetch a Go module into the cache of the tests, and return its folder."""
    go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
    if go is None:
        pytest.skip(f"{PREFIX}the schemas of {name}: there is no go (to get it: install Go)")
    cache = debian.cache() / "go"
    cache.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [go, "mod", "download", "-json", name],
        env={**os.environ, "GOMODCACHE": str(cache), "GOFLAGS": "-modcacherw"},
        cwd=cache,
        capture_output=True,
        text=True,
        check=False,
        timeout=250,
    )
    if done.returncode != 0:
        reason = (done.stdout + done.stderr).strip().splitlines()[-1:]
        pytest.skip(f"{PREFIX}the schemas of {name}: {reason} (to get them: run the tests online)")
    return Path(json.loads(done.stdout)["Dir"])


def schemas(file: str) -> dict[str, Any]:
    """The schema of each kind of object, from the published definitions."""
    module, pattern = MODULES[file]
    found = {}
    for path in go_module(module).glob(pattern):
        for definition in yaml.safe_load_all(path.read_text(encoding="utf-8")):
            names = definition["spec"]["names"]
            for version in definition["spec"]["versions"]:
                found[f"{version['name']} {names['kind']}"] = version["schema"]["openAPIV3Schema"]
    return found


def strict(schema: Any, *, top: bool = True) -> Any:
    """Refuse unknown fields, as `kubectl --validate=strict` does, except where the schema allows any."""
    if isinstance(schema, list):
        return [strict(each, top=False) for each in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: strict(value, top=False) for key, value in schema.items()}
    is_object = isinstance(schema.get("properties"), dict) and schema.get("type") == "object"
    if is_object and not schema.get("x-kubernetes-preserve-unknown-fields"):
        result.setdefault("additionalProperties", False)
    if top:
        result["properties"]["metadata"] = {"type": "object"}
    return result


def errors(file: str, document: Any, found: dict[str, Any]) -> list[str]:
    schema = found[f"{document['apiVersion'].split('/')[1]} {document['kind']}"]
    validator = jsonschema.Draft202012Validator(strict(schema))
    return [f"{error.json_path}: {error.message}" for error in validator.iter_errors(document)]


@takes_long
@pytest.mark.conformance
@pytest.mark.parametrize("file", MODULES)
def test_the_examples_fit_the_published_schemas(file: str) -> None:
    found = schemas(file)
    for document in documents(file):
        assert errors(file, document, found) == []
        document["spec"]["a typo"] = 1
        assert errors(file, document, found) != [], "the schema would accept anything"
