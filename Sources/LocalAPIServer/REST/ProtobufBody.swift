package import KubernetesAPI
package import NIOCore

/// Reads request bodies in Kubernetes' protobuf encoding, which `kubectl create` and other typed clients prefer.
///
/// Only the messages that clients send this way are known; anything else is answered with 415, and answers are always
/// JSON, which every client takes.
package enum ProtobufBody {
    /// Fields by number, in the notation of ``SchemaText``. `int0` keeps zero, as those fields are optional on the
    /// wire; other zeros, empty texts and empty messages mean that nothing was said.
    private static let text = """
        ObjectMeta 1:name:str 2:generateName:str 3:namespace:str 5:uid:str 6:resourceVersion:str 7:generation:int
        ObjectMeta 8:creationTimestamp:skip 9:deletionTimestamp:skip 10:deletionGracePeriodSeconds:int0 11:labels:map
        ObjectMeta 12:annotations:map 13:ownerReferences:[OwnerReference] 14:finalizers:[str] 17:managedFields:skip
        ObjectMeta 4:selfLink:skip
        OwnerReference 1:kind:str 3:name:str 4:uid:str 5:apiVersion:str 6:controller:bool0 7:blockOwnerDeletion:bool0
        Namespace 1:metadata:ObjectMeta 2:spec:NamespaceSpec 3:status:skip
        NamespaceSpec 1:finalizers:[str]
        ConfigMap 1:metadata:ObjectMeta 2:data:map 3:binaryData:bytesMap 4:immutable:bool0
        Secret 1:metadata:ObjectMeta 2:data:bytesMap 3:type:str 4:stringData:map 5:immutable:bool0
        ServiceAccount 1:metadata:ObjectMeta 2:secrets:skip 3:imagePullSecrets:[LocalObjectReference]
        ServiceAccount 4:automountServiceAccountToken:bool0
        LocalObjectReference 1:name:str
        TokenRequest 1:metadata:ObjectMeta 2:spec:TokenRequestSpec 3:status:skip
        TokenRequestSpec 1:audiences:[str] 3:boundObjectRef:BoundObjectReference 4:expirationSeconds:int0
        BoundObjectReference 1:kind:str 2:apiVersion:str 3:name:str 4:uid:str
        Service 1:metadata:ObjectMeta 2:spec:ServiceSpec 3:status:skip
        ServiceSpec 1:ports:[ServicePort] 2:selector:map 3:clusterIP:str 4:type:str 5:externalIPs:[str]
        ServiceSpec 7:sessionAffinity:str 8:loadBalancerIP:str 9:loadBalancerSourceRanges:[str] 10:externalName:str
        ServiceSpec 11:externalTrafficPolicy:str 12:healthCheckNodePort:int 13:publishNotReadyAddresses:bool
        ServiceSpec 17:ipFamilyPolicy:str 18:clusterIPs:[str] 19:ipFamilies:[str] 22:internalTrafficPolicy:str
        ServicePort 1:name:str 2:protocol:str 3:port:int 4:targetPort:ios 5:nodePort:int 6:appProtocol:str
        Deployment 1:metadata:ObjectMeta 2:spec:DeploymentSpec 3:status:skip
        DeploymentSpec 1:replicas:int0 2:selector:LabelSelector 3:template:PodTemplateSpec 4:strategy:DeploymentStrategy
        DeploymentSpec 5:minReadySeconds:int 6:revisionHistoryLimit:int0 7:paused:bool 9:progressDeadlineSeconds:int0
        DeploymentStrategy 1:type:str 2:rollingUpdate:RollingUpdate
        RollingUpdate 1:maxUnavailable:ios 2:maxSurge:ios
        LabelSelector 1:matchLabels:map 2:matchExpressions:[Requirement]
        Requirement 1:key:str 2:operator:str 3:values:[str]
        PodTemplateSpec 1:metadata:ObjectMeta 2:spec:PodSpec
        PodSpec 2:containers:[Container] 3:restartPolicy:str 4:terminationGracePeriodSeconds:int0 6:dnsPolicy:str
        PodSpec 7:nodeSelector:map 8:serviceAccountName:str 9:serviceAccount:str 10:nodeName:str 11:hostNetwork:bool
        PodSpec 12:hostPID:bool 13:hostIPC:bool 14:securityContext:skip 16:hostname:str 17:subdomain:str
        PodSpec 19:schedulerName:str 20:initContainers:[Container] 21:automountServiceAccountToken:bool0
        PodSpec 24:priorityClassName:str
        Container 1:name:str 2:image:str 3:command:[str] 4:args:[str] 5:workingDir:str 6:ports:[ContainerPort]
        Container 7:env:[EnvVar] 8:resources:skip 13:terminationMessagePath:str 14:imagePullPolicy:str 16:stdin:bool
        Container 17:stdinOnce:bool 18:tty:bool 20:terminationMessagePolicy:str
        ContainerPort 1:name:str 2:hostPort:int 3:containerPort:int 4:protocol:str 5:hostIP:str
        EnvVar 1:name:str 2:value:str
        Role 1:metadata:ObjectMeta 2:rules:[PolicyRule]
        ClusterRole 1:metadata:ObjectMeta 2:rules:[PolicyRule]
        PolicyRule 1:verbs:[str] 2:apiGroups:[str] 3:resources:[str] 4:resourceNames:[str] 5:nonResourceURLs:[str]
        RoleBinding 1:metadata:ObjectMeta 2:subjects:[Subject] 3:roleRef:RoleRef
        ClusterRoleBinding 1:metadata:ObjectMeta 2:subjects:[Subject] 3:roleRef:RoleRef
        Subject 1:kind:str 2:apiGroup:str 3:name:str 4:namespace:str
        RoleRef 1:apiGroup:str 2:kind:str 3:name:str
        DeleteOptions 1:gracePeriodSeconds:int0 2:preconditions:Preconditions 3:orphanDependents:bool0
        DeleteOptions 4:propagationPolicy:str 5:dryRun:[str]
        Preconditions 1:uid:str 2:resourceVersion:str
        Eviction 1:metadata:ObjectMeta 2:deleteOptions:DeleteOptions
        SelfSubjectAccessReview 1:metadata:ObjectMeta 2:spec:AccessReviewSpec 3:status:skip
        AccessReviewSpec 1:resourceAttributes:ResourceAttributes
        ResourceAttributes 1:namespace:str 2:verb:str 3:group:str 4:version:str 5:resource:str 6:subresource:str
        ResourceAttributes 7:name:str
        """

    private typealias Field = (name: String, type: String)

    private static let messages: [String: [Int: Field]] = {
        var messages: [String: [Int: Field]] = [:]
        for line in text.split(separator: "\n") {
            let words = line.split(separator: " ")
            for word in words.dropFirst() {
                let parts = word.split(separator: ":", maxSplits: 2).map(String.init)
                guard let number = Int(parts[0]) else { continue }
                messages[String(words[0]), default: [:]][number] = (parts[1], parts[2])
            }
        }
        return messages
    }()

    package static func parse(_ body: ByteBuffer) throws -> JSONValue {
        var body = body
        guard body.readBytes(length: 4) == [0x6B, 0x38, 0x73, 0x00] else { throw self.unsupported("unknown format") }
        var apiVersion = ""
        var kind = ""
        var raw = ByteBuffer()
        try self.fields(of: body) { number, value in
            switch (number, value) {
            case (1, .bytes(let type)):
                try self.fields(of: type) { number, value in
                    guard case .bytes(let text) = value else { return }
                    if number == 1 { apiVersion = String(buffer: text) } else { kind = String(buffer: text) }
                }
            case (2, .bytes(let bytes)): raw = bytes
            default: ()
            }
        }
        guard var object = try self.message(kind, raw) else { throw self.unsupported(kind) }
        object.set("apiVersion", .string(apiVersion))
        object.set("kind", .string(kind))
        return object
    }

    private static func unsupported(_ what: String) -> APIFailure {
        APIFailure(
            415,
            "UnsupportedMediaType",
            "protobuf bodies of \(what) are not supported; send application/json or application/yaml"
        )
    }

    private static func message(_ type: String, _ bytes: ByteBuffer) throws -> JSONValue? {
        guard let known = self.messages[type] else { return nil }
        var object: [String: JSONValue] = [:]
        try self.fields(of: bytes) { number, value in
            guard let field = known[number] else { throw self.unsupported("\(type) with field \(number)") }
            if field.type.hasPrefix("[") {
                guard let element = try self.value(value, String(field.type.dropFirst().dropLast()), isElement: true)
                else { return }
                object[field.name] = .array((object[field.name]?.array ?? []) + [element])
            } else if field.type == "map" || field.type == "bytesMap" {
                let entry = try self.entry(value, isBytes: field.type == "bytesMap")
                var map = object[field.name] ?? .object([:])
                map.set(entry.key, entry.value)
                object[field.name] = map
            } else if let decoded = try self.value(value, field.type, isElement: false) {
                object[field.name] = decoded
            }
        }
        return .object(object)
    }

    private static func value(_ value: WireValue, _ type: String, isElement: Bool) throws -> JSONValue? {
        switch (type, value) {
        case ("skip", _): return nil
        case ("str", .bytes(let bytes)):
            return bytes.readableBytes == 0 && !isElement ? nil : .string(String(buffer: bytes))
        case ("int", .number(let number)): return number == 0 ? nil : .integer(Int64(bitPattern: number))
        case ("int0", .number(let number)): return .integer(Int64(bitPattern: number))
        case ("bool", .number(let number)): return number == 0 ? nil : true
        case ("bool0", .number(let number)): return .bool(number != 0)
        case ("ios", .bytes(let bytes)): return try self.intOrString(bytes)
        case (_, .bytes(let bytes)):
            guard let message = try self.message(type, bytes) else { throw self.unsupported(type) }
            return message.object?.isEmpty == true && !isElement ? nil : message
        default: throw self.malformed()
        }
    }

    private static func intOrString(_ bytes: ByteBuffer) throws -> JSONValue? {
        var isString = false
        var number: Int64 = 0
        var text = ""
        try self.fields(of: bytes) { field, value in
            switch (field, value) {
            case (1, .number(let kind)): isString = kind == 1
            case (2, .number(let value)): number = Int64(bitPattern: value)
            case (3, .bytes(let value)): text = String(buffer: value)
            default: ()
            }
        }
        if isString { return .string(text) }
        return number == 0 ? nil : .integer(number)
    }

    private static func entry(_ value: WireValue, isBytes: Bool) throws -> (key: String, value: JSONValue) {
        guard case .bytes(let bytes) = value else { throw self.malformed() }
        var key = ""
        var content = ByteBuffer()
        try self.fields(of: bytes) { number, value in
            guard case .bytes(let part) = value else { return }
            if number == 1 { key = String(buffer: part) } else { content = part }
        }
        return (
            key, .string(isBytes ? Base64.encode(Array(content.readableBytesView)) : String(buffer: content))
        )
    }

    // MARK: Wire format

    private enum WireValue {
        case number(UInt64)
        case bytes(ByteBuffer)
    }

    private static func malformed() -> APIFailure { .badRequest("the body of the request is not well-formed protobuf") }

    private static func fields(of bytes: ByteBuffer, _ body: (Int, WireValue) throws -> Void) throws {
        var bytes = bytes
        while bytes.readableBytes > 0 {
            let tag = try self.varint(&bytes)
            let number = Int(clamping: tag >> 3)
            switch tag & 7 {
            case 0: try body(number, .number(try self.varint(&bytes)))
            case 1:
                guard let value = bytes.readInteger(endianness: .little, as: UInt64.self) else {
                    throw self.malformed()
                }
                try body(number, .number(value))
            case 2:
                guard let length = Int(exactly: try self.varint(&bytes)), let slice = bytes.readSlice(length: length)
                else { throw self.malformed() }
                try body(number, .bytes(slice))
            case 5:
                guard let value = bytes.readInteger(endianness: .little, as: UInt32.self) else {
                    throw self.malformed()
                }
                try body(number, .number(UInt64(value)))
            default: throw self.malformed()
            }
        }
    }

    private static func varint(_ bytes: inout ByteBuffer) throws -> UInt64 {
        var value: UInt64 = 0
        for shift in stride(from: UInt64(0), to: 70, by: 7) {
            guard let byte = bytes.readInteger(as: UInt8.self) else { throw self.malformed() }
            value |= UInt64(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
        }
        throw self.malformed()
    }
}
