"""Cold starts and bursts, as a client feels them, and where their time goes."""

import collections
import json
import subprocess
import threading
import time

from journey import expect, run
from serverless import NAMESPACE, at_zero, counted, percentile, requests

# In the order of time; each ends where the next begins.
PHASES = ("request to scale", "scale to program", "program's own start", "listening to answer")

ColdStart = collections.namedtuple("ColdStart", "phases seconds waited")
Burst = collections.namedtuple("Burst", "half all most pods")

# Connects first, so that neither the lookup of the name nor the start of a program counts.
CLIENT = """
import http.client, json, sys, time
connection = http.client.HTTPConnection(sys.argv[1], timeout=60)
connection.connect()
sent = time.time()
connection.request("GET", "/", headers={"x-lateen-activation-ms": "tell"})
answer = connection.getresponse()
body = answer.read().decode()
answered = time.time()
print(json.dumps(dict(sent=sent, answered=answered, status=answer.status, body=body,
                      waited=answer.getheader("x-lateen-activation-ms"))))
"""


class Watch:
    """When a Deployment's number of pods was first seen to be above zero."""

    def __init__(self, deployment):
        self.scaled = None
        self.process = subprocess.Popen(
            ["kubectl", "-n", NAMESPACE, "get", "deployment", deployment, "-w", "-o", 'jsonpath={.spec.replicas}{"\\n"}'],
            stdout=subprocess.PIPE, text=True)
        self.begun = threading.Event()
        threading.Thread(target=self.read, daemon=True).start()
        expect(self.begun.wait(15), f"kubectl does not watch {deployment}")

    def read(self):
        for line in self.process.stdout:
            if self.scaled is None and line.strip() not in ("", "0"):
                self.scaled = time.time()
            self.begun.set()

    def end(self):
        self.process.terminate()
        self.process.wait()


def cold_start(name, revision):
    """One request to a revision at zero."""
    at_zero(revision)
    watch = Watch(f"{revision}-deployment")
    try:
        done = run(["kubectl", "exec", "deploy/sleep", "-c", "sleep", "--", "python3", "-c", CLIENT,
                    f"{name}.{NAMESPACE}"], timeout=90)
    finally:
        watch.end()
    told = json.loads(done.stdout)
    expect(told["status"] == 200, f"{told['status']} {told['body']}")
    expect(watch.scaled, "the Deployment was not seen to be scaled")
    program = json.loads(told["body"])
    moments = [told["sent"], watch.scaled, program["began"], program["listened"], told["answered"]]
    phases = dict(zip(PHASES, (end - begin for begin, end in zip(moments, moments[1:]))))
    return ColdStart(phases, told["answered"] - told["sent"], int(told["waited"] or 0))


def added(start):
    """What holding and waking cost: before the Deployment is scaled, and once the program listens."""
    return start.phases[PHASES[0]] + start.phases[PHASES[-1]]


def burst(name, revision, count=200, lasting=3):
    """So many requests at once, each of so many seconds, to a revision at zero, of which none may fail."""
    at_zero(revision)
    answers, began, ended = requests(f"http://{name}.{NAMESPACE}/?sleep={lasting}", count)
    failed = [answer for answer in answers if answer.status != 200]
    expect(not failed, f"{counted(answers)} {failed[:3]}")
    pods = collections.defaultdict(int)
    for answer in answers:
        told = json.loads(answer.body)
        pods[told["pod"]] = max(pods[told["pod"]], told["most"])
    return Burst(percentile([answer.seconds for answer in answers], 0.5), ended - began, max(pods.values()), len(pods))


def milliseconds(seconds):
    return f"{seconds * 1000:.0f} ms"


def told(start):
    """A cold start in one line."""
    parts = ", ".join(f"{name} {milliseconds(seconds)}" for name, seconds in start.phases.items())
    return f"{milliseconds(start.seconds)}: {parts}; {milliseconds(added(start))} of it added"
