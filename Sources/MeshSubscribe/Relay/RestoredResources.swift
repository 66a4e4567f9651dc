internal import SwiftProtobuf
internal import XDSAPI

/// What an earlier run stored, for an Envoy that starts while the control plane is away.
struct RestoredResources: Sendable {
    typealias Response = Envoy_Service_Discovery_V3_DiscoveryResponse

    static let noncePrefix = "stored-"

    /// By type and name, in the order of the file.
    private var resources: [String: [(name: String, resource: Google_Protobuf_Any)]] = [:]
    /// What the current Envoy has been sent, by type.
    private var sent: [String: Set<String>] = [:]
    private var number = 0

    init(_ responses: [Response]) {
        for response in responses {
            self.resources[response.typeURL] = response.resources.compactMap { resource in
                RelayMemory.name(of: resource).map { ($0, resource) }
            }
        }
    }

    /// An Envoy has begun a new stream.
    mutating func restart() { self.sent = [:] }

    /// The control plane has spoken about a type: it knows better.
    mutating func forget(_ type: String) { self.resources[type] = nil }

    /// What is sent to an Envoy that wants resources of a type.
    ///
    /// - Parameters:
    ///   - type: what is asked for.
    ///   - names: which ones; `nil`: all that there are.
    /// - Returns: `nil` if there is nothing that it does not have.
    mutating func response(_ type: String, names: [String]?) -> Response? {
        guard let known = self.resources[type] else { return nil }
        let before = self.sent[type]
        let found = known.filter { entry in
            !(before?.contains(entry.name) ?? false) && names?.contains(entry.name) ?? true
        }
        // All that there is may be nothing, which has to be said once.
        guard !found.isEmpty || (names == nil && before == nil) else { return nil }
        self.sent[type, default: []].formUnion(found.map(\.name))
        self.number += 1
        return .with {
            $0.typeURL = type
            $0.versionInfo = "\(Self.noncePrefix)\(self.number)"
            $0.nonce = "\(Self.noncePrefix)\(self.number)"
            $0.resources = found.map(\.resource)
        }
    }
}
