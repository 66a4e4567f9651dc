import Foundation
package import KubernetesAPI

/// What is wrong with a value.
package struct SchemaFaults {
    package var causes: [APIFailure.Cause] = []
    /// Paths of fields that the schema does not declare.
    package var unknown: [String] = []
    /// Reports stop here: a message with hundreds of faults helps nobody.
    static let max = 32

    var isFull: Bool { self.causes.count >= Self.max || self.unknown.count >= Self.max }
}

/// How the messages name a fault: custom resources and built-in kinds differ a little in Kubernetes.
extension Schema {
    package func check(_ value: JSONValue, at path: String = "") -> SchemaFaults {
        var faults = SchemaFaults()
        self.check(value, path, &faults)
        return faults
    }

    private func check(_ value: JSONValue, _ path: String, _ faults: inout SchemaFaults) {
        if faults.isFull { return }
        if self.isIntOrString {
            switch value {
            case .string, .integer: ()
            default: faults.causes.append(Self.typeFault(path, value, "integer,string"))
            }
            return
        }
        if value == .null { return }
        switch (self.kind, value) {
        case (nil, _): ()
        case (.object, .object), (.array, .array), (.string, .string), (.boolean, .bool), (.number, .integer),
            (.number, .number), (.integer, .integer):
            ()
        case (.integer, .number(let number)) where number.rounded() == number: ()
        case (let kind?, _):
            faults.causes.append(Self.typeFault(path, value, kind.rawValue))
            return
        }
        self.checkLimits(value, path, &faults)
        switch value {
        case .object(let fields): self.checkFields(fields, path, &faults)
        case .array(let elements):
            if let items = self.items {
                for (index, element) in elements.enumerated() { items.check(element, "\(path)[\(index)]", &faults) }
            }
            self.checkDuplicates(elements, path, &faults)
        default: ()
        }
        self.checkAlternatives(value, path, &faults)
    }

    private static func typeFault(_ path: String, _ value: JSONValue, _ type: String) -> APIFailure.Cause {
        let field = path.isEmpty ? "<root>" : path
        return APIFailure.Cause(
            field: field,
            reason: .typeInvalid,
            message:
                "Invalid value: \"\(value.schemaTypeName)\": \(field) in body must be of type \(type): \"\(value.schemaTypeName)\""
        )
    }

    private func checkFields(_ fields: [String: JSONValue], _ path: String, _ faults: inout SchemaFaults) {
        let isTyped = self.kind == .object && !(self.properties.isEmpty && self.additional == nil)
        for (name, field) in fields.sorted(by: { $0.key < $1.key }) {
            let fieldPath = path.isEmpty ? name : "\(path).\(name)"
            if let property = self.property(name) {
                property.check(field, fieldPath, &faults)
            } else if !self.preservesUnknown && (isTyped || self.source != nil && self.kind == .object) {
                faults.unknown.append(fieldPath)
            }
        }
        for name in self.required where fields[name] == nil || fields[name] == .null {
            if let alias = self.aliases.first(where: { $0.value == name })?.key, fields[alias] != nil { continue }
            faults.causes.append(.required(path.isEmpty ? name : "\(path).\(name)"))
        }
    }

    private func checkLimits(_ value: JSONValue, _ path: String, _ faults: inout SchemaFaults) {
        if !self.choices.isEmpty, !self.choices.contains(value) {
            faults.causes.append(.unsupported(path, value, self.choices.map { $0.string ?? $0.text() }))
        }
        if let number = value.double {
            if let minimum = self.minimum, number < minimum {
                faults.causes.append(
                    .invalid(path, value, "\(path) in body should be greater than or equal to \(Self.plain(minimum))")
                )
            }
            if let maximum = self.maximum, number > maximum {
                faults.causes.append(
                    .invalid(path, value, "\(path) in body should be less than or equal to \(Self.plain(maximum))")
                )
            }
            if self.kind == .integer, self.format == "int32", Int32(exactly: number) == nil {
                faults.causes.append(.invalid(path, value, "\(path) in body must be of type int32"))
            }
        }
        if let text = value.string {
            if let lengthMax = self.lengthMax, text.count > lengthMax {
                faults.causes.append(.invalid(path, value, "may not be longer than \(lengthMax)"))
            }
            if let pattern = self.pattern, Self.isMismatch(pattern, text) {
                faults.causes.append(.invalid(path, value, "\(path) in body should match '\(pattern)'"))
            }
        }
        if let itemsMin = self.itemsMin, let count = value.array?.count, count < itemsMin {
            faults.causes.append(.invalid(path, value, "\(path) in body should have at least \(itemsMin) items"))
        }
    }

    private func checkDuplicates(_ elements: [JSONValue], _ path: String, _ faults: inout SchemaFaults) {
        guard self.source != nil, !self.mergeKeys.isEmpty else { return }
        var seen = Set<[JSONValue?]>()
        for (index, element) in elements.enumerated() {
            let key = self.mergeKeys.map { element[$0] }
            if !seen.insert(key).inserted { faults.causes.append(.duplicate("\(path)[\(index)]", element)) }
        }
    }

    private func checkAlternatives(_ value: JSONValue, _ path: String, _ faults: inout SchemaFaults) {
        for schema in self.allOf { schema.check(value, path, &faults) }
        let field = path.isEmpty ? "<root>" : path
        if !self.anyOf.isEmpty, !self.anyOf.contains(where: { $0.accepts(value) }) {
            faults.causes.append(.invalid(field, value, "must validate at least one schema (anyOf)"))
        }
        if !self.oneOf.isEmpty, self.oneOf.count(where: { $0.accepts(value) }) != 1 {
            faults.causes.append(.invalid(field, value, "must validate one and only one schema (oneOf)"))
        }
        if let not = self.not, not.accepts(value) {
            faults.causes.append(.invalid(field, value, "must not validate the schema (not)"))
        }
    }

    private func accepts(_ value: JSONValue) -> Bool { self.check(value).causes.isEmpty }

    /// A pattern that this platform cannot compile refuses nothing: it came from a CRD, not from the object's author.
    private static func isMismatch(_ pattern: String, _ text: String) -> Bool {
        guard let regex = try? Regex(pattern) else { return false }
        do { return try regex.firstMatch(in: text) == nil } catch { return false }
    }

    private static func plain(_ number: Double) -> String {
        Int64(exactly: number).map(String.init) ?? "\(number)"
    }

    /// The value without the fields that the schema does not declare.
    package func pruned(_ value: JSONValue) -> JSONValue {
        if self.preservesUnknown { return value }
        switch value {
        case .object(let fields):
            guard self.kind == .object else { return value }
            return .object(
                fields.reduce(into: [:]) { kept, field in
                    if let property = self.property(field.key) { kept[field.key] = property.pruned(field.value) }
                }
            )
        case .array(let elements): return .array(elements.map { self.items?.pruned($0) ?? $0 })
        default: return value
        }
    }
}
