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
    static let tlsRooms: Set<String> = [
        "IdentityServer", "KubernetesAPI", "LocalAPIServer", "ProxyRuntime", "lateen-control",
    ]
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
        Room(
            name: "MixerAPI",
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
            name: "WorkloadRegistration",
            rooms: ["KubernetesAPI", "MeshModel", "MeshPush"],
            bought: ["Logging"],
            mayUseFoundation: true,
            because: "it writes objects for proxies that connect; what follows from them is the snapshot's concern"
        ),
        Room(
            name: "CertificateAuthority",
            rooms: ["MeshModel"],
            bought: ["Crypto", "_CryptoExtras", "SwiftASN1", "X509"],
            mayUseFoundation: true,
            because: "it checks requests and signs, and knows neither wire nor store"
        ),
        Room(
            name: "IdentityServer",
            rooms: ["CertificateAuthority", "KubernetesAPI", "MeshModel", "MeshPush", "XDSAPI"],
            bought: nio.union(["Crypto", "GRPC*", "NIOSSL", "NIOTLS", "SwiftASN1", "X509"]),
            mayUseFoundation: true,
            because: "it proves who calls and has certificates signed; what is pushed to whom is not its concern"
        ),
        Room(
            name: "RequestExplanation",
            rooms: ["MeshModel", "MeshSubscribe", "MeshTranslate", "TrafficEngine", "XDSAPI"],
            bought: ["SwiftProtobuf"],
            mayUseFoundation: true,
            because: "it asks both planes' own code what a request would meet, and serves nobody itself"
        ),
        Room(
            name: "SidecarInjection",
            rooms: ["KubernetesAPI", "MeshModel"],
            bought: ["Yams"],
            mayUseFoundation: true,
            because: "it changes pods and knows no traffic"
        ),
        Room(
            name: "ServerlessAPI",
            bought: ["SwiftProtobuf", "GRPC*"],
            mayUseFoundation: true,
            because: "it holds generated messages only"
        ),
        Room(
            name: "RequestReports",
            rooms: ["MeshModel", "ServerlessAPI"],
            bought: nio.union(["NIOHTTP1", "NIOWebSocket", "SwiftProtobuf"]),
            mayUseFoundation: true,
            because: "it tells how many requests are in flight, whoever counts them and whoever wants to know"
        ),
        Room(
            name: "Serverless",
            rooms: ["KubernetesAPI", "MeshModel", "RequestReports", "ServerlessAPI"],
            bought: ["GRPC*", "Logging", "SwiftProtobuf", "Yams"],
            mayUseFoundation: true,
            because: "it scales revisions through the Kubernetes API and knows no proxy"
        ),
        Room(
            name: "Activator",
            rooms: ["KubernetesAPI", "MeshModel", "ProxyRuntime", "RequestReports", "Serverless", "TrafficEngine"],
            bought: ["Logging"],
            because: "it makes proxy state out of objects; all that a request meets is the runtime's concern"
        ),
        // Data plane.
        Room(name: "TrafficEngine", rooms: ["MeshModel"], because: "it decides and does no input or output"),
        Room(
            name: "PolicyEngine",
            rooms: ["KubernetesAPI", "MeshModel", "MixerAPI"],
            bought: nio.union(["GRPC*", "SwiftProtobuf"]),
            mayUseFoundation: true,
            because: "it decides about attributes, whoever sends them, and knows no proxies"
        ),
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
            bought: nio.union(["Crypto", "NIOSSL", "NIOTLS"]),
            because: "it is the hot path: a ProxyState arrives, that is all it knows"
        ),
        Room(
            name: "WorkloadIdentity",
            rooms: ["MeshModel"],
            bought: ["Crypto", "_CryptoExtras", "Logging", "SwiftASN1", "X509"],
            mayUseFoundation: true,
            because: "it keeps one workload's key and certificate and knows no traffic"
        ),
        Room(
            name: "RequestAuthorities",
            rooms: ["MeshModel", "MixerAPI", "ProxyRuntime", "TrafficEngine", "XDSAPI"],
            bought: nio.union(["AsyncHTTPClient", "GRPC*", "JWTKit", "NIOHTTP1", "SwiftProtobuf"]),
            mayUseFoundation: true,
            because: "it asks others about requests, off the hot path"
        ),
        Room(
            name: "DNSProxy",
            rooms: ["CDNSProxy", "MeshModel", "DNSWire"],
            bought: nio,
            because: "it answers out of a plain table"
        ),
        Room(name: "Interception", rooms: ["MeshModel"], because: "it writes rules and runs two programs"),
        Room(
            name: "MachineBundle",
            rooms: ["MeshModel"],
            mayUseFoundation: true,
            because: "it is the one description of files that two programs share"
        ),
        Room(
            name: "HealthProbing",
            bought: ["NIOCore", "NIOPosix"],
            mayUseFoundation: true,
            because: "it asks a workload how it is and tells who runs it, whoever that is"
        ),
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
        Room(name: "CDNSProxy", because: "it is C: system calls that Swift's view of the C library leaves out"),
        Room(name: "CLocalPlatform", because: "it is C: system calls that Swift cannot make"),
        // Executables.
        Room(
            name: "lateen",
            rooms: [
                "CertificateAuthority", "KubernetesAPI", "LocalAPIServer", "LocalPlatform", "MachineBundle",
                "MeshModel", "PolicyEngine",
                "SidecarInjection", "WorkloadIdentity",
            ],
            bought: nio.union(["ArgumentParser", "AsyncHTTPClient", "ServiceLifecycle", "UnixSignals", "Yams"]),
            mayUseFoundation: true,
            because: "it is the operator's tool and runs the platform, not the mesh"
        ),
        Room(
            name: "lateen-control",
            rooms: [
                "Activator", "CertificateAuthority", "IdentityServer", "KubernetesAPI", "MeshConfig", "MeshModel",
                "MeshPush",
                "MeshTranslate", "PolicyEngine", "RequestExplanation", "RequestReports", "Serverless",
                "SidecarInjection", "TrafficEngine", "WorkloadRegistration", "XDSAPI",
            ],
            bought: nio.union([
                "ArgumentParser", "AsyncHTTPClient", "Crypto", "GRPC*", "Hummingbird", "HummingbirdTLS", "NIOHTTP1",
                "NIOSSL", "ServiceLifecycle", "SwiftASN1", "SwiftProtobuf", "UnixSignals", "X509",
            ]),
            mayUseFoundation: true,
            because: "it may not know whether the API server is ours"
        ),
        Room(
            name: "lateen-proxy",
            rooms: [
                "AdminServer", "DNSProxy", "DNSWire", "HealthProbing", "Interception", "MachineBundle", "MeshModel",
                "MeshSubscribe", "ProxyRuntime", "RequestAuthorities", "RequestReports", "TrafficEngine",
                "WorkloadIdentity", "XDSAPI",
            ],
            bought: nio.union(["ArgumentParser", "GRPC*", "ServiceLifecycle", "SwiftProtobuf", "UnixSignals"]),
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
