#!/usr/bin/python3
"""An adapter for the policy engine: lets requests pass whose key is in a list (template listentry).

Its messages come from the descriptors in policies/, which the engine reads, too, so that both always speak of the same.
Needs Debian's python3-grpcio and python3-protobuf, nothing else.
"""

import argparse
import base64
import pathlib
import re
from concurrent import futures

import grpc
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

POLICIES = pathlib.Path(__file__).resolve().parent / "policies"
PERMISSION_DENIED = 7


def message_classes(*files):
    """Classes by full name for all messages in the descriptor sets of these objects."""
    pool = descriptor_pool.DescriptorPool()
    names, seen = [], set()
    for file in files:
        text = re.search(r"^  (?:descriptor|config): (\S+)$", (POLICIES / file).read_text(), re.MULTILINE)[1]
        for proto in descriptor_pb2.FileDescriptorSet.FromString(base64.b64decode(text)).file:
            if proto.name not in seen:
                seen.add(proto.name)
                pool.Add(proto)
                names += [f"{proto.package}.{message.name}" for message in proto.message_type]
    if hasattr(message_factory, "GetMessageClass"):  # since protobuf 4.22
        return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(name)) for name in names}
    factory = message_factory.MessageFactory(pool)
    return {name: factory.GetPrototype(pool.FindMessageTypeByName(name)) for name in names}


MESSAGES = message_classes("template.yaml", "adapter.yaml")
Request = MESSAGES["listentry.HandleListEntryRequest"]
Params = MESSAGES["keys.Params"]
CheckResult = MESSAGES["istio.mixer.adapter.model.v1beta1.CheckResult"]


def handle(request, context):
    """The answer to one question: a status, and for how long and how often it may be used again."""
    params = Params.FromString(request.adapter_config.value)
    result = CheckResult(valid_use_count=1000)
    result.valid_duration.seconds = 1
    if params.HasField("valid"):
        result.valid_duration.CopyFrom(params.valid)
    if request.instance.value not in params.owners:
        result.status.code = PERMISSION_DENIED
        result.status.message = "the key is not known" if request.instance.value else "there is no key"
    return result


def serve(address, credentials=None, handle=handle):
    """Starts a server; returns it and its port."""
    server = grpc.server(futures.ThreadPoolExecutor(8))
    method = grpc.unary_unary_rpc_method_handler(
        handle, request_deserializer=Request.FromString, response_serializer=CheckResult.SerializeToString)
    service = grpc.method_handlers_generic_handler("listentry.HandleListEntryService", {"HandleListEntry": method})
    server.add_generic_rpc_handlers([service])
    port = server.add_secure_port(address, credentials) if credentials else server.add_insecure_port(address)
    server.start()
    return server, port


def main():
    options = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    options.add_argument("--address", default="127.0.0.1:9070", help="HOST:PORT to listen at; port 0 takes a free one")
    options.add_argument("--certificate", help="a file (PEM): callers must use TLS")
    options.add_argument("--key", help="the certificate's key, a file (PEM)")
    options.add_argument("--callers", help="certificates (PEM) of who signs those of callers: they must have one")
    given = options.parse_args()
    credentials = None
    if given.certificate:
        read = lambda path: pathlib.Path(path).read_bytes()
        credentials = grpc.ssl_server_credentials(
            [(read(given.key), read(given.certificate))],
            read(given.callers) if given.callers else None,
            require_client_auth=bool(given.callers),
        )
    server, port = serve(given.address, credentials)
    print(f"listens on port {port}", flush=True)
    server.wait_for_termination()


if __name__ == "__main__":
    main()
