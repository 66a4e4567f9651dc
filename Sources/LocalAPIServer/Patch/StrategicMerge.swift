package import KubernetesAPI

/// Kubernetes' strategic merge patch: lists of named things are merged by their key instead of being replaced.
package struct StrategicMerge {
    /// Merges `patch` into `value`; `schema` tells which lists have keys.
    package static func apply(_ patch: JSONValue, to value: JSONValue, schema: Schema?) throws -> JSONValue {
        guard case .object(let changes) = patch else { return patch }
        switch changes["$patch"]?.string {
        case "replace"?: return .object(changes.filter { $0.key != "$patch" })
        case "delete"?: return .object([:])
        case nil, "merge"?: ()
        case let directive?: throw APIFailure.badRequest("unknown directive $patch: \(directive)")
        }
        var fields = value.object ?? [:]
        let retained = changes["$retainKeys"]?.array.map { Set($0.compactMap(\.string)) }
        if let retained { fields = fields.filter { retained.contains($0.key) } }
        for (name, change) in changes where !name.hasPrefix("$") {
            let property = schema?.property(name)
            switch change {
            case .null: fields[name] = nil
            case .object: fields[name] = try self.apply(change, to: fields[name] ?? .null, schema: property)
            case .array(let elements):
                fields[name] = .array(
                    try self.merge(elements, into: fields[name]?.array ?? [], schema: property)
                )
            default: fields[name] = change
            }
        }
        for (name, change) in changes where name.hasPrefix("$deleteFromPrimitiveList/") {
            let list = String(name.dropFirst("$deleteFromPrimitiveList/".count))
            let removed = Set(change.array ?? [])
            fields[list] = .array((fields[list]?.array ?? []).filter { !removed.contains($0) })
        }
        return .object(fields)
    }

    private static func merge(_ changes: [JSONValue], into elements: [JSONValue], schema: Schema?) throws -> [JSONValue]
    {
        guard let schema else { return changes }
        if schema.isSet { return elements + changes.filter { !elements.contains($0) } }
        guard let key = schema.mergeKeys.first else { return changes }
        if changes.contains(where: { $0["$patch"]?.string == "replace" }) {
            return changes.filter { $0["$patch"] == nil }
        }
        var merged = elements
        for change in changes {
            guard let identity = change[key] else {
                throw APIFailure.badRequest("an element of a patched list has no \(key), which tells elements apart")
            }
            // Keys after the first only tell elements apart where the patch names them (ports of two protocols).
            let others = schema.mergeKeys.dropFirst().filter { change[$0] != nil }
            let isSame = { (element: JSONValue) in
                element[key] == identity && others.allSatisfy { element[$0] == change[$0] }
            }
            let index = merged.firstIndex(where: isSame)
            if change["$patch"]?.string == "delete" {
                merged.removeAll(where: isSame)
            } else if let index {
                merged[index] = try self.apply(change, to: merged[index], schema: schema.items)
            } else {
                merged.append(try self.apply(change, to: .object([:]), schema: schema.items))
            }
        }
        return merged
    }
}

/// Apply patches (`application/apply-patch+yaml`): the fields given are set, lists with keys are merged.
///
/// Thin: fields that an earlier apply set and this one leaves out stay, as no owner of fields is recorded.
enum ApplyMerge {
    static func apply(_ given: JSONValue, to value: JSONValue, schema: Schema?) -> JSONValue {
        switch given {
        case .object(let changes):
            var fields = value.object ?? [:]
            for (name, change) in changes {
                fields[name] = self.apply(change, to: fields[name] ?? .null, schema: schema?.property(name))
            }
            return .object(fields)
        case .array(let changes):
            guard let schema, case .array(var elements) = value else { return given }
            if schema.isSet { return .array(elements + changes.filter { !elements.contains($0) }) }
            guard !schema.mergeKeys.isEmpty else { return given }
            for change in changes {
                let index = elements.firstIndex { element in
                    schema.mergeKeys.allSatisfy { self.key($0, element) == self.key($0, change) }
                }
                if let index {
                    elements[index] = self.apply(change, to: elements[index], schema: schema.items)
                } else {
                    elements.append(change)
                }
            }
            return .array(elements)
        default: return given
        }
    }

    /// A port without a protocol is a TCP port.
    private static func key(_ name: String, _ element: JSONValue) -> JSONValue? {
        element[name] ?? (name == "protocol" ? "TCP" : nil)
    }
}
