// swift-tools-version: 6.2
import PackageDescription

/// Swift settings of every target that is not generated code.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .treatAllWarnings(as: .error),
]

// What is bought, by product.
let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let asyncHTTPClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let cryptoExtras = Target.Dependency.product(name: "_CryptoExtras", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let grpcCore = Target.Dependency.product(name: "GRPCCore", package: "grpc-swift-2")
let grpcProtobuf = Target.Dependency.product(name: "GRPCProtobuf", package: "grpc-swift-protobuf")
let grpcTransport = Target.Dependency.product(name: "GRPCNIOTransportHTTP2Posix", package: "grpc-swift-nio-transport")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let jwtKit = Target.Dependency.product(name: "JWTKit", package: "jwt-kit")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioEmbedded = Target.Dependency.product(name: "NIOEmbedded", package: "swift-nio")
let nioFoundationCompat = Target.Dependency.product(name: "NIOFoundationCompat", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioHTTPTypesHTTP1 = Target.Dependency.product(name: "NIOHTTPTypesHTTP1", package: "swift-nio-extras")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioTLS = Target.Dependency.product(name: "NIOTLS", package: "swift-nio")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let protobuf = Target.Dependency.product(name: "SwiftProtobuf", package: "swift-protobuf")
let serviceLifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let swiftASN1 = Target.Dependency.product(name: "SwiftASN1", package: "swift-asn1")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")
let x509 = Target.Dependency.product(name: "X509", package: "swift-certificates")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

/// A room of the house: its job stands in ARCHITECTURE.md, what it may import is `needs`.
func room(_ name: String, needs: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .target(name: name, dependencies: needs, exclude: exclude, swiftSettings: strict)
}

func tests(_ room: String, needs: [Target.Dependency] = [], exclude: [String] = []) -> Target {
    .testTarget(
        name: room + "Tests",
        dependencies: [.target(name: room), "MeshTestSupport"] + needs,
        exclude: exclude,
        swiftSettings: strict
    )
}

let package = Package(
    name: "lateen",
    platforms: [.macOS(.v15)],
    products: [
        .executable(name: "lateen", targets: ["lateen"]),
        .executable(name: "lateen-control", targets: ["lateen-control"]),
        .executable(name: "lateen-proxy", targets: ["lateen-proxy"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-asn1", from: "1.7.4"),
        .package(url: "https://github.com/apple/swift-certificates", from: "1.21.1"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-protobuf", from: "1.39.0"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/grpc/grpc-swift-2", from: "2.4.3"),
        .package(url: "https://github.com/grpc/grpc-swift-nio-transport", from: "2.9.2"),
        .package(url: "https://github.com/grpc/grpc-swift-protobuf", from: "2.4.1"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
        .package(url: "https://github.com/vapor/jwt-kit", from: "5.7.1"),
    ],
    targets: [
        // Vocabulary and wire formats.
        room("MeshModel"),
        .target(name: "XDSAPI", dependencies: [protobuf, grpcCore, grpcProtobuf]),
        .target(name: "IstioAPI", dependencies: [protobuf]),
        .target(name: "MixerAPI", dependencies: [protobuf, grpcCore, grpcProtobuf]),
        .target(name: "ServerlessAPI", dependencies: [protobuf, grpcCore, grpcProtobuf]),
        room("DNSWire", needs: [nioCore]),
        room(
            "KubernetesAPI",
            needs: [asyncHTTPClient, nioCore, nioFoundationCompat, nioHTTP1, nioSSL, yams, logging]
        ),

        // Control plane: objects -> snapshot -> xDS.
        room("MeshConfig", needs: ["MeshModel", "IstioAPI", "KubernetesAPI", protobuf]),
        room("MeshTranslate", needs: ["MeshModel", "XDSAPI", protobuf]),
        room(
            "MeshPush",
            needs: ["MeshModel", "MeshTranslate", "XDSAPI", grpcCore, grpcProtobuf, grpcTransport, protobuf, logging]
        ),
        room("WorkloadRegistration", needs: ["KubernetesAPI", "MeshModel", "MeshPush", logging]),
        room("CertificateAuthority", needs: ["MeshModel", crypto, cryptoExtras, swiftASN1, x509]),
        room(
            "IdentityServer",
            needs: [
                "CertificateAuthority", "KubernetesAPI", "MeshModel", "MeshPush", "XDSAPI", crypto, grpcCore,
                grpcTransport, logging, nioCore, nioPosix, nioSSL, nioTLS, swiftASN1, x509,
            ]
        ),
        room(
            "RequestExplanation",
            needs: ["MeshModel", "MeshSubscribe", "MeshTranslate", "TrafficEngine", "XDSAPI", protobuf]
        ),
        room("SidecarInjection", needs: ["KubernetesAPI", "MeshModel", yams]),

        // Scale from zero.
        room(
            "RequestReports",
            needs: ["MeshModel", "ServerlessAPI", logging, nioCore, nioHTTP1, nioPosix, nioWebSocket, protobuf]
        ),
        room(
            "Serverless",
            needs: [
                "KubernetesAPI", "MeshModel", "RequestReports", "ServerlessAPI", grpcCore, grpcTransport, logging,
                protobuf, yams,
            ]
        ),
        room(
            "Activator",
            needs: [
                "KubernetesAPI", "MeshModel", "ProxyRuntime", "RequestReports", "Serverless", "TrafficEngine", logging,
            ]
        ),

        // Data plane: xDS -> state -> sockets.
        room("TrafficEngine", needs: ["MeshModel"]),
        room(
            "PolicyEngine",
            needs: [
                "KubernetesAPI", "MeshModel", "MixerAPI", grpcCore, grpcProtobuf, grpcTransport,
                logging, nioCore, nioPosix, protobuf,
            ]
        ),
        room(
            "MeshSubscribe",
            needs: [
                "MeshModel", "TrafficEngine", "XDSAPI", grpcCore, grpcProtobuf, grpcTransport, protobuf, logging, yams,
            ]
        ),
        room("WorkloadIdentity", needs: ["MeshModel", crypto, cryptoExtras, logging, swiftASN1, x509]),
        room(
            "ProxyRuntime",
            needs: ["MeshModel", "TrafficEngine", crypto, nioCore, nioPosix, nioSSL, nioTLS, logging]
        ),
        room(
            "RequestAuthorities",
            needs: [
                "MeshModel", "MixerAPI", "ProxyRuntime", "TrafficEngine", "XDSAPI", asyncHTTPClient, grpcCore,
                grpcProtobuf, grpcTransport, jwtKit, logging, nioCore, nioHTTP1, protobuf,
            ]
        ),
        .target(name: "CDNSProxy"),
        room("DNSProxy", needs: ["CDNSProxy", "MeshModel", "DNSWire", nioCore, nioPosix, logging]),
        room("Interception", needs: ["MeshModel"]),
        room("MachineBundle", needs: ["MeshModel"]),
        room("HealthProbing", needs: [nioCore, nioPosix]),
        room(
            "AdminServer",
            needs: ["MeshModel", "TrafficEngine", "ProxyRuntime", nioCore, nioPosix, nioHTTP1, logging]
        ),

        // The platform on one machine.
        room(
            "LocalAPIServer",
            needs: [
                "KubernetesAPI", asyncHTTPClient, crypto, grdb, hummingbird, hummingbirdCore, hummingbirdTLS,
                httpTypes, jwtKit, logging, nioCore, nioPosix, nioHTTP1, nioHTTPTypes, nioHTTPTypesHTTP1, nioSSL,
                nioFoundationCompat, nioWebSocket, swiftASN1, x509, yams,
            ]
        ),
        .target(name: "CLocalPlatform"),
        room(
            "LocalPlatform",
            needs: [
                "CLocalPlatform", "DNSProxy", "DNSWire", "KubernetesAPI", "LocalAPIServer", "MeshModel", logging,
                nioCore, nioPosix, serviceLifecycle, yams,
            ]
        ),

        // Executables: flags, wiring, signals.
        .executableTarget(
            name: "lateen",
            dependencies: [
                "CertificateAuthority", "KubernetesAPI", "LocalAPIServer", "LocalPlatform", "MachineBundle",
                "MeshModel", "PolicyEngine", "SidecarInjection", "WorkloadIdentity", argumentParser, asyncHTTPClient,
                logging, nioCore, serviceLifecycle, unixSignals, yams,
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "lateen-control",
            dependencies: [
                "Activator", "CertificateAuthority", "IdentityServer", "KubernetesAPI", "MeshConfig", "MeshModel",
                "MeshPush", "MeshTranslate", "PolicyEngine", "RequestExplanation", "RequestReports", "Serverless",
                "SidecarInjection", "TrafficEngine", "WorkloadRegistration", "XDSAPI", argumentParser,
                asyncHTTPClient, crypto, grpcCore, grpcProtobuf, grpcTransport, hummingbird, hummingbirdTLS, logging,
                nioCore, nioHTTP1, nioPosix, nioSSL, protobuf, serviceLifecycle, swiftASN1, unixSignals, x509,
            ],
            swiftSettings: strict
        ),
        .executableTarget(
            name: "lateen-proxy",
            dependencies: [
                "AdminServer", "DNSProxy", "DNSWire", "HealthProbing", "Interception", "MachineBundle", "MeshModel",
                "MeshSubscribe", "ProxyRuntime", "RequestAuthorities", "RequestReports", "TrafficEngine",
                "WorkloadIdentity", "XDSAPI", argumentParser, grpcCore,
                grpcProtobuf, grpcTransport, logging, nioCore, nioPosix, protobuf, serviceLifecycle,
            ],
            swiftSettings: strict
        ),

        // Tests mirror the rooms.
        room("MeshTestSupport", needs: ["MeshModel"]),
        tests("MeshModel"),
        tests("XDSAPI", needs: [grpcCore, protobuf]),
        tests("IstioAPI", needs: [protobuf]),
        tests("DNSWire", needs: [nioCore]),
        tests("KubernetesAPI", needs: [logging, nioCore, nioHTTP1, nioPosix]),
        tests("MeshConfig", needs: ["MeshModel", "IstioAPI", "KubernetesAPI", "LocalAPIServer", logging]),
        tests(
            "MeshTranslate",
            needs: ["KubernetesAPI", "MeshConfig", "MeshModel", "XDSAPI", protobuf],
            exclude: ["Golden"]
        ),
        tests("MeshPush", needs: ["MeshModel", "MeshTranslate", "XDSAPI", grpcCore, logging, protobuf]),
        tests("WorkloadRegistration", needs: ["KubernetesAPI", "MeshModel", "MeshPush", logging]),
        tests("CertificateAuthority", needs: ["MeshModel", crypto, cryptoExtras, swiftASN1, x509]),
        tests(
            "IdentityServer",
            needs: [
                "CertificateAuthority", "KubernetesAPI", "LocalAPIServer", "MeshModel", "MeshPush", "MeshSubscribe",
                "WorkloadIdentity", crypto, grpcCore, logging, swiftASN1, x509,
            ]
        ),
        tests("RequestExplanation", needs: ["MeshModel"]),
        tests("SidecarInjection", needs: ["KubernetesAPI", "MeshModel"]),
        tests("RequestReports", needs: ["MeshModel", logging]),
        tests(
            "Serverless",
            needs: [
                "KubernetesAPI", "MeshModel", "RequestReports", "ServerlessAPI", grpcCore, grpcTransport, logging,
                protobuf,
            ]
        ),
        tests(
            "Activator",
            needs: [
                "KubernetesAPI", "MeshModel", "ProxyRuntime", "Serverless", "TrafficEngine", logging, nioCore, nioPosix,
            ]
        ),
        tests("TrafficEngine", needs: ["MeshModel"]),
        tests(
            "PolicyEngine",
            needs: [
                "KubernetesAPI", "MeshModel", "MixerAPI", "ServerlessAPI", grpcCore, grpcProtobuf, grpcTransport,
                logging, nioCore, nioPosix, protobuf,
            ]
        ),
        tests(
            "MeshSubscribe",
            needs: [
                "CertificateAuthority", "MeshModel", "MeshTranslate", "TrafficEngine", "XDSAPI", crypto, grpcCore,
                grpcTransport, logging, protobuf, swiftASN1, x509,
            ]
        ),
        tests("AdminServer", needs: ["MeshModel", "ProxyRuntime", "TrafficEngine"]),
        tests("WorkloadIdentity", needs: ["CertificateAuthority", "MeshModel", crypto, logging, swiftASN1, x509]),
        tests(
            "RequestAuthorities",
            needs: [
                "CertificateAuthority", "MeshModel", "MixerAPI", "ProxyRuntime", "TrafficEngine", "XDSAPI", crypto,
                cryptoExtras, grpcCore, grpcTransport, jwtKit, logging, nioCore, nioHTTP1, nioPosix, protobuf, x509,
            ]
        ),
        tests(
            "ProxyRuntime",
            needs: [
                "CertificateAuthority", "MeshModel", "TrafficEngine", crypto, nioCore, nioEmbedded, nioPosix, nioSSL,
                nioTLS, logging, swiftASN1, x509,
            ]
        ),
        tests("DNSProxy", needs: ["DNSWire", "MeshModel", nioCore, nioEmbedded, nioPosix, logging]),
        tests("Interception"),
        tests("MachineBundle", needs: ["MeshModel"]),
        tests("HealthProbing", needs: [nioCore, nioPosix]),
        tests("LocalAPIServer", needs: ["KubernetesAPI", logging, nioCore]),
        tests("LocalPlatform", needs: ["DNSProxy", "KubernetesAPI", "MeshModel"]),
        .testTarget(name: "LayeringTests", swiftSettings: strict),
    ]
)
