"""What the journeys of scale from zero share: programs that say when they began, Knative's objects, bursts of requests."""

import collections
import json
import textwrap
import time

from guests import MeshSettings
from journey import eventually, exec_in, expect, kubectl, pod_of, run

NAMESPACE = "zero"

# Answers with its revision, when it began and when it listened, and the most requests that it ever had at once.
PROGRAM = """
import time
began = time.time()
import http.server, json, os, signal, threading, urllib.parse
# As process 1 of its container Python hears no SIGTERM by itself, and would be killed after half a minute.
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
lock = threading.Lock(); now = most = 0
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = 'HTTP/1.1'
    def answer(self):
        global now, most
        self.rfile.read(int(self.headers.get('content-length') or 0))
        with lock:
            now += 1; most = max(most, now)
        query = urllib.parse.parse_qs(urllib.parse.urlparse(self.path).query)
        time.sleep(float(query.get('sleep', ['0'])[0]))
        with lock: now -= 1
        body = json.dumps(dict(revision=os.environ['K_REVISION'], pod=os.environ['HOSTNAME'], began=began,
                               listened=listened, most=most)).encode() + b'\\n'
        self.send_response(200); self.send_header('content-length', str(len(body))); self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST = answer
    def log_message(self, *words): pass
class Server(http.server.ThreadingHTTPServer):
    request_queue_size = 256
server = Server(('0.0.0.0', int(os.environ['PORT'])), Handler)
listened = time.time()
server.serve_forever()
"""

# Answers calls of voice.Voice/Raise with what was said, in capitals, and its revision in a trailer.
GRPC_PROGRAM = """
import os, signal
from concurrent import futures
import grpc
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
def answer(request, context):
    context.set_trailing_metadata((('revision', os.environ['K_REVISION']),))
    return request.upper()
server = grpc.server(futures.ThreadPoolExecutor(8))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
    'voice.Voice', {'Raise': grpc.unary_unary_rpc_method_handler(answer)})])
server.add_insecure_port('0.0.0.0:' + os.environ['PORT'])
server.start()
server.wait_for_termination()
"""

GRPC_CLIENT = """
import sys, grpc
with grpc.insecure_channel(sys.argv[1]) as channel:
    answer, call = channel.unary_unary('/voice.Voice/Raise').with_call(b'hello', timeout=60)
    print(answer.decode(), dict(call.trailing_metadata())['revision'])
"""
# The one that has grpcio.
GRPC_PYTHON = "/usr/bin/python3"

Answer = collections.namedtuple("Answer", "status seconds body headers")


def apply(text):
    run("kubectl apply -f -", input=text)


def service(name, revision="", target=50, concurrency=50, annotations="", traffic="", window="6s", sidecar=False,
            is_grpc=False):
    """A Knative Service in the journeys' namespace, as YAML."""
    lines = textwrap.indent((GRPC_PROGRAM if is_grpc else PROGRAM).strip(), " " * 10)
    return f"""apiVersion: serving.knative.dev/v1
kind: Service
metadata: {{name: {name}, namespace: {NAMESPACE}}}
spec:
  template:
    metadata:
      {f'name: {revision}' if revision else ''}
      {'labels: {sidecar.istio.io/inject: "true"}' if sidecar else ''}
      annotations:
        autoscaling.knative.dev/target: "{target}"
        autoscaling.knative.dev/window: {window}
        {annotations}
    spec:
      containerConcurrency: {concurrency}
      timeoutSeconds: 60
      containers:
      - image: lateen/python
        ports: [{{containerPort: 8080{', name: h2c' if is_grpc else ''}}}]
        {f'command: [{GRPC_PYTHON}]' if is_grpc else ''}
        args:
        - -c
        - |
{lines}
  {f'traffic: {traffic}' if traffic else ''}
"""


def install():
    """Autoscaler and activator, with a short way to zero."""
    kubectl("apply -f deploy/knative/")
    kubectl("-n knative-serving patch configmap config-autoscaler --type merge -p "
            "'{\"data\": {\"scale-to-zero-grace-period\": \"1s\"}}'")
    kubectl("-n knative-serving rollout status deploy/autoscaler deploy/activator --timeout=60s", timeout=90)
    kubectl(f"create namespace {NAMESPACE}")


def uninstall():
    for namespace in (NAMESPACE, "knative-serving"):
        run(f"kubectl delete namespace {namespace} --wait=false", check=False)
    run("kubectl delete -f deploy/knative/ --ignore-not-found", check=False, timeout=90)


def ready(name, seconds=60):
    """Wait until a Knative Service is ready."""
    kubectl(f"-n {NAMESPACE} wait ksvc/{name} --for=condition=Ready --timeout={seconds}s", timeout=seconds + 10)


def pods(revision):
    """Names of a revision's pods."""
    listed = json.loads(kubectl(f"-n {NAMESPACE} get pods -l serving.knative.dev/revision={revision} -o json"))
    return [item["metadata"]["name"] for item in listed["items"]]


def at_zero(revision, seconds=40):
    """Wait until a revision has no pods, not even one that is going."""
    return eventually(f"{revision} is at zero", lambda: not pods(revision), seconds=seconds, pause=0.3)


def requests(url, count=1, seconds=60, arguments=""):
    """So many requests at once from the sleep pod, through its sidecar; every answer, and when the first was sent."""
    line = (f"cd $(mktemp -d); date +%s.%N; curl -sS -m {seconds} --parallel --parallel-immediate --parallel-max 300 "
            f"{arguments} -o 'body#1' -w '%{{stderr}}@@%{{http_code}} %{{time_total}} %{{urlnum}} %{{filename_effective}} "
            f"%{{header_json}}' '{url}{'&' if '?' in url else '?'}n=[1-{count}]' 2>answers; date +%s.%N; cat answers; "
            "echo; echo '@@bodies'; for file in body*; do echo \"$file $(cat $file | head -c 1000)\"; done")
    done = exec_in("deploy/sleep", line, "sleep", timeout=seconds + 30)
    head, _, rest = done.stdout.partition("@@")
    began, ended = (float(number) for number in head.split()[:2])
    told, _, texts = rest.partition("@@bodies")
    bodies = {}
    for text in texts.strip().splitlines():
        file, _, body = text.partition(" ")
        bodies[file] = body
    answers = []
    for part in told.split("@@"):
        if not part.strip():
            continue
        status, took, _, file, headers = part.split(" ", 4)
        end = headers.rindex("}") + 1
        fields = {key.lower(): value[0] for key, value in json.loads(headers[:end]).items()}
        answers.append(Answer(int(status), float(took), bodies.get(file, ""), fields))
    expect(len(answers) == count, f"{count} requests, {len(answers)} answers: {done.stdout[-1500:]}{done.stderr[-500:]}")
    return answers, began, ended


def call(name):
    """Calls a gRPC Service from the sleep pod, through its sidecar; what it says, and which revision it is."""
    return run(["kubectl", "exec", "deploy/sleep", "-c", "sleep", "--", GRPC_PYTHON, "-c", GRPC_CLIENT,
                f"{name}.{NAMESPACE}:80"], timeout=90).stdout.split()


def counted(answers):
    """How many answers there were of each status."""
    return dict(sorted(collections.Counter(answer.status for answer in answers).items()))


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


class Architecture:
    """Who holds requests for revisions without pods."""

    def __init__(self, name, arguments, host, service):
        self.name = name
        self.arguments = arguments
        # Where routes lead; empty: to the revisions themselves.
        self.host = host
        # A Knative Service of its own where proxies have to be told otherwise.
        self.service = service
        self.revision = f"{service}-one"

    def begin(self):
        """Have this one hold the requests of its Service."""
        patch = [{"op": "replace", "path": "/spec/template/spec/containers/0/args", "value": self.arguments}]
        run(["kubectl", "-n", "knative-serving", "patch", "deploy", "autoscaler", "--type", "json", "-p",
             json.dumps(patch)])
        kubectl("-n knative-serving rollout status deploy/autoscaler --timeout=60s", timeout=90)
        if run(f"kubectl -n {NAMESPACE} get ksvc {self.service}", check=False).returncode != 0:
            apply(service(self.service, self.revision))
        ready(self.service)

        def led():
            found = json.loads(kubectl(f"-n {NAMESPACE} get virtualservice {self.service} -o json"))
            route = found["spec"]["http"][0]["route"]
            return all(part["destination"]["host"].startswith(self.host or f"{self.service}-") for part in route)

        eventually(f"requests are held by: {self.name}", led)

    def end(self):
        """Back to what was before."""


class MixerAdapter(Architecture):
    """The callers' proxies ask the policy engine, and that the adapter, which answers when a pod is ready."""

    ENGINE = "istio-policy.istio-system.svc.cluster.local:9091"
    SETTINGS = MeshSettings(f"mixerCheckServer: {ENGINE}\ndisablePolicyChecks: false\n"
                            "enableClientSidePolicyCheck: true\npolicyCheckFailOpen: false\npolicyCheckTimeout: 45s\n")

    def begin(self):
        kubectl("apply -f deploy/mixer/ -f deploy/knative/mixer/")
        kubectl("-n istio-system rollout status deploy/istio-policy --timeout=60s", timeout=90)
        kubectl("-n knative-serving rollout status deploy/kactivator --timeout=60s", timeout=90)
        super().begin()
        self.SETTINGS.begin()
        pod = pod_of("app=sleep")["metadata"]["name"]
        eventually("the callers' proxies ask the engine", lambda: "HttpClientConfig" in run(
            f"kubectl exec {pod} -c istio-proxy -- lateen-proxy request GET config_dump").stdout)

    def end(self):
        self.SETTINGS.end()
        for folder in ("deploy/knative/mixer/", "deploy/mixer/"):
            run(f"kubectl delete -f {folder} --ignore-not-found", check=False, timeout=90)


ACTIVATOR = Architecture(
    "activator", ["autoscaler", "--activator-host", "activator-service.knative-serving.svc.cluster.local"],
    "activator-service", "hello")
PROXIES = Architecture("callers' proxies", ["autoscaler"], "", "hello")
MIXER = MixerAdapter("Mixer adapter", ["autoscaler", "--held-elsewhere"], "", "mixed")
