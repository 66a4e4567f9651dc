"""What the Bookinfo services share: a small HTTP/1.1 JSON server and a client that passes trace headers on."""

import http.client
import json
import os
import signal
import socketserver
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

# A mesh can only join the spans of one request if the application passes these on.
TRACE_HEADERS = (
    "x-request-id",
    "x-b3-traceid",
    "x-b3-spanid",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-flags",
    "b3",
    "traceparent",
    "tracestate",
    "end-user",
    "user-agent",
    "cookie",
)


class Reply:
    """A response: status, body (bytes, text, or anything that JSON can say) and its media type."""

    def __init__(self, status, body, media_type=None):
        self.status = status
        if isinstance(body, bytes):
            self.body, default = body, "application/octet-stream"
        elif isinstance(body, str):
            self.body, default = body.encode(), "text/html; charset=utf-8"
        else:
            self.body, default = json.dumps(body).encode() + b"\n", "application/json"
        self.media_type = media_type or default


class CallFailed(Exception):
    """A call to another service did not end in a 200 with JSON."""


def call(host, path, headers, timeout):
    """GET http://HOST/PATH and return the decoded JSON; CallFailed says what went wrong and with whom."""
    name, _, port = host.partition(":")
    connection = http.client.HTTPConnection(name, int(port or 9080), timeout=timeout)
    try:
        connection.request("GET", path, headers=headers)
        response = connection.getresponse()
        body = response.read(1 << 20)
        if response.status != 200:
            raise CallFailed(f"{host}{path} answered {response.status}")
        return json.loads(body)
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise CallFailed(f"{host}{path}: {error}") from error
    finally:
        connection.close()


def serve(routes, port=None):
    """Serve until SIGTERM; `routes` maps a path prefix to `function(path, headers, query) -> Reply`."""
    port = port or int(os.environ.get("PORT", "9080"))
    ordered = sorted(routes.items(), key=lambda entry: -len(entry[0]))

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 75
        # Head and body leave in one write: two small ones would wait for each other's acknowledgement.
        wbufsize = 64 * 1024
        disable_nagle_algorithm = True

        def do_GET(self):
            path, _, query = self.path.partition("?")
            passed_on = {name: self.headers[name] for name in TRACE_HEADERS if self.headers[name]}
            for prefix, function in ordered:
                if path == prefix or path.startswith(prefix.rstrip("/") + "/"):
                    try:
                        reply = function(path, passed_on, query)
                    except Exception as error:  # a bug must show as a 500 and in the log, not as a hang
                        print(f"error: {self.path}: {error!r}", file=sys.stderr, flush=True)
                        reply = Reply(500, {"error": "internal error"})
                    break
            else:
                reply = Reply(404, {"error": f"no such path: {path}"})
            self.send_response(reply.status)
            self.send_header("Content-Type", reply.media_type)
            self.send_header("Content-Length", str(len(reply.body)))
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(reply.body)

        do_HEAD = do_GET

        def log_message(self, format, *arguments):
            print(f"{self.address_string()} {format % arguments}", flush=True)

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 128

        def server_bind(self):
            # The usual way asks DNS for this machine's name first, and a pod's DNS may not be up yet.
            socketserver.TCPServer.server_bind(self)
            self.server_name, self.server_port = self.server_address[:2]

    server = Server(("0.0.0.0", port), Handler)
    # shutdown() waits for serve_forever(), so it may not run in the thread that serves.
    signal.signal(signal.SIGTERM, lambda *_: threading.Thread(target=server.shutdown, daemon=True).start())
    print(f"listening on port {port}", flush=True)
    server.serve_forever()
