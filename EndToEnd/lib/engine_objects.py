"""Objects under which both engines are asked the same: workloads, routes, policies, gateways."""

import base64
import json
import pathlib
import re
import subprocess
import time

from journey import ROOT

ECHO = r'''
import http.server, json, os, socketserver, threading, time
VERSION = os.environ["VERSION"]
class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 65536
    def answer(self):
        path = self.path.split("?")[0].split("/")
        length = int(self.headers["content-length"] or 0)
        body = self.rfile.read(length).decode()
        if self.headers["transfer-encoding"] == "chunked":
            while size := int(self.rfile.readline().strip() or b"0", 16):
                body += self.rfile.read(size).decode()
                self.rfile.readline()
            self.rfile.readline()
        if self.headers["upgrade"] == "websocket" and path[1] == "socket":
            self.wfile.write(b"HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\nhello")
            self.close_connection = True
            return
        status = 200
        if path[1] == "status" and path[3:4] in ([], [VERSION]): status = int(path[2])
        if path[1] == "slow": time.sleep(1)
        reply = json.dumps({"upstream": VERSION, "method": self.command, "path": self.path, "length": len(body),
                            "headers": sorted([k.lower(), v] for k, v in self.headers.items())}).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("x-upstream", "python")
        if path[1] == "cookies":
            self.send_header("set-cookie", "a=1")
            self.send_header("set-cookie", "b=2")
        self.send_header("content-length", str(7 if self.command == "HEAD" else 0 if status in (204, 304) else len(reply)))
        self.end_headers()
        if self.command != "HEAD" and status not in (204, 304): self.wfile.write(reply)
    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = do_OPTIONS = do_PATCH = answer
    def log_message(self, *_): pass
class Banner(socketserver.BaseRequestHandler):
    def handle(self): self.request.sendall(b"banner\n")
socketserver.ThreadingTCPServer.allow_reuse_address = True
http.server.ThreadingHTTPServer.request_queue_size = 128
threading.Thread(target=socketserver.ThreadingTCPServer(("0.0.0.0", 9000), Banner).serve_forever, daemon=True).start()
http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
'''


# Decides about requests over HTTP and gRPC by their path and body, and has the keys of tokens.
DECIDER = r'''
import grpc, http.server, os, threading
from concurrent import futures
def field(number, value):
    if isinstance(value, int): return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value
def header(name, value): return field(2, field(1, field(1, name) + field(2, value)))
def check(request, context):
    if b"/allow" in request or b"open sesame" in request: return field(1, b"") + field(3, header(b"x-decided-by", b"grpc"))
    denied = field(1, b"\x08\xa6\x03") + header(b"x-why", b"not allowed") + field(3, b"decided: no")
    return field(1, field(1, 7)) + field(2, denied)
class Decider(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_GET(self):
        sent = self.rfile.read(int(self.headers["content-length"] or 0))
        keys = self.path == "/keys"
        body = os.environ["KEYS"].encode() if keys else b"" if "/allow" in self.path or b"open sesame" in sent else b"decided: no"
        self.send_response(200 if keys or not body else 401)
        self.send_header("x-decided-by", "http " + self.path)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_POST = do_GET
    def log_message(self, *_): pass
server = grpc.server(futures.ThreadPoolExecutor(4))
server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(
    "envoy.service.auth.v3.Authorization", {"Check": grpc.unary_unary_rpc_method_handler(check)})])
server.add_insecure_port("0.0.0.0:9001")
server.start()
http.server.ThreadingHTTPServer(("0.0.0.0", 8001), Decider).serve_forever()
'''


def decider(keys):
    """The service that decides; in no mesh, so that both engines ask the same one."""
    pod = json.loads(deployment("decider", {"app": "decider"}, "lateen/python", {"args": ["-c", DECIDER]}, "none", "default",
                                [("KEYS", keys)]))
    pod["spec"]["template"]["metadata"]["annotations"] = {"sidecar.istio.io/inject": "false"}
    return [json.dumps(pod), service("decider", {"app": "decider"}, {"http": 8001, "grpc": 9001})]


PROVIDERS = """extensionProviders:
- name: by-http
  envoyExtAuthzHttp:
    service: decider.engines.svc.cluster.local
    port: 8001
    timeout: 3s
    pathPrefix: /ask
    includeRequestBodyInCheck: {maxRequestBytes: 50, allowPartialMessage: true}
    headersToUpstreamOnAllow: [x-decided-by]
    headersToDownstreamOnDeny: [x-decided-by]
- name: by-grpc
  envoyExtAuthzGrpc:
    service: decider.engines.svc.cluster.local
    port: 9001
    timeout: 3s
    includeRequestBodyInCheck: {maxRequestBytes: 50, packAsBytes: true}
"""


def custom(provider):
    return f"""apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {{name: custom}}
spec:
  selector: {{matchLabels: {{app: echo}}}}
  action: CUSTOM
  provider: {{name: {provider}}}
  rules: [{{to: [{{operation: {{notPaths: ["/free"]}}}}]}}]
"""


AUDIT = """apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: audit}
spec:
  selector: {matchLabels: {app: echo}}
  action: AUDIT
  rules: [{to: [{operation: {paths: ["/noted"]}}]}]
"""
SIDECAR = """apiVersion: networking.istio.io/v1
kind: Sidecar
metadata: {name: client}
spec:
  workloadSelector: {labels: {app: client}}
  egress: [{hosts: ["./echo-lateen.engines.svc.cluster.local"]}]
"""
WILDCARD_ENTRY = """apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: wildcard}
spec:
  hosts: ["*.cnn.com"]
  ports: [{name: tls, number: 443, protocol: TLS}]
  location: MESH_EXTERNAL
  resolution: NONE
"""


def deployment(name, labels, image, command, engine, account, env=()):
    annotations = {"sidecar.istio.io/proxyImage": "lateen/proxyv2-envoy"} if engine == "envoy" else {}
    return json.dumps({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": {**labels, "engine": engine}},
            "template": {
                "metadata": {"labels": {**labels, "engine": engine}, "annotations": annotations},
                "spec": {
                    "serviceAccountName": account,
                    "terminationGracePeriodSeconds": 1,
                    "containers": [{"name": "main", "image": image, **command,
                                    "env": [{"name": key, "value": value} for key, value in env]}],
                },
            },
        },
    })


def service(name, selector, ports):
    return json.dumps({
        "apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
        "spec": {"selector": selector, "ports": [{"name": key, "port": port} for key, port in ports.items()]},
    })


def workloads():
    """A client and a server for each engine, alike in everything else; services for one server and for both."""
    ports = {"http": 8000, "tcp-banner": 9000}
    texts = [json.dumps({"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}})
             for name in ("client", "echo")]
    for engine, version in (("lateen", "v1"), ("envoy", "v2")):
        texts.append(deployment(f"client-{engine}", {"app": "client"}, "lateen/curl", {}, engine, "client"))
        texts.append(deployment(f"echo-{engine}", {"app": "echo", "version": version}, "lateen/python",
                                {"args": ["-c", ECHO]}, engine, "echo", [("VERSION", version)]))
        texts.append(service(f"echo-{engine}", {"app": "echo", "engine": engine}, ports))
    texts.append(service("echo", {"app": "echo"}, ports))
    texts.append(service("empty", {"app": "nobody"}, {"http": 8000}))
    texts.append(service("refusing", {"app": "echo", "version": "v1"}, {"http": 8123}))
    return texts


def second_gateway():
    """The egress gateway of deploy/gateways.yaml once more, on Envoy and with labels of its own."""
    documents = (ROOT / "deploy" / "gateways.yaml").read_text().split("\n---\n")
    found = [text for text in documents if "name: istio-egressgateway" in text]
    return [to_envoy_gateway(text).replace("image: lateen/proxyv2\n", "image: lateen/proxyv2-envoy\n") for text in found]


def to_envoy_gateway(text):
    text = text.replace("istio-egressgateway", "envoy-egressgateway")
    text = text.replace("istio: egressgateway", "istio: envoy-egressgateway")
    return text.replace('"istio":"egressgateway"', '"istio":"envoy-egressgateway"')


SUBSETS = """apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: echo}
spec:
  host: echo
  subsets:
  - {name: v1, labels: {version: v1}}
  - {name: v2, labels: {version: v2}}
"""

ROUTES = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: echo}
spec:
  hosts: [echo]
  http:
  - match: [{headers: {end-user: {exact: jason}}}]
    route: [{destination: {host: echo, subset: v2}}]
  - match: [{uri: {prefix: /rewritten/}, headers: {x-kind: {regex: "a.*z"}}}]
    rewrite: {uri: /target/, authority: other.test}
    headers:
      request: {set: {x-set: one}, add: {x-added: two}, remove: [x-removed]}
      response: {set: {x-answer: three}, remove: [x-upstream]}
    route: [{destination: {host: echo, subset: v1}}]
  - match: [{uri: {exact: /old}}]
    redirect: {uri: /new, authority: elsewhere.test, redirectCode: 307}
  - match: [{uri: {prefix: /tls}}]
    redirect: {scheme: https}
  - match: [{uri: {prefix: /direct}}]
    directResponse: {status: 418, body: {string: "short and stout"}}
  - match: [{uri: {prefix: /slow}}]
    timeout: 0.3s
    retries: {attempts: 0}
    route: [{destination: {host: echo, subset: v1}}]
  - match: [{uri: {prefix: /status}}]
    retries: {attempts: 2, retryOn: "5xx", perTryTimeout: 1s}
    route: [{destination: {host: echo, subset: v1}}]
  - match: [{uri: {prefix: /shared}}]
    corsPolicy:
      allowOrigins: [{exact: "https://good.test"}]
      allowMethods: [GET, PUT]
      allowHeaders: [x-one]
      exposeHeaders: [x-two]
      maxAge: 24h
      allowCredentials: true
    route: [{destination: {host: echo, subset: v1}}]
  - match: [{queryParams: {color: {exact: red}}, method: {exact: PUT}}]
    route: [{destination: {host: echo, subset: v2}}]
  - match: [{uri: {regex: "/item/[0-9]+"}, ignoreUriCase: true}]
    route: [{destination: {host: echo, subset: v2}}]
  - match: [{uri: {prefix: /without}, withoutHeaders: {x-no: {}}}]
    route: [{destination: {host: echo, subset: v2}}]
  - match: [{uri: {prefix: /nosubset}}]
    route: [{destination: {host: echo, subset: v9}}]
  - match: [{uri: {prefix: /only}}]
    route: [{destination: {host: echo, subset: v1}}]
  - match: [{uri: {prefix: /weighted}}]
    route:
    - {destination: {host: echo, subset: v1}, weight: 50}
    - {destination: {host: echo, subset: v2}, weight: 50}
  - match: [{uri: {prefix: /}}]
    route: [{destination: {host: echo, subset: v1}}]
"""


def balance(policy):
    return f"""apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {{name: echo}}
spec:
  host: echo
  trafficPolicy:
{policy}"""


HASH = balance("""    loadBalancer: {consistentHash: {httpHeaderName: x-user}}
    connectionPool:
      tcp: {maxConnections: 100, connectTimeout: 2s, tcpKeepalive: {time: 60s, interval: 10s, probes: 3}}
      http: {http1MaxPendingRequests: 50, http2MaxRequests: 200, maxRequestsPerConnection: 10, idleTimeout: 30s}
""")
COOKIE = balance("    loadBalancer: {consistentHash: {httpCookie: {name: user, ttl: 60s}}}\n")
ROUND_ROBIN = balance("    loadBalancer: {simple: ROUND_ROBIN}\n")
EJECTING = balance("""    loadBalancer:
      simple: ROUND_ROBIN
      localityLbSetting: {enabled: true}
    outlierDetection:
      {consecutive5xxErrors: 2, interval: 1s, baseEjectionTime: 60s, maxEjectionPercent: 100}
""")


def peers(mode):
    return f"""apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {{name: default}}
spec: {{mtls: {{mode: {mode}}}}}
"""


# Servers that take plain text only, and one port of its own.
PEERS_BY_PORT = """apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: {name: by-port}
spec:
  selector: {matchLabels: {app: echo}}
  mtls: {mode: STRICT}
  portLevelMtls: {8000: {mode: PERMISSIVE}}
"""

# A connection for each request: a policy holds for all of them at once, and none is left of what was before. Envoy keeps
# connections that began under other rules until they are drained.
FRESH_CLIENTS = """apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: clients}
spec:
  host: "*.engines.svc.cluster.local"
  trafficPolicy: {connectionPool: {http: {maxRequestsPerConnection: 1}}}
"""

PLAIN_CLIENTS = """apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: {name: clients}
spec:
  host: "*.engines.svc.cluster.local"
  trafficPolicy:
    connectionPool: {http: {maxRequestsPerConnection: 1}}
    tls: {mode: DISABLE}
"""

ALLOW = """apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: allow}
spec:
  selector: {matchLabels: {app: echo}}
  rules:
  - from: [{source: {principals: ["cluster.local/ns/engines/sa/client"]}}]
    to: [{operation: {methods: [GET], paths: ["/public*"], ports: ["8000"]}}]
  - to: [{operation: {paths: ["*/open"], notMethods: [DELETE]}}]
    when: [{key: "request.headers[x-token]", values: ["good*"]}]
"""
DENY = """apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: deny}
spec:
  selector: {matchLabels: {app: echo}}
  action: DENY
  rules:
  - to: [{operation: {paths: ["/admin", "/admin/*"]}}]
  - from: [{source: {notNamespaces: [engines]}}]
    to: [{operation: {methods: [PUT]}}]
  - to: [{operation: {ports: ["9000"]}}]
"""
DRY_RUN = """apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata:
  name: dry
  annotations: {istio.io/dry-run: "true"}
spec:
  selector: {matchLabels: {app: echo}}
  action: DENY
  rules: [{}]
"""
NOTHING = """apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: nothing}
spec:
  selector: {matchLabels: {app: echo}}
"""
CLAIMS = """apiVersion: security.istio.io/v1
kind: AuthorizationPolicy
metadata: {name: claims}
spec:
  selector: {matchLabels: {app: echo}}
  rules:
  - to: [{operation: {paths: ["/free"]}}]
  - from: [{source: {requestPrincipals: ["issuer.test/*"]}}]
    when: [{key: "request.auth.claims[groups]", values: [admins]}]
"""


class Tokens:
    """A key made for one run, its set of keys and tokens signed with it."""

    def __init__(self, folder):
        self.key = pathlib.Path(folder) / "jwt.pem"
        subprocess.run(["openssl", "genrsa", "-out", self.key, "2048"], check=True, capture_output=True)
        modulus = subprocess.check_output(["openssl", "rsa", "-in", self.key, "-noout", "-modulus"], text=True)
        number = self.encode(bytes.fromhex(modulus.strip().split("=")[1]))
        self.keys = json.dumps({"keys": [{"kty": "RSA", "kid": "one", "alg": "RS256", "use": "sig", "e": "AQAB", "n": number}]})

    @staticmethod
    def encode(data):
        return base64.urlsafe_b64encode(data).rstrip(b"=").decode()

    def token(self, issuer="issuer.test", seconds=3600, groups=("admins",), spoiled=False):
        claims = {"iss": issuer, "sub": "someone", "exp": int(time.time()) + seconds, "groups": list(groups)}
        text = ".".join(self.encode(json.dumps(part).encode()) for part in ({"alg": "RS256", "kid": "one"}, claims))
        signature = subprocess.run(["openssl", "dgst", "-sha256", "-sign", self.key], input=text.encode(),
                                   capture_output=True, check=True).stdout
        if spoiled:
            signature = bytes([signature[0] ^ 1]) + signature[1:]
        return f"{text}.{self.encode(signature)}"

    def authentication(self, uri=None):
        return json.dumps({
            "apiVersion": "security.istio.io/v1", "kind": "RequestAuthentication", "metadata": {"name": "tokens"},
            "spec": {
                "selector": {"matchLabels": {"app": "echo"}},
                "jwtRules": [{
                    "issuer": "issuer.test", **({"jwksUri": uri} if uri else {"jwks": self.keys}), "forwardOriginalToken": False,
                    "outputPayloadToHeader": "x-payload",
                    "outputClaimToHeaders": [{"header": "x-subject", "claim": "sub"}],
                }],
            },
        })


def front(engine, servers):
    """A Gateway for one of the two gateways."""
    selector = "egressgateway" if engine == "lateen" else "envoy-egressgateway"
    return (f"apiVersion: networking.istio.io/v1\nkind: Gateway\nmetadata: {{name: front-{engine}}}\n"
            f"spec:\n  selector: {{istio: {selector}}}\n  servers:\n{servers}")


PLAIN_SERVERS = """  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [front.test, "*.wild.test"]
  - port: {number: 80, name: http, protocol: HTTP}
    hosts: [upgraded.test]
    tls: {httpsRedirect: true}
"""
TLS_SERVERS = """  - port: {number: 443, name: https-simple, protocol: HTTPS}
    hosts: [simple.test]
    tls: {mode: SIMPLE, credentialName: engines-server}
  - port: {number: 443, name: https-mutual, protocol: HTTPS}
    hosts: [mutual.test]
    tls: {mode: MUTUAL, credentialName: engines-server, minProtocolVersion: TLSV1_2}
  - port: {number: 443, name: tls, protocol: TLS}
    hosts: [edition.cnn.com]
    tls: {mode: PASSTHROUGH}
"""
MORE_SERVERS = """  - port: {number: 15443, name: https-optional, protocol: HTTPS}
    hosts: [optional.test]
    tls: {mode: OPTIONAL_MUTUAL, credentialName: engines-server}
  - port: {number: 15443, name: https-mesh, protocol: HTTPS}
    hosts: [mesh.test]
    tls: {mode: ISTIO_MUTUAL}
  - port: {number: 15443, name: tls-auto, protocol: TLS}
    hosts: ["*.local"]
    tls: {mode: AUTO_PASSTHROUGH}
  - port: {number: 31400, name: tcp, protocol: TCP}
    hosts: ["*"]
  - port: {number: 31401, name: http-bound, protocol: HTTP}
    bind: 127.0.0.1
    hosts: [bound.test]
"""
FRONT_ROUTES = """apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: front}
spec:
  hosts: [front.test, "*.wild.test", upgraded.test, simple.test, mutual.test, optional.test, mesh.test, bound.test]
  gateways: [front-lateen, front-envoy]
  http:
  - match: [{uri: {prefix: /here}}]
    route: [{destination: {host: echo-envoy, port: {number: 8000}}}]
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: front-tcp}
spec:
  hosts: ["*"]
  gateways: [front-lateen, front-envoy]
  tcp:
  - match: [{port: 31400}]
    route: [{destination: {host: echo-envoy, port: {number: 9000}}}]
"""
PASSED_ON = """apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: passed-on}
spec:
  hosts: [edition.cnn.com]
  ports: [{number: 443, name: tls, protocol: TLS}]
  resolution: DNS
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: {name: passed-on}
spec:
  hosts: [edition.cnn.com]
  gateways: [front-lateen, front-envoy]
  tls:
  - match: [{port: 443, sniHosts: [edition.cnn.com]}]
    route: [{destination: {host: edition.cnn.com, port: {number: 443}}}]
"""


def certificates(folder):
    """A root, a server's and a client's certificate, made for one run; returns the folder."""
    script = r"""set -e; cd "$0"
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.pem -days 2 -subj /CN=engines-root 2>/dev/null
one() { openssl req -newkey rsa:2048 -nodes -keyout $1.key -out $1.csr -subj /CN=$1 2>/dev/null
  printf "subjectAltName=$2\n" >$1.ext
  openssl x509 -req -in $1.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out $1.pem -days 2 -extfile $1.ext 2>/dev/null; }
one server DNS:simple.test,DNS:mutual.test,DNS:optional.test; one client DNS:client.test
"""
    subprocess.run(["bash", "-c", script, folder], check=True)
    return pathlib.Path(folder)


MYSQL_ENTRY = """apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: mysql-external}
spec:
  hosts: [mysqldb.outside.test]
  addresses: [10.215.0.10/32]
  ports: [{name: tcp, number: 3306, protocol: TCP}]
  location: MESH_EXTERNAL
"""
WEB_ENTRY = """apiVersion: networking.istio.io/v1
kind: ServiceEntry
metadata: {name: web}
spec:
  hosts: [www.outside.test]
  ports: [{name: http, number: 80, protocol: HTTP}]
  location: MESH_EXTERNAL
  resolution: NONE
"""
