"""What the journeys share: a running mesh, real clients, and checks that are counted.

A journey is an executable that makes a `Journey`, runs checks in it, and ends with "N passed, N failed". It brings the
mesh up by itself, in a state folder of its own, and takes it down again, also when it fails; with LATEEN_MESH=running
it uses the mesh that `EndToEnd/run` has brought up.
"""

import json
import os
import pathlib
import shlex
import subprocess
import sys
import time
import traceback

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
LATEEN = str(ROOT / "bin" / "lateen")
UP = [
    LATEEN, "up", "--images", "Samples/images.yaml", "--outside", "Samples/internet/internet.yaml",
    "--outside", "Samples/databases/databases.yaml",
    "--with", "Samples/bookinfo/platform/one-machine",
    "--with", "Samples/bookinfo/platform/kube/bookinfo.yaml", "--with", "Samples/sleep/sleep.yaml",
]


class CheckFailed(Exception):
    """What was expected, and what came instead."""


def run(command, *, input=None, timeout=60, check=True, environment=None):
    """Run a command (a list, or a line for bash) and return the finished process with text output."""
    words = ["bash", "-c", command] if isinstance(command, str) else [str(word) for word in command]
    shown = command if isinstance(command, str) else shlex.join(words)
    try:
        done = subprocess.run(
            words,
            input=input,
            capture_output=True,
            text=True,
            timeout=timeout,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
        )
    except subprocess.TimeoutExpired as error:
        raise CheckFailed(f"`{shown}` did not end within {timeout} s") from error
    if check and done.returncode != 0:
        raise CheckFailed(f"`{shown}` ended with {done.returncode}\n{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done


def kubectl(line, **options):
    """Run kubectl; `line` is what follows the word."""
    return run(f"kubectl {line}", **options).stdout


def exec_in(workload, command, container=None, namespace="default", **options):
    """Run a shell line in a container of a workload (`deploy/sleep`)."""
    chosen = f"-c {container}" if container else ""
    return run(f"kubectl -n {namespace} exec {workload} {chosen} -- sh -c {shlex.quote(command)}", **options)


def eventually(what, attempt, seconds=30.0, pause=0.1):
    """Call `attempt` until it returns something true; returns that, and fails with the last answer after `seconds`."""
    deadline = time.monotonic() + seconds
    last = None
    while True:
        try:
            last = attempt()
            if last:
                return last
        except CheckFailed as error:
            last = error
        if time.monotonic() > deadline:
            raise CheckFailed(f"{what}: not within {seconds:g} s; last: {str(last)[-1500:]}")
        time.sleep(pause)


def expect(condition, message):
    if not condition:
        raise CheckFailed(message)


def expect_in(part, whole):
    if part not in whole:
        raise CheckFailed(f"expected {part!r} in:\n{whole[-3000:]}")


def page(url="http://127.0.0.1:30080/productpage"):
    """The product page as a browser gets it; empty when it cannot be had."""
    return run(["curl", "-sS", "-m", "10", url], check=False).stdout


def stars(html):
    """The numbers of stars on the page, in order."""
    return [int(part[0]) for part in html.split('data-stars="')[1:]]


UNAVAILABLE = "Ratings service is currently unavailable"


class Journey:
    """A named row of checks against one mesh."""

    def __init__(self, name, needs_mesh=True, leaves_mesh=True):
        self.name = name
        self.leaves_mesh = needs_mesh and leaves_mesh
        self.passed = 0
        self.failed = 0
        self.owns_mesh = needs_mesh and os.environ.get("LATEEN_MESH") != "running"

    def __enter__(self):
        print(f"{self.name}", flush=True)
        if self.owns_mesh:
            bring_up()
        return self

    def __exit__(self, kind, error, trace):
        if error is not None and not isinstance(error, SystemExit):
            traceback.print_exception(kind, error, trace)
            self.failed += 1
        if self.owns_mesh:
            take_down()
        elif self.leaves_mesh:
            self.check("what was deleted is gone")(settle)
        print(f"{self.passed} passed, {self.failed} failed", flush=True)
        sys.exit(1 if self.failed else 0)

    def check(self, sentence):
        """Use as a decorator: runs the function now, and counts how it ended."""

        def perform(function):
            started = time.monotonic()
            try:
                note = function()
                self.passed += 1
                took = time.monotonic() - started
                print(f"  ok    {sentence} ({took:.1f} s){': ' + note if isinstance(note, str) else ''}", flush=True)
            except Exception as error:
                self.failed += 1
                print(f"  FAIL  {sentence}", flush=True)
                text = str(error) if isinstance(error, CheckFailed) else traceback.format_exc()
                print("        " + text.replace("\n", "\n        "), flush=True)
            return function

        return perform


def bring_up(output=None):
    """Start the mesh with Bookinfo and sleep in a state folder of its own; tells it on standard output, or elsewhere."""
    home = os.environ.setdefault("LATEEN_HOME", "/var/tmp/lateen-end-to-end")
    os.environ["KUBECONFIG"] = f"{home}/kubeconfig"
    if run([LATEEN, "status"], check=False, environment={"LATEEN_HOME": "/var/lib/lateen"}).returncode == 0:
        raise SystemExit("a mesh runs on this machine already; take it down first: make down")
    run([LATEEN, "down", "--purge"], timeout=120, check=False)
    started = time.monotonic()
    up = run(UP, timeout=420, check=False)
    print(up.stdout + up.stderr, file=output, flush=True)
    if up.returncode != 0:
        show_state()
        take_down()
        raise SystemExit("the mesh did not come up")
    print(f"  mesh up in {time.monotonic() - started:.1f} s", file=output, flush=True)


def settle(seconds=60.0):
    """Wait until nothing that a journey deleted is still going: the next one may make a namespace of the same name."""

    def going():
        listed = json.loads(kubectl("get namespaces,pods -A -o json"))["items"]
        return [item["metadata"]["name"] for item in listed if "deletionTimestamp" in item["metadata"]]

    eventually("what was deleted is gone", lambda: not going(), seconds=seconds, pause=0.2)


def take_down():
    run([LATEEN, "down", "--purge"], timeout=180, check=False)


def show_state():
    """What a person would look at first when something went wrong."""
    for line in ("kubectl get pods -A -o wide", "kubectl get events -A | tail -n 20", f"{LATEEN} status"):
        done = run(line, check=False, timeout=20)
        print(f"$ {line}\n{done.stdout}{done.stderr}", flush=True)
    home = pathlib.Path(os.environ.get("LATEEN_HOME", "/var/lib/lateen"))
    for log in sorted(home.glob("logs/*.log")):
        print(f"-- {log}\n" + "\n".join(log.read_text(errors="replace").splitlines()[-25:]), flush=True)


def pod_of(selector, namespace="default"):
    """The one pod that a label selector finds, as JSON."""
    items = json.loads(kubectl(f"-n {namespace} get pods -l {selector} -o json"))["items"]
    items = [item for item in items if "deletionTimestamp" not in item["metadata"]]
    expect(len(items) == 1, f"expected one pod with {selector}, found {[item['metadata']['name'] for item in items]}")
    return items[0]


def proxy_stats(selector, filter):
    """Counters of the proxy beside a workload, as `name: value` lines that contain `filter`."""
    name = pod_of(selector)["metadata"]["name"]
    text = run(f"kubectl exec {name} -c istio-proxy -- lateen-proxy request GET stats").stdout
    pairs = (line.rsplit(": ", 1) for line in text.splitlines() if filter in line and ": " in line)
    return {key: int(value) for key, value in pairs if value.isdigit()}
