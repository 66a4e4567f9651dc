/// What requests to some services mean: a HTTPAPISpecBinding with the HTTPAPISpecs that it names.
package struct APIBinding: Hashable, Sendable {
    package var source: ObjectReference
    /// Unix time.
    package var createdAt: Int64
    /// `*` stands for all.
    package var hosts: [HostName]
    package var specs: [APISpec]

    package init(source: ObjectReference, createdAt: Int64, hosts: [HostName], specs: [APISpec]) {
        self.source = source
        self.createdAt = createdAt
        self.hosts = hosts
        self.specs = specs
    }
}

/// The attributes of an API's requests (HTTPAPISpec).
package struct APISpec: Hashable, Sendable {
    /// A value that objects may give an attribute.
    package enum Value: Hashable, Sendable {
        case text(String)
        case number(Int64)
        case fraction(Double)
        case truth(Bool)
        case map([String: String])
    }

    /// Which paths are meant.
    package enum Path: Hashable, Sendable {
        case template(URITemplate)
        /// For the whole path.
        case regex(String)
    }

    package struct Operation: Hashable, Sendable {
        package var method: String
        package var path: Path
        package var attributes: [String: Value]

        package init(method: String, path: Path, attributes: [String: Value]) {
            self.method = method
            self.path = path
            self.attributes = attributes
        }
    }

    /// Where a request may have its key.
    package enum KeyPlace: Hashable, Sendable {
        case query(String)
        case header(String)
        case cookie(String)
    }

    /// Of all requests.
    package var attributes: [String: Value]
    package var operations: [Operation]
    /// In this order; none: where Istio looks by default.
    package var keyPlaces: [KeyPlace]

    package init(attributes: [String: Value], operations: [Operation], keyPlaces: [KeyPlace]) {
        self.attributes = attributes
        self.operations = operations
        self.keyPlaces = keyPlaces
    }

    /// Of one service, those of all its specs together.
    package static let operationsMax = 1000
    /// Each is tried in turn, so that they cost more than templates.
    package static let regexesMax = 50

    private var regexCount: Int {
        self.operations.count { if case .regex = $0.path { true } else { false } }
    }

    /// Of the specs of one service those that are together within the limits, in their order.
    package static func fitting(_ specs: some Sequence<APISpec>) -> [APISpec] {
        var (operations, regexes) = (0, 0)
        return specs.filter { spec in
            guard operations + spec.operations.count <= Self.operationsMax,
                regexes + spec.regexCount <= Self.regexesMax
            else { return false }
            operations += spec.operations.count
            regexes += spec.regexCount
            return true
        }
    }
}
