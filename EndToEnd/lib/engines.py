"""Two engines under the same requests: what is asked, what came of it, and where the two differ.

A `Probe` is a request. It is made on several ways (client engine, server engine); the answers of a way are one
`Observation`, and two ways are compared field by field. Differences that are meant to be are rows of docs/envoy.md.
"""

import dataclasses
import fnmatch
import json
import re
import subprocess

from journey import ROOT, expect, kubectl, run

ENGINES = ("lateen", "envoy")
NAMESPACE = "engines"
# One line for each request and connection, the same for both engines.
LOG_FORMAT = ("CHECK id=%REQ(X-CHECK)% code=%RESPONSE_CODE% flags=%RESPONSE_FLAGS% details=%RESPONSE_CODE_DETAILS% "
              "cluster=%UPSTREAM_CLUSTER% protocol=%PROTOCOL% method=%REQ(:METHOD)% authority=%REQ(:AUTHORITY)%")
LOG_FIELDS = ("code", "flags", "details", "cluster", "protocol", "method", "authority")


@dataclasses.dataclass
class Probe:
    """A request: arguments of curl, or with `shell` a line for bash; `SERVER` stands for the engine of the server."""

    name: str
    arguments: str
    # Status ("200", "301 200"), or curl's exit code ("exit 35"); None: whatever both do.
    wants: str | None
    times: int = 1
    shell: bool = False


@dataclasses.dataclass(frozen=True)
class Difference:
    where: str
    probe: str
    field: str
    lateen: str
    envoy: str

    def __str__(self):
        return f"{self.where} | {self.probe} | {self.field} | {self.lateen} | {self.envoy}"


class Listed:
    """The table of docs/envoy.md: differences that are meant to be, with reasons."""

    def __init__(self):
        self.rows = []
        for line in (ROOT / "docs" / "envoy.md").read_text().splitlines():
            cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line.strip().strip("|"))]
            if len(cells) == 6 and all(re.fullmatch(r"`[^`]+`", cell) for cell in cells[:3]):
                self.rows.append(tuple(cell.strip("`") for cell in cells[:3]))
        self.used = set()

    def explains(self, difference):
        found = [row for row in self.rows if all(
            fnmatch.fnmatchcase(value, pattern)
            for value, pattern in zip((difference.where, difference.probe, difference.field), row))]
        self.used.update(found)
        return bool(found)

    def stale(self):
        return [row for row in self.rows if row not in self.used]


def script(probes, identity, server):
    """A bash script that makes all requests, with marks between their answers."""
    lines = []
    for probe in probes:
        command = probe.arguments.replace("SERVER", server)
        if not probe.shell:
            command = f"curl -s -i -m 5 -H 'x-check: {identity(probe)}' {command}"
        lines.append(f"for i in $(seq {probe.times}); do printf '\\n@@@ {probe.name}\\n'; {command}; "
                     "printf '\\n@@@ ends %s\\n' $?; done 2>/dev/null")
    return "\n".join(lines)


def observe(probes, command, identity=lambda probe: probe.name, server=""):
    """Run all probes by `command` (a list to which a script is appended); the fields of the answers, by probe.

    Each field has the set of values that it had in the answers.
    """
    done = subprocess.run([*command, script(probes, identity, server)], capture_output=True, timeout=100, check=False)
    text = done.stdout.decode(errors="replace")
    found = {}
    for name, body, status in re.findall(r"\n@@@ (\S+)\r?\n(.*?)\n@@@ ends (\d+)\r?\n", text, re.S):
        answer = fields(body.replace("\r", ""), int(status))
        found.setdefault(name, []).append({key: normal(value) for key, value in answer.items()})
    merged = {}
    for name, answers in found.items():
        keys = {key for answer in answers for key in answer}
        merged[name] = {key: frozenset(answer.get(key, "(none)") for answer in answers) for key in keys}
        # Which pod a key leads to may differ, but not whether it is one.
        merged[name]["upstreams"] = frozenset([str(len(merged[name].get("upstream", ())))])
    return merged


def fields(text, status):
    """What counts of an answer as curl prints it."""
    answer = {"exit": str(status)}
    statuses = []
    while found := re.match(r"HTTP/[\d.]+ (\d+)[^\n]*\n((?:[^\n]+\n)*)\n?", text):
        statuses.append(found[1])
        for line in found[2].splitlines():
            name, _, value = line.partition(":")
            name, value = name.lower(), value.strip()
            if name in ("date", "x-envoy-upstream-service-time", "last-modified", "etag"):
                value = "(present)"
            if name == "connection":
                value = value.lower()
            key = f"header {name}"
            answer[key] = f"{answer[key]}, {value}" if key in answer else value
        text = text[found.end():]
    if statuses:
        answer["status"] = " ".join(statuses)
    try:
        body = json.loads(text)
    except ValueError:
        body = None
    if not isinstance(body, dict) or "headers" not in body:
        if text.strip():
            answer["body"] = text.strip()[:200]
        return own_words(answer)
    answer.pop("header content-length", None)
    for name, value in body.pop("headers"):
        if name == "x-check":
            continue
        key = f"received {name}"
        answer[key] = f"{answer[key]}, {value}" if key in answer else value
    answer |= {name: str(value) for name, value in body.items()}
    return answer


def own_words(answer):
    """What a proxy says itself is marked, for each engine says it in its own words: `reply body`, not `body`."""
    if "status" not in answer or answer.get("header server", "envoy") not in ("lateen", "envoy"):
        return answer
    wording = ("body", "header content-length", "header content-type", "header date", "header server", "header connection")
    return {f"reply {key}" if key in wording else key: value for key, value in answer.items()}


def normal(value):
    """Without what differs from one request to the next."""
    value = re.sub(r"\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b", "UUID", value)
    value = re.sub(r"\b[0-9a-f]{16,}\b", "HEX", value)
    value = re.sub(r"\b10\.213\.\d+\.\d+(:\d+)?\b", "POD", value)
    value = re.sub(r"\b10\.214\.\d+\.\d+(:\d+)?\b", "SERVICE", value)
    value = re.sub(r"\becho-(lateen|envoy)\b", "echo-SERVER", value)
    return re.sub(r"\b(istio|envoy)-egressgateway", "EGRESS", value)


def reached(observation, probes):
    """Says what is not yet as it was wanted."""
    for probe in probes:
        seen = observation.get(probe.name)
        if seen is None:
            return f"{probe.name}: no answer at all"
        if probe.wants is None:
            continue
        field, wanted = ("exit", probe.wants[5:]) if probe.wants.startswith("exit ") else ("status", probe.wants)
        if seen.get(field) != frozenset([wanted]):
            shown = {key: sorted(value) for key, value in seen.items() if not key.startswith("received")}
            return f"{probe.name}: wanted {probe.wants}, came {shown}"
    return None


def compare(where, group, lateen, envoy):
    """All differences between two observations of the same probes."""
    found = []
    for probe in sorted(lateen.keys() | envoy.keys()):
        one, other = lateen.get(probe, {}), envoy.get(probe, {})
        for field in sorted(one.keys() | other.keys()):
            # Each server has its own name.
            if one.get(field) != other.get(field) and (where, field) != ("server", "upstream"):
                found.append(Difference(where, f"{group}/{probe}", field, shown(one.get(field)), shown(other.get(field))))
    return found


def shown(values):
    return "(none)" if values is None else " / ".join(sorted(values))


def log_fields(text):
    """Access lines of requests by their check's id: each field's set of values, and how many lines there are."""
    found = {}
    pattern = r"CHECK id=(\S+) " + " ".join(rf"{name}=(\S*)" for name in LOG_FIELDS)
    for line in re.finditer(pattern, text):
        entry = found.setdefault(line[1], {"lines": 0})
        entry["lines"] += 1
        for name, value in zip(LOG_FIELDS, line.groups()[1:]):
            entry.setdefault(f"log {name}", set()).add(normal(value))
    return {key: {name: frozenset([str(value)]) if name == "lines" else frozenset(value) for name, value in entry.items()}
            for key, entry in found.items()}


def admin(pod, container, path, namespace=NAMESPACE, method="GET"):
    return run(["kubectl", "-n", namespace, "exec", pod, "-c", container, "--", "lateen-proxy", "request", method, path]).stdout


def lateen_refusals(pod, container, namespace=NAMESPACE):
    """What a proxy of Lateen has refused, as it logs it."""
    log = kubectl(f"-n {namespace} logs {pod} -c {container}")
    return [line for line in log.splitlines() if "last good version stays" in line][-3:]


def refusals(pod, container, namespace=NAMESPACE):
    """What an Envoy has refused: counters of NACKs that are not 0, and whether it is connected."""
    text = admin(pod, container, "stats?filter=update_rejected|connected_state|init_fetch_timeout", namespace)
    values = dict(re.findall(r"^(\S+): (\d+)$", text, re.M))
    expect("control_plane.connected_state" in values, f"{pod} has no statistics of its control plane:\n{text[:500]}")
    wrong = [f"{name}: {value}" for name, value in values.items() if name.endswith("update_rejected") and value != "0"]
    if values["control_plane.connected_state"] != "1":
        wrong.append("control_plane.connected_state: 0")
    log = kubectl(f"-n {namespace} logs {pod} -c {container}")
    wrong += [line for line in log.splitlines() if "configuration refused" in line][-3:] if wrong else []
    return wrong


def ready_pod(selector, namespace=NAMESPACE):
    """The name and address of the one pod that a selector finds."""
    items = json.loads(kubectl(f"-n {namespace} get pods -l {selector} -o json"))["items"]
    items = [item for item in items if "deletionTimestamp" not in item["metadata"]]
    expect(len(items) == 1, f"expected one pod with {selector}, found {len(items)}")
    return items[0]["metadata"]["name"], items[0]["status"]["podIP"]


def documents(texts):
    # Begins with a mark: kubectl would take a stream that begins with a brace for JSON alone.
    return "---\n" + "\n---\n".join(texts)


def apply(*texts):
    kubectl(f"-n {NAMESPACE} apply -f -", input=documents(texts))


def delete(*texts):
    kubectl(f"-n {NAMESPACE} delete --ignore-not-found -f -", input=documents(texts))
