"""A web server that says who asked for what; it stands in for the internet."""

import http.server
import sys


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "www"

    def answer(self):
        length = int(self.headers.get("content-length") or 0)
        self.rfile.read(min(length, 1 << 20))
        body = (
            f"{self.command} {self.path}\nhost: {self.headers.get('host', '')}\n"
            f"client: {self.client_address[0]}\n"
        ).encode()
        self.send_response(200)
        self.send_header("content-type", "text/plain; charset=utf-8")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = answer


if __name__ == "__main__":
    http.server.ThreadingHTTPServer(("0.0.0.0", int(sys.argv[1])), Handler).serve_forever()
