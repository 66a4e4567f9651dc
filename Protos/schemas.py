#!/usr/bin/env python3
"""Writes CustomResourceDefinitions from a descriptor set of the Istio protos.

    schemas.py DESCRIPTOR_SET CRD_YAML DURATIONS_SWIFT

One source for an Istio kind is its .proto. From its messages come structural OpenAPI v3 schemas: what an
API server checks, prunes and explains. Rules that a proto cannot say stand in comments as `+key=value`
lines: `+required`, `+minItems=1`, `+maximum=65535`, and with `items.` or `values.` in front for the items
of a list or the values of a map.

proto3 JSON reads a field by its camelCase name and by its name in the .proto; an API server drops what a
schema does not name. So a field has a property under either spelling.

The same walk writes which fields are durations, because people write `5m` where proto3 JSON wants `300s`.
No dependency: the few descriptor fields that matter are read from the wire right here.
"""

import sys

# Groups: package of the messages, versions, the stored one of them.
NETWORKING = ("networking.istio.io", ".istio.networking.v1alpha3.", ["v1", "v1beta1", "v1alpha3"], "v1")
SECURITY = ("security.istio.io", ".istio.security.v1beta1.", ["v1", "v1beta1"], "v1")
AUTHENTICATION = ("authentication.istio.io", ".istio.authentication.v1alpha1.", ["v1alpha1"], "v1alpha1")
ROLES = ("rbac.istio.io", ".istio.rbac.v1alpha1.", ["v1alpha1"], "v1alpha1")
POLICY = ("config.istio.io", ".istio.policy.v1beta1.", ["v1alpha2"], "v1alpha2")

# Kinds in the order of the output: group, kind, plural, short name, columns.
AGE = ("Age", "date", ".metadata.creationTimestamp", "When the object was created.")
KINDS = [
    (NETWORKING, "ServiceEntry", "serviceentries", "se", [
        ("Hosts", "string", ".spec.hosts", "Names of the service."),
        ("Location", "string", ".spec.location", "Whether the service belongs to the mesh."),
        ("Resolution", "string", ".spec.resolution", "How endpoints are found."),
        AGE,
    ]),
    (NETWORKING, "VirtualService", "virtualservices", "vs", [
        ("Gateways", "string", ".spec.gateways", "Who applies the rules."),
        ("Hosts", "string", ".spec.hosts", "Hosts that the rules are for."),
        AGE,
    ]),
    (NETWORKING, "DestinationRule", "destinationrules", "dr", [
        ("Host", "string", ".spec.host", "Service that the rule is for."),
        AGE,
    ]),
    (NETWORKING, "Gateway", "gateways", "gw", [AGE]),
    (NETWORKING, "WorkloadEntry", "workloadentries", "we", [
        AGE,
        ("Address", "string", ".spec.address", "Address of the workload."),
    ]),
    (NETWORKING, "WorkloadGroup", "workloadgroups", "wg", [AGE]),
    (NETWORKING, "Sidecar", "sidecars", None, [AGE]),
    (SECURITY, "PeerAuthentication", "peerauthentications", "pa", [
        ("Mode", "string", ".spec.mtls.mode", "What is accepted: mutual TLS, plain text, or both."),
        AGE,
    ]),
    (SECURITY, "RequestAuthentication", "requestauthentications", "ra", [AGE]),
    (SECURITY, "AuthorizationPolicy", "authorizationpolicies", "ap", [
        ("Action", "string", ".spec.action", "What a match means."),
        AGE,
    ]),
    (AUTHENTICATION, "Policy", "policies", None, [AGE]),
    (AUTHENTICATION, "MeshPolicy", "meshpolicies", None, [AGE]),
    (POLICY, "attributemanifest", "attributemanifests", None, [AGE]),
    (POLICY, "rule", "rules", None, [("Match", "string", ".spec.match", "Which requests the rule is for."), AGE]),
    (POLICY, "handler", "handlers", None, [
        ("Adapter", "string", ".spec.compiledAdapter", "The adapter that the handler is one of."),
        AGE,
    ]),
    (POLICY, "instance", "instances", None, [
        ("Template", "string", ".spec.compiledTemplate", "The template that the instance is one of."),
        AGE,
    ]),
    (POLICY, "adapter", "adapters", None, [AGE]),
    (POLICY, "template", "templates", None, [AGE]),
    (POLICY, "QuotaSpec", "quotaspecs", None, [AGE]),
    (POLICY, "QuotaSpecBinding", "quotaspecbindings", None, [AGE]),
    (POLICY, "HTTPAPISpec", "httpapispecs", None, [AGE]),
    (POLICY, "HTTPAPISpecBinding", "httpapispecbindings", None, [AGE]),
    # Read by the policy engine's adapter rbac, which checks them.
    (ROLES, "ServiceRole", "serviceroles", None, [AGE]),
    (ROLES, "ServiceRoleBinding", "servicerolebindings", None, [AGE]),
] + [
    # Older forms of handlers and instances are named after their adapter or template; their specs have its form,
    # which the policy engine checks.
    (POLICY, kind, plural, None, [AGE]) for kind, plural in [
        ("denier", "deniers"), ("fluentd", "fluentds"), ("kubernetesenv", "kubernetesenvs"),
        ("listchecker", "listcheckers"), ("memquota", "memquotas"), ("noop", "noops"), ("prometheus", "prometheuses"),
        ("rbac", "rbacs"), ("redisquota", "redisquotas"), ("statsd", "statsds"), ("stdio", "stdios"),
        ("apikey", "apikeys"), ("authorization", "authorizations"), ("checknothing", "checknothings"),
        ("edge", "edges"), ("kubernetes", "kuberneteses"), ("listentry", "listentries"), ("logentry", "logentries"),
        ("metric", "metrics"), ("quota", "quotas"), ("reportnothing", "reportnothings"),
        ("tracespan", "tracespans"),
    ]
]
# Kinds without a namespace, and kinds whose message has another name.
CLUSTER_SCOPED = {"MeshPolicy"}
MESSAGE_NAMES = {
    "MeshPolicy": "Policy",
    "attributemanifest": "AttributeManifest",
    "rule": "Rule",
    "handler": "Handler",
    "instance": "Instance",
    "adapter": ".istio.mixer.adapter.model.v1beta1.Info",
    "template": ".istio.mixer.adapter.model.v1beta1.Template",
    "QuotaSpec": ".istio.mixer.v1.config.client.QuotaSpec",
    "QuotaSpecBinding": ".istio.mixer.v1.config.client.QuotaSpecBinding",
    "HTTPAPISpec": ".istio.mixer.v1.config.client.HTTPAPISpec",
    "HTTPAPISpecBinding": ".istio.mixer.v1.config.client.HTTPAPISpecBinding",
}
STATUS = {"ServiceEntry": ".istio.networking.v1alpha3.ServiceEntryStatus"}
# The spec of a kind without a message.
FREE = {"type": "object", "nullable": True, "x-kubernetes-preserve-unknown-fields": True}
GENERAL_STATUS = ".istio.meta.v1alpha1.IstioStatus"

# Type numbers of FieldDescriptorProto.
DOUBLE, FLOAT, INT64, UINT64, INT32, FIXED64, FIXED32, BOOL, STRING, _, MESSAGE, BYTES, UINT32, ENUM = range(1, 15)
REPEATED = 3

WELL_KNOWN = {
    ".google.protobuf.Duration": {"type": "string"},
    ".google.protobuf.Struct": {"type": "object", "x-kubernetes-preserve-unknown-fields": True},
    ".google.protobuf.Timestamp": {"type": "string", "format": "date-time"},
    ".google.protobuf.BoolValue": {"type": "boolean", "nullable": True},
    ".google.protobuf.StringValue": {"type": "string", "nullable": True},
    ".google.protobuf.DoubleValue": {"type": "number", "format": "double", "nullable": True},
    ".google.protobuf.Int32Value": {"type": "integer", "format": "int32", "nullable": True},
    ".google.protobuf.UInt32Value": {"type": "integer", "minimum": 0, "maximum": 4294967295, "nullable": True},
    ".google.protobuf.UInt64Value": {"type": "integer", "minimum": 0, "nullable": True},
}
SCALARS = {
    DOUBLE: {"type": "number", "format": "double"},
    FLOAT: {"type": "number", "format": "float"},
    INT64: {"type": "integer", "format": "int64"},
    UINT64: {"type": "integer", "minimum": 0},
    INT32: {"type": "integer", "format": "int32"},
    BOOL: {"type": "boolean"},
    STRING: {"type": "string"},
    BYTES: {"type": "string", "format": "byte"},
    UINT32: {"type": "integer", "minimum": 0, "maximum": 4294967295},
}


# MARK: descriptors

def wire(data):
    """The fields of a message as (number, value): ints for varints, bytes for anything with a length."""
    at = 0

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if byte < 0x80:
                return value

    while at < len(data):
        tag = varint()
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            yield number, varint()
        elif kind == 2:
            length = varint()
            yield number, data[at:at + length]
            at += length
        elif kind in (1, 5):
            size = 8 if kind == 1 else 4
            yield number, data[at:at + size]
            at += size
        else:
            raise ValueError(f"wire type {kind}")


def get(fields, number, default=None):
    found = default
    for key, value in fields:
        if key == number:
            found = value
    return found


def every(fields, number):
    return [value for key, value in fields if key == number]


def text(value):
    return value.decode() if value else ""


class Field:
    def __init__(self, data, comment):
        fields = list(wire(data))
        self.name = text(get(fields, 1))
        self.json = text(get(fields, 10)) or self.name
        self.repeated = get(fields, 4) == REPEATED
        self.type = get(fields, 5)
        self.type_name = text(get(fields, 6))
        self.oneof = get(fields, 9)
        self.description, self.rules = split(comment)


class Message:
    def __init__(self, fields, comment):
        self.fields = fields
        self.description = split(comment)[0]
        self.is_map = False


def split(comment):
    """A comment without its rules, and the rules."""
    words, rules = [], {}
    for line in comment.splitlines():
        line = line.strip()
        if line.startswith("+"):
            key, _, value = line[1:].partition("=")
            rules[key] = int(value) if value.isdigit() else (value or True)
        elif line:
            words.append(line)
    return " ".join(words), rules


def load(path):
    """All messages and enums of a descriptor set by full name."""
    messages, enums = {}, {}
    with open(path, "rb") as source:
        files = every(list(wire(source.read())), 1)
    for file in files:
        fields = list(wire(file))
        comments = {}
        for info in every(fields, 9):
            for location in every(list(wire(info)), 1):
                parts = list(wire(location))
                comment = text(get(parts, 3))
                route = get(parts, 1, b"")
                if comment:
                    comments[tuple(unpack(route))] = comment
        package = text(get(fields, 2))
        for index, data in enumerate(every(fields, 4)):
            load_message(data, "." + package, (4, index), comments, messages, enums)
        for data in every(fields, 5):
            load_enum(data, "." + package, enums)
    return messages, enums


def unpack(data):
    value = shift = 0
    for byte in data:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            yield value
            value = shift = 0


def load_message(data, prefix, route, comments, messages, enums):
    fields = list(wire(data))
    name = prefix + "." + text(get(fields, 1))
    message = Message(
        [Field(item, comments.get(route + (2, index), "")) for index, item in enumerate(every(fields, 2))],
        comments.get(route, ""))
    options = get(fields, 7)
    message.is_map = bool(options) and get(list(wire(options)), 7) == 1
    messages[name] = message
    for index, item in enumerate(every(fields, 3)):
        load_message(item, name, route + (3, index), comments, messages, enums)
    for item in every(fields, 4):
        load_enum(item, name, enums)


def load_enum(data, prefix, enums):
    fields = list(wire(data))
    enums[prefix + "." + text(get(fields, 1))] = [text(get(list(wire(item)), 1)) for item in every(fields, 2)]


# MARK: schemas

class Schemas:
    def __init__(self, messages, enums):
        self.messages = messages
        self.enums = enums

    def message(self, name, description=None):
        message = self.messages[name]
        properties, conditions = {}, []
        required = []
        oneofs = {}
        for field in message.fields:
            schema = self.field(field)
            properties[field.json] = schema
            spellings = [field.json]
            if field.name != field.json:
                properties[field.name] = self.alias(field, schema)
                spellings.append(field.name)
            if field.rules.get("required"):
                if len(spellings) == 1:
                    required.append(field.json)
                else:
                    conditions.append({"anyOf": [{"required": [spelling]} for spelling in spellings]})
            if field.oneof is not None:
                oneofs.setdefault(field.oneof, []).extend(spellings)
        for members in oneofs.values():
            conditions.append(at_most_one(members))
        schema = {"type": "object"}
        if description or message.description:
            schema["description"] = description or message.description
        schema["properties"] = dict(sorted(properties.items()))
        if required:
            schema["required"] = required
        if conditions:
            schema["allOf"] = conditions
        return schema

    def field(self, field):
        rules = {key: value for key, value in field.rules.items() if key != "required"}
        entry = self.messages.get(field.type_name)
        if field.repeated and entry and entry.is_map:
            schema = {"type": "object", "additionalProperties": self.single(entry.fields[1], rules, "values.")}
        elif field.repeated:
            schema = {"type": "array", "items": self.single(field, rules, "items.")}
        else:
            schema = self.single(field, {}, "")
        schema.update((key, value) for key, value in rules.items() if "." not in key)
        if field.description:
            schema = {"description": field.description, **{k: v for k, v in schema.items() if k != "description"}}
        return schema

    @staticmethod
    def alias(field, schema):
        """The same under another name. Messages are not spelled out again: they would double at each level."""
        copy = dict(schema)
        copy["description"] = f"Other spelling of `{field.json}`."
        free = {"type": "object", "x-kubernetes-preserve-unknown-fields": True}
        if "properties" in copy:
            return {"description": copy["description"], **free}
        for inner in ("items", "additionalProperties"):
            if "properties" in copy.get(inner, {}):
                copy[inner] = free
        return copy

    def single(self, field, rules, prefix):
        if field.type_name in WELL_KNOWN:
            schema = dict(WELL_KNOWN[field.type_name])
        elif field.type == MESSAGE:
            schema = self.message(field.type_name)
        elif field.type == ENUM:
            schema = {"type": "string", "enum": self.enums[field.type_name]}
        else:
            schema = dict(SCALARS[field.type])
        if prefix:
            schema.update((k[len(prefix):], v) for k, v in rules.items() if k.startswith(prefix))
        return schema


def at_most_one(members):
    """None, or exactly one of the members of a oneof."""
    present = [{"required": [member]} for member in members]
    if len(present) == 1:
        return {}
    return {"oneOf": [{"not": {"anyOf": present}}] + present}


def definition(schemas, group, kind, plural, short, columns):
    group, package, served, stored = group
    message = MESSAGE_NAMES.get(kind, kind)
    message = message if message.startswith(".") else package + message
    is_free = message not in schemas.messages
    spec = FREE if is_free else schemas.message(message)
    status = schemas.message(STATUS.get(kind, GENERAL_STATUS))
    status["x-kubernetes-preserve-unknown-fields"] = True
    names = {"kind": kind, "listKind": kind + "List", "plural": plural, "singular": kind.lower(),
             "categories": ["istio-io", group.replace(".", "-")]}
    if short:
        names["shortNames"] = [short]
    scope = "Cluster" if kind in CLUSTER_SCOPED else "Namespaced"
    versions = []
    for version in served:
        versions.append({
            "name": version,
            "served": True,
            "storage": version == stored,
            "subresources": {"status": {}},
            "additionalPrinterColumns": [
                {"name": name, "type": type, "jsonPath": path, "description": description}
                for name, type, path, description in columns],
            "schema": {"openAPIV3Schema": {
                "type": "object",
                "properties": {
                    "apiVersion": {"type": "string"},
                    "kind": {"type": "string"},
                    "metadata": {"type": "object"},
                    "spec": spec,
                    "status": status,
                },
                **({} if is_free else {"required": ["spec"]}),
            }},
        })
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": plural + "." + group, "labels": {"app.kubernetes.io/part-of": "lateen"}},
        "spec": {"group": group, "scope": scope, "names": names, "versions": versions},
    }


# MARK: output

PLAIN = set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._/-")
RESERVED = {"true", "false", "yes", "no", "on", "off", "null", "y", "n", "~", ""}


def scalar(value):
    if value is True or value is False:
        return str(value).lower()
    if isinstance(value, (int, float)):
        return str(value)
    if value.lower() not in RESERVED and set(value) <= PLAIN and value[0].isalpha():
        return value
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def yaml(value, indent=0):
    """Block style lines of a value; only the little YAML that is needed here."""
    pad = "  " * indent
    if isinstance(value, dict):
        for key, item in value.items():
            if isinstance(item, (dict, list)) and item:
                yield f"{pad}{scalar(key)}:"
                yield from yaml(item, indent + (1 if isinstance(item, dict) else 0))
            else:
                yield f"{pad}{scalar(key)}: {inline(item)}"
    else:
        for item in value:
            if isinstance(item, dict) and item:
                lines = list(yaml(item, indent + 1))
                yield f"{pad}- {lines[0].lstrip()}"
                yield from lines[1:]
            else:
                yield f"{pad}- {inline(item)}"


def inline(value):
    if value == {}:
        return "{}"
    if value == []:
        return "[]"
    return scalar(value)


def durations(messages):
    """For each message, which JSON names lead to durations, directly or through which message."""
    leads = {}

    def reaches(name, seen=()):
        if name in seen or name not in messages:
            return False
        return any(
            field.type_name == ".google.protobuf.Duration" or reaches(field.type_name, seen + (name,))
            for field in messages[name].fields)

    for name, message in sorted(messages.items()):
        if message.is_map or not name.startswith(".istio.") or not reaches(name):
            continue
        rows = {}
        for field in message.fields:
            target = field.type_name
            entry = messages.get(target)
            kind = "message"
            if entry and entry.is_map:
                target, kind = entry.fields[1].type_name, "map"
            for spelling in {field.json, field.name}:
                if target == ".google.protobuf.Duration" and kind == "message":
                    rows[spelling] = ".duration"
                elif reaches(target):
                    rows[spelling] = f'.{kind}("{target[1:]}")'
        leads[name[1:]] = dict(sorted(rows.items()))
    return leads


def swift(leads):
    yield "// DO NOT EDIT."
    yield "// swift-format-ignore-file"
    yield "//"
    yield "// Generated by Protos/schemas.py from the Istio protos."
    yield ""
    yield "extension DurationFields {"
    yield "    /// Fields of each message that are, or lead to, durations, under either spelling."
    yield "    static let table: [String: [String: Lead]] = ["
    for name, rows in leads.items():
        yield f'        "{name}": ['
        for key, lead in rows.items():
            yield f'            "{key}": {lead},'
        yield "        ],"
    yield "    ]"
    yield "}"


def main():
    messages, enums = load(sys.argv[1])
    schemas = Schemas(messages, enums)
    lines = ["# Generated by Protos/generate from the Istio protos. Do not edit."]
    for kind in KINDS:
        lines.append("---")
        lines.extend(yaml(definition(schemas, *kind)))
    with open(sys.argv[2], "w") as target:
        target.write("\n".join(lines) + "\n")
    with open(sys.argv[3], "w") as target:
        target.write("\n".join(swift(durations(messages))) + "\n")


if __name__ == "__main__":
    main()
