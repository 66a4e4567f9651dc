internal import MeshModel

/// Stat messages as Knative's programs of 2019 exchange them: one self-contained gob per frame.
///
/// Fields are matched by name, as Go does it, so that one reader takes all forms: a text or a name with namespace as the
/// key, whole or broken numbers of requests. The moment that a sender puts in is ignored; the receiver's clock counts.
package enum GobStatCodec {
    /// What the receiver understands.
    package enum Form: Sendable, Hashable {
        /// Up to Knative 0.6: the key is `namespace/name`, requests are whole numbers.
        case textKey
        /// Knative 0.8: the key has two fields, requests are floating-point numbers.
        case namespacedName
    }

    private static let intType: Int64 = 2
    private static let floatType: Int64 = 4
    private static let textType: Int64 = 6
    private static let messageType: Int64 = 64
    private static let statType: Int64 = 65
    private static let keyType: Int64 = 66

    /// All messages of a frame.
    package static func decode(_ bytes: [UInt8]) throws(GobError) -> [StatMessage] {
        var messages: [StatMessage] = []
        for value in try GobReader.values(of: bytes) {
            guard let fields = value.fields, let key = fields["Key"], let revision = Self.revision(key) else {
                throw GobError(code: .missingField, offset: 0)
            }
            // A stat of zeros only is left out by its sender.
            messages.append(StatMessage(revision: revision, stat: Self.stat(fields["Stat"]?.fields ?? [:])))
        }
        return messages
    }

    /// One message as a frame.
    package static func encode(_ message: StatMessage, as form: Form) -> [UInt8] {
        var writer = GobWriter()
        let countType = form == .textKey ? Self.intType : Self.floatType
        let keyType = form == .textKey ? Self.textType : Self.keyType
        writer.definition("StatMessage", id: Self.messageType, fields: [("Key", keyType), ("Stat", Self.statType)])
        if form == .namespacedName {
            writer.definition(
                "NamespacedName",
                id: Self.keyType,
                fields: [("Namespace", Self.textType), ("Name", Self.textType)]
            )
        }
        writer.definition(
            "Stat",
            id: Self.statType,
            fields: [
                ("PodName", Self.textType), ("AverageConcurrentRequests", Self.floatType),
                ("AverageProxiedConcurrentRequests", Self.floatType), ("RequestCount", countType),
                ("ProxiedRequestCount", countType),
            ]
        )
        writer.message { writer in
            writer.int(Self.messageType)
            writer.structure { fields in
                fields.field(1) { Self.writeKey(message.revision, as: form, to: &$0) }
                fields.field(2) { Self.write(message.stat, as: form, to: &$0) }
            }
        }
        return writer.bytes
    }

    private static func writeKey(_ revision: ObjectID, as form: Form, to writer: inout GobWriter) {
        switch form {
        case .textKey: writer.text("\(revision.namespace)/\(revision.name)")
        case .namespacedName:
            writer.structure { fields in
                fields.text(1, revision.namespace)
                fields.text(2, revision.name)
            }
        }
    }

    private static func write(_ stat: Stat, as form: Form, to writer: inout GobWriter) {
        writer.structure { fields in
            fields.text(1, stat.podName)
            fields.float(2, stat.averageConcurrentRequests)
            fields.float(3, stat.averageProxiedConcurrentRequests)
            switch form {
            case .textKey:
                fields.int(4, Self.whole(stat.requestCount))
                fields.int(5, Self.whole(stat.proxiedRequestCount))
            case .namespacedName:
                fields.float(4, stat.requestCount)
                fields.float(5, stat.proxiedRequestCount)
            }
        }
    }

    /// Into what Go's int32 takes; it refuses the whole message otherwise.
    private static func whole(_ number: Double) -> Int64 {
        number.isFinite ? Int64(min(max(number.rounded(), 0), Double(Int32.max))) : 0
    }

    private static func revision(_ key: GobValue) -> ObjectID? {
        if let text = key.string {
            let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
            guard parts.count == 2, !parts[0].isEmpty, !parts[1].isEmpty, !parts[1].contains("/") else { return nil }
            return ObjectID(namespace: String(parts[0]), name: String(parts[1]))
        }
        guard let fields = key.fields, let name = fields["Name"]?.string, !name.isEmpty,
            let namespace = fields["Namespace"]?.string, !namespace.isEmpty
        else { return nil }
        return ObjectID(namespace: namespace, name: name)
    }

    private static func stat(_ fields: [String: GobValue]) -> Stat {
        Stat(
            podName: fields["PodName"]?.string ?? "",
            averageConcurrentRequests: fields["AverageConcurrentRequests"]?.number ?? 0,
            averageProxiedConcurrentRequests: fields["AverageProxiedConcurrentRequests"]?.number ?? 0,
            requestCount: fields["RequestCount"]?.number ?? 0,
            proxiedRequestCount: fields["ProxiedRequestCount"]?.number ?? 0
        )
    }
}
