import MeshModel
import SwiftProtobuf
import XDSAPI

/// A listener being put together; sees to it that no two filter chains ask for the same, which Envoy refuses.
struct ListenerDraft {
    private struct Criterion: Hashable {
        var port: UInt32
        var prefix: CIDR?
        var serverName: String
        var isTLS: Bool
        var applicationProtocol: String
    }

    /// How a connection begins, and what becomes of that.
    enum Transport {
        case any
        /// With TLS that is taken off.
        case tls(TransportSocket)
        /// With TLS that is passed on as it is.
        case undisturbedTLS
        /// Nobody looks at the first bytes, which may be the server's: the names are those that the proxy knows of the
        /// dialled address.
        case unread

        fileprivate var isTLS: Bool {
            switch self {
            case .any, .unread: false
            case .tls, .undisturbedTLS: true
            }
        }
    }

    private(set) var listener: Envoy_Config_Listener_V3_Listener
    /// How long inspection may wait for a client's first bytes; zero: no limit.
    private let inspectionTimeout: Duration
    private var taken: Set<Criterion> = []

    init(
        name: String,
        address: String,
        port: UInt16,
        direction: Envoy_Config_Core_V3_TrafficDirection,
        settings: MeshSettings,
        inspectionTimeout: Duration? = nil
    ) {
        self.inspectionTimeout = inspectionTimeout ?? settings.protocolDetectionTimeout
        self.listener = .with {
            $0.name = name
            $0.address = .socket(address, port)
            $0.trafficDirection = direction
        }
    }

    /// The filters of connections that no other chain takes.
    mutating func setDefault(_ name: String, _ filter: Envoy_Config_Listener_V3_Filter) {
        self.listener.defaultFilterChain = .with {
            $0.name = name
            $0.filters = [filter]
        }
    }

    /// Adds a chain for what earlier chains have left over of the given conditions, if anything.
    ///
    /// - Parameters:
    ///   - name: shown to people.
    ///   - port: that was dialled; `nil`: any.
    ///   - prefixes: that the dialled address is in; empty: any.
    ///   - serverNames: that TLS asks for; empty: any, or no TLS.
    ///   - transport: whether the first bytes are TLS.
    ///   - applicationProtocols: one of them was found in the first bytes; empty: any, or none.
    ///   - filters: the way of the bytes.
    mutating func add(
        _ name: String,
        port: UInt16? = nil,
        prefixes: [CIDR] = [],
        serverNames: [HostName] = [],
        transport: Transport = .any,
        applicationProtocols: [String] = [],
        _ filters: Envoy_Config_Listener_V3_Filter...
    ) {
        let free = prefixes.isEmpty ? [nil] : prefixes.map(Optional.some)
        let words = applicationProtocols.isEmpty ? [""] : applicationProtocols
        func criteria(_ name: String, _ prefix: CIDR?) -> [Criterion] {
            words.map {
                Criterion(
                    port: UInt32(port ?? 0),
                    prefix: prefix,
                    serverName: name,
                    isTLS: transport.isTLS,
                    applicationProtocol: $0
                )
            }
        }
        var serverNames = serverNames
        if free.count == 1, serverNames.count > 1 {
            // A name that an earlier chain has is that chain's; the others are free.
            serverNames.removeAll { name in criteria(name.text, free[0]).contains { self.taken.contains($0) } }
            if serverNames.isEmpty { return }
        }
        let names = serverNames.isEmpty ? [""] : serverNames.map(\.text)
        let left = free.filter { prefix in
            let wanted = names.flatMap { criteria($0, prefix) }
            // All or nothing for one block: half of its names elsewhere would be a surprise.
            guard wanted.allSatisfy({ !self.taken.contains($0) }) else { return false }
            self.taken.formUnion(wanted)
            return true
        }
        guard !left.isEmpty else { return }
        self.listener.filterChains.append(
            .with {
                $0.name = name
                $0.filters = filters
                if case .tls(let socket) = transport { $0.transportSocket = socket }
                $0.filterChainMatch = .with {
                    if let port { $0.destinationPort = Google_Protobuf_UInt32Value(UInt32(port)) }
                    $0.prefixRanges = left.compactMap { $0.map(Envoy_Config_Core_V3_CidrRange.init) }
                    $0.serverNames = serverNames.map(\.text)
                    if transport.isTLS { $0.transportProtocol = "tls" }
                    if case .unread = transport { $0.transportProtocol = "raw_buffer" }
                    $0.applicationProtocols = applicationProtocols
                }
            }
        )
        if case .unread = transport { return }
        if !serverNames.isEmpty || transport.isTLS { self.inspectTLS() }
        // In a hello of TLS it is the TLS inspector that finds them.
        if !applicationProtocols.isEmpty, !transport.isTLS { self.inspectHTTP() }
    }

    /// Lets connections to some ports pass without a look at their first bytes, which may never come.
    mutating func leaveUninspected(_ ports: Uninspected) {
        guard let predicate = ports.predicate else { return }
        for index in self.listener.listenerFilters.indices
        where Self.inspectors.contains(self.listener.listenerFilters[index].name) {
            self.listener.listenerFilters[index].filterDisabled = predicate
        }
    }

    /// Ports whose connections are not inspected.
    enum Uninspected {
        case these([Port])
        case allBut([Port])

        fileprivate var predicate: Envoy_Config_Listener_V3_ListenerFilterChainMatchPredicate? {
            typealias Predicate = Envoy_Config_Listener_V3_ListenerFilterChainMatchPredicate
            func any(of ports: [Port]) -> Predicate? {
                let single = ports.sorted().map { port in
                    Predicate.with {
                        $0.destinationPortRange.start = Int32(port.number)
                        $0.destinationPortRange.end = Int32(port.number) + 1
                    }
                }
                // Envoy wants at least two in a set.
                return single.count < 2 ? single.first : .with { $0.orMatch.rules = single }
            }
            switch self {
            case .these(let ports): return any(of: ports)
            case .allBut(let ports): return any(of: ports).map { wanted in .with { $0.notMatch = wanted } }
            }
        }
    }

    /// Reads where a redirected connection was going.
    mutating func restoreDestination() {
        self.addListenerFilter("envoy.filters.listener.original_dst") {
            .packing(Envoy_Extensions_Filters_Listener_OriginalDst_V3_OriginalDst())
        }
    }

    /// Reachable only through the listener that interception leads to.
    mutating func setUnbound() { self.listener.bindToPort = Google_Protobuf_BoolValue(false) }

    /// Says something that only our own proxy understands.
    mutating func setMetadata(_ name: String, _ fields: Google_Protobuf_Struct) {
        self.listener.metadata.filterMetadata[name] = fields
    }

    mutating func handOver() { self.listener.useOriginalDst = Google_Protobuf_BoolValue(true) }

    private static let inspectors = [Self.tlsInspector, Self.httpInspector]
    private static let tlsInspector = "envoy.filters.listener.tls_inspector"
    private static let httpInspector = "envoy.filters.listener.http_inspector"

    private mutating func inspectTLS() {
        self.addListenerFilter(Self.tlsInspector) {
            .packing(Envoy_Extensions_Filters_Listener_TlsInspector_V3_TlsInspector())
        }
        self.limitInspection()
    }

    private mutating func inspectHTTP() {
        self.addListenerFilter(Self.httpInspector) {
            .packing(Envoy_Extensions_Filters_Listener_HttpInspector_V3_HttpInspector())
        }
        self.limitInspection()
    }

    private mutating func limitInspection() {
        self.listener.listenerFiltersTimeout = Google_Protobuf_Duration(self.inspectionTimeout)
        self.listener.continueOnListenerFiltersTimeout = true
    }

    private mutating func addListenerFilter(_ name: String, _ configuration: () -> Google_Protobuf_Any) {
        guard !self.listener.listenerFilters.contains(where: { $0.name == name }) else { return }
        self.listener.listenerFilters.append(
            .with {
                $0.name = name
                $0.typedConfig = configuration()
            }
        )
    }
}
