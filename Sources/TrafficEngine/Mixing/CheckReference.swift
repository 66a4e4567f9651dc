internal import MeshModel

/// An attribute that an answer depends on (`ReferencedAttributes.AttributeMatch`).
package struct CheckReference: Hashable, Sendable {
    package enum Condition: Hashable, Sendable {
        /// It was looked for, and the request lacked it.
        case absent
        /// It has the same value.
        case exact
        /// The whole of its text matches this expression.
        case matching(String)
    }

    package var name: String
    /// Of a map: only this entry counts.
    package var key: String?
    package var condition: Condition

    package init(name: String, key: String? = nil, condition: Condition) {
        self.name = name
        self.key = key
        self.condition = condition
    }
}

/// A set of references, made ready to look at requests with.
struct CheckShape: Sendable {
    /// In an order of their own, so that equal sets are equal.
    let references: [CheckReference]
    /// Those that the settings decide about, which are the same for all requests to a service, and the others.
    private let fixedParts: [Part]
    private let requestParts: [Part]

    private struct Part: Sendable {
        var place: Place
        var condition: Condition
    }

    private enum Condition: Sendable {
        case absent
        case exact
        case matching(Pattern)
    }

    /// Where a value is found.
    private enum Place: Sendable {
        case request(RequestAttribute)
        case header([UInt8])
        case headers
        case parameter([UInt8])
        case parameters
        case claim(String)
        case claims
        case fixed(String)
        case fixedEntry(String, key: String)

        var isFixed: Bool {
            switch self {
            case .fixed, .fixedEntry: true
            case .request, .header, .headers, .parameter, .parameters, .claim, .claims: false
            }
        }
    }

    /// `nil`: no later request could be compared, because time is among them or an expression is not understood.
    init?(_ references: [CheckReference]) {
        self.references = Self.ordered(references)
        var parts: [Part] = []
        for reference in self.references {
            guard let place = Self.place(reference), let condition = Self.condition(reference) else { return nil }
            parts.append(Part(place: place, condition: condition))
        }
        self.fixedParts = parts.filter(\.place.isFixed)
        self.requestParts = parts.filter { !$0.place.isFixed }
    }

    static func ordered(_ references: [CheckReference]) -> [CheckReference] {
        Array(Set(references)).sorted { ($0.name, $0.key ?? "") < ($1.name, $1.key ?? "") }
    }

    private static func condition(_ reference: CheckReference) -> Condition? {
        switch reference.condition {
        case .absent: .absent
        case .exact: .exact
        case .matching(let expression): Pattern(expression).map { .matching($0) }
        }
    }

    private static func place(_ reference: CheckReference) -> Place? {
        if RequestAttributes.times.contains(reference.name) { return nil }
        switch (reference.name, reference.key) {
        case (RequestAttributes.headers, nil): return .headers
        case (RequestAttributes.headers, .some(let key)): return .header(key.utf8.map(lowered))
        case (RequestAttributes.queryParameters, nil): return .parameters
        case (RequestAttributes.queryParameters, .some(let key)): return .parameter(Array(key.utf8))
        case (RequestAttributes.claims, nil): return .claims
        case (RequestAttributes.claims, .some(let key)): return .claim(key)
        case (let name, .some(let key)): return .fixedEntry(name, key: key)
        case (let name, nil):
            guard let attribute = RequestAttribute(rawValue: name) else { return .fixed(name) }
            return .request(attribute)
        }
    }

    /// Appends what the references say of a request; `false`: the request is not like the one that was answered.
    func append(_ attributes: RequestAttributes, to key: inout [UInt8]) -> Bool {
        self.appendFixed(attributes, to: &key) && self.appendRequest(attributes, to: &key)
    }

    /// The part of it that is the same for all requests of one policy to one service.
    func appendFixed(_ attributes: RequestAttributes, to key: inout [UInt8]) -> Bool {
        Self.append(self.fixedParts, attributes, to: &key)
    }

    /// The other part.
    func appendRequest(_ attributes: RequestAttributes, to key: inout [UInt8]) -> Bool {
        Self.append(self.requestParts, attributes, to: &key)
    }

    private static func append(_ parts: [Part], _ attributes: RequestAttributes, to key: inout [UInt8]) -> Bool {
        for part in parts {
            let start = key.openPart()
            let isThere = Self.append(part.place, attributes, to: &key)
            switch part.condition {
            case .absent: if isThere { return false }
            case .exact: if !isThere { return false }
            case .matching(let pattern):
                guard isThere, key.withUnsafeBytes({ pattern.matches($0.slice(start, $0.count)) }) else { return false }
                // Any value that matches will do.
                key.removeSubrange(start...)
            }
            key.closePart(start)
        }
        return true
    }

    private static func append(
        _ place: Place,
        _ attributes: RequestAttributes,
        to key: inout [UInt8]
    ) -> Bool {
        switch place {
        case .request(let attribute):
            if attributes.append(attribute, to: &key) { return true }
            // What the request does not say, the settings may.
            return self.append(attributes.fixedKey(attribute.rawValue), to: &key)
        case .header(let name): return attributes.append(header: name, to: &key)
        case .headers:
            if attributes.isConnection { return false }
            let request = attributes.request
            for field in request.headers where !attributes.isForwarded(field) {
                key.appendPart(request[field.name])
                key.appendPart(request[field.value])
            }
            for attribute in [RequestAttribute.host, .method, .path] {
                let start = key.openPart()
                _ = attributes.append(attribute, to: &key)
                key.closePart(start)
            }
            return true
        case .parameter(let name): return attributes.append(parameter: name, to: &key)
        case .parameters:
            let target = attributes.request[attributes.request.target]
            guard let question = target.position(of: UInt8(ascii: "?")), question + 1 < target.count else {
                return false
            }
            key.append(contentsOf: target[(question + 1)...])
            return true
        case .claim(let name): return self.append(attributes.claim(name).map { Array($0.utf8) }, to: &key)
        case .claims:
            let claims = attributes.claimMap
            return self.append(claims.isEmpty ? nil : MixerValue.map(claims).keyBytes, to: &key)
        case .fixed(let name): return self.append(attributes.fixedKey(name), to: &key)
        case .fixedEntry(let name, let entry):
            guard case .map(let entries) = attributes.fixed(name), let value = entries[entry] else {
                return false
            }
            key.append(contentsOf: value.utf8)
            return true
        }
    }

    private static func append(_ bytes: [UInt8]?, to key: inout [UInt8]) -> Bool {
        guard let bytes else { return false }
        key.append(contentsOf: bytes)
        return true
    }
}
