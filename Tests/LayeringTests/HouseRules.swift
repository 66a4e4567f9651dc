/// What each room may import, as ARCHITECTURE.md says it.
///
/// Package.swift says what a room *does* import and the compiler holds it to that. This table says what it *may*, so
/// that a dependency added in passing is noticed.
enum HouseRules {
    struct Room: Sendable {
        var name: String
        /// Other rooms of the house.
        var rooms: Set<String> = []
        /// Modules that are bought; one that ends in `*` stands for all with this beginning.
        var bought: Set<String> = []
        /// Foundation costs start-up time, memory and, in a loop, speed: where bytes are moved there is none.
        var mayUseFoundation = false
        /// Why it is so, for the person who meets the rule.
        var because: String
    }

    /// Part of the toolchain, and harmless everywhere.
    static let always: Set<String> = ["Swift", "Synchronization", "Glibc", "Musl", "Darwin"]
    static let foundation: Set<String> = ["Foundation", "FoundationEssentials", "Dispatch"]
    /// TLS libraries are for these rooms only; everybody else asks them.
    static let tlsRooms: Set<String> = ["KubernetesAPI", "LocalAPIServer", "lateen-control"]
    static let tlsModules: Set<String> = [
        "NIOSSL", "HummingbirdTLS", "CNIOBoringSSL", "CNIOBoringSSLShims", "CCryptoBoringSSL",
        "CCryptoBoringSSLShims",
    ]

    private static let nio: Set<String> = ["NIOCore", "NIOPosix", "Logging"]

    static let rooms: [Room] = [
        // Vocabulary and wire formats.
        Room(name: "MeshModel", because: "it is the vocabulary of all others and knows none of them"),
        Room(
            name: "XDSAPI",
            bought: ["SwiftProtobuf", "GRPC*"],
            mayUseFoundation: true,
            because: "it holds generated messages only"
        ),
        Room(
            name: "IstioAPI",
            bought: ["SwiftProtobuf", "GRPC*"],
            mayUseFoundation: true,
            because: "it holds generated messages only"
        ),
        Room(name: "DNSWire", bought: ["NIOCore"], because: "it is a codec: bytes in, values out"),
        Room(
            name: "KubernetesAPI",
            bought: nio.union(["AsyncHTTPClient", "NIOSSL", "NIOHTTP1", "NIOFoundationCompat", "Yams"]),
            mayUseFoundation: true,
            because: "it speaks to any API server and knows nothing of the mesh"
        ),
        // Control plane.
        Room(
            name: "MeshConfig",
            rooms: ["MeshModel", "IstioAPI", "KubernetesAPI"],
            bought: ["SwiftProtobuf"],
            mayUseFoundation: true,
            because: "it turns objects into a snapshot and knows no wire"
        ),
        Room(
            name: "MeshTranslate",
            rooms: ["MeshModel", "XDSAPI"],
            bought: ["SwiftProtobuf"],
            mayUseFoundation: true,
            because: "it is a pure function and never sees sockets or Kubernetes"
        ),
        Room(
            name: "MeshPush",
            rooms: ["MeshModel", "MeshTranslate", "XDSAPI"],
            bought: ["SwiftProtobuf", "GRPC*", "Logging"],
            mayUseFoundation: true,
            because: "it pushes what was translated, wherever it came from"
        ),
        Room(
            name: "SidecarInjection",
            rooms: ["KubernetesAPI", "MeshModel"],
            bought: ["Yams"],
            mayUseFoundation: true,
            because: "it changes pods and knows no traffic"
        ),
        // Data plane.
        Room(name: "TrafficEngine", rooms: ["MeshModel"], because: "it decides and does no input or output"),
        Room(
            name: "MeshSubscribe",
            rooms: ["MeshModel", "TrafficEngine", "XDSAPI"],
            bought: ["SwiftProtobuf", "GRPC*", "Logging", "Yams"],
            mayUseFoundation: true,
            because: "it makes proxy state out of xDS and never sees a connection"
        ),
        Room(
            name: "ProxyRuntime",
            rooms: ["MeshModel", "TrafficEngine"],
            bought: nio,
            because: "it is the hot path: a ProxyState arrives, that is all it knows"
        ),
        Room(
            name: "DNSProxy",
            rooms: ["MeshModel", "DNSWire"],
            bought: nio,
            because: "it answers out of a plain table"
        ),
        Room(name: "Interception", rooms: ["MeshModel"], because: "it writes rules and runs two programs"),
        Room(
            name: "AdminServer",
            rooms: ["MeshModel", "TrafficEngine", "ProxyRuntime"],
            bought: nio.union(["NIOHTTP1"]),
            because: "it shows what the proxy has and knows no control plane"
        ),
        // The platform on one machine.
        Room(
            name: "LocalAPIServer",
            rooms: ["KubernetesAPI"],
            bought: nio.union([
                "AsyncHTTPClient", "Crypto", "GRDB", "Hummingbird", "HummingbirdCore", "HummingbirdTLS", "HTTPTypes",
                "JWTKit", "NIOFoundationCompat", "NIOHTTP1", "NIOHTTPTypes", "NIOHTTPTypesHTTP1", "NIOSSL",
                "NIOWebSocket", "SwiftASN1", "X509", "Yams",
            ]),
            mayUseFoundation: true,
            because: "it is a Kubernetes API and knows nothing of the mesh"
        ),
        Room(
            name: "LocalPlatform",
            rooms: ["CLocalPlatform", "DNSProxy", "DNSWire", "KubernetesAPI", "LocalAPIServer", "MeshModel"],
            bought: nio.union(["ServiceLifecycle", "Yams"]),
            mayUseFoundation: true,
            because: "it runs pods and must not favour our own mesh"
        ),
        Room(name: "CLocalPlatform", because: "it is C: system calls that Swift cannot make"),
        // Executables.
        Room(
            name: "lateen",
            rooms: ["KubernetesAPI", "LocalAPIServer", "LocalPlatform", "MeshModel", "SidecarInjection"],
            bought: nio.union(["ArgumentParser", "AsyncHTTPClient", "ServiceLifecycle", "UnixSignals", "Yams"]),
            mayUseFoundation: true,
            because: "it is the operator's tool and runs the platform, not the mesh"
        ),
        Room(
            name: "lateen-control",
            rooms: ["KubernetesAPI", "MeshConfig", "MeshModel", "MeshPush", "MeshTranslate", "SidecarInjection"],
            bought: nio.union([
                "ArgumentParser", "AsyncHTTPClient", "Crypto", "Hummingbird", "HummingbirdTLS", "NIOHTTP1", "NIOSSL",
                "ServiceLifecycle", "SwiftASN1", "UnixSignals", "X509",
            ]),
            mayUseFoundation: true,
            because: "it may not know whether the API server is ours"
        ),
        Room(
            name: "lateen-proxy",
            rooms: [
                "AdminServer", "DNSProxy", "DNSWire", "Interception", "MeshModel", "MeshSubscribe", "ProxyRuntime",
                "TrafficEngine", "XDSAPI",
            ],
            bought: nio.union(["ArgumentParser", "ServiceLifecycle", "UnixSignals"]),
            mayUseFoundation: true,
            because: "it gets everything over xDS and never reads objects"
        ),
        Room(
            name: "MeshTestSupport",
            rooms: ["MeshModel"],
            bought: ["Testing"],
            mayUseFoundation: true,
            because: "every test uses it"
        ),
    ]

    static func room(_ name: String) -> Room? { Self.rooms.first { $0.name == name } }

    /// Whether the room may import the module; `nil` if so, else why not.
    static func objection(to module: String, in room: Room) -> String? {
        if Self.tlsModules.contains(module), !Self.tlsRooms.contains(room.name) {
            return "TLS stays in \(Self.tlsRooms.sorted().joined(separator: ", "))"
        }
        if Self.always.contains(module) { return nil }
        if Self.foundation.contains(module) {
            return room.mayUseFoundation ? nil : "no Foundation here, \(room.because)"
        }
        let isAllowed =
            room.rooms.contains(module) || room.bought.contains(module)
            || room.bought.contains { $0.hasSuffix("*") && module.hasPrefix($0.dropLast()) }
        return isAllowed ? nil : room.because
    }
}
