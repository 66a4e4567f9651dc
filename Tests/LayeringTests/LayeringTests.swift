import Testing

/// The rooms of the house keep to themselves.
@Suite struct LayeringTests {
    @Test("Each room imports only what it may")
    func imports() throws {
        var findings: [String] = []
        for room in HouseRules.rooms {
            for file in try SourceTree.swiftFiles(below: "Sources/\(room.name)") {
                for found in SourceTree.imports(file.text) {
                    guard let objection = HouseRules.objection(to: found.module, in: room) else { continue }
                    findings.append(
                        "\(file.path):\(found.line): \(room.name) must not import \(found.module): \(objection)"
                    )
                }
            }
        }

        #expect(findings.isEmpty, "\n\(findings.joined(separator: "\n"))")
    }

    @Test("Every folder of Sources is a room with a rule, and every rule has its room")
    func rooms() throws {
        let ruled = HouseRules.rooms.map(\.name).sorted()

        #expect(try SourceTree.rooms() == ruled)
    }

    @Test("Nothing is called by what it is not: no Utils, Common or Helpers")
    func names() {
        let words = ["util", "common", "helper"]
        let findings = (SourceTree.paths(below: "Sources") + SourceTree.paths(below: "Tests"))
            // Generated files are named after the protos of others.
            .filter { !$0.contains("/Generated/") }
            .filter { path in
                guard let name = path.split(separator: "/").last?.lowercased() else { return false }
                return words.contains { name.contains($0) }
            }

        #expect(findings.isEmpty, "name these after what they are: \(findings)")
    }

    @Test("Generated files say so and lie in a folder Generated, all others do not")
    func generated() throws {
        var findings: [String] = []
        for file in try SourceTree.swiftFiles(below: "Sources") {
            let head = file.text.split(separator: "\n").prefix(12)
            let isMarked = head.contains { $0.hasPrefix("//") && $0.contains("DO NOT EDIT") }
            let isInFolder = file.path.contains("/Generated/")
            let looksGenerated = file.path.hasSuffix(".pb.swift") || file.path.hasSuffix(".grpc.swift")
            if isInFolder != isMarked { findings.append("\(file.path): folder Generated and DO NOT EDIT go together") }
            if looksGenerated, !isInFolder { findings.append("\(file.path): belongs into a folder Generated") }
        }

        #expect(findings.isEmpty, "\n\(findings.joined(separator: "\n"))")
    }
}

/// The checks above find what they are for.
@Suite struct LayeringCheckTests {
    @Test("Imports are found in all their forms")
    func forms() {
        let text = """
            import MeshModel
            package import NIOCore
              @preconcurrency internal import struct Foundation.Data
            // import Commented
            let text = "import Quoted"
            #if canImport(Darwin)
            internal import Darwin
            """

        #expect(
            SourceTree.imports(text) == [
                SourceTree.Import(line: 1, module: "MeshModel"), SourceTree.Import(line: 2, module: "NIOCore"),
                SourceTree.Import(line: 3, module: "Foundation"), SourceTree.Import(line: 7, module: "Darwin"),
            ]
        )
    }

    @Test(
        "What would break the house is refused",
        arguments: [
            ("ProxyRuntime", "XDSAPI"), ("ProxyRuntime", "IstioAPI"), ("ProxyRuntime", "MeshConfig"),
            ("ProxyRuntime", "MeshTranslate"), ("ProxyRuntime", "MeshSubscribe"), ("ProxyRuntime", "Foundation"),
            ("ProxyRuntime", "Dispatch"), ("TrafficEngine", "NIOCore"), ("MeshModel", "NIOCore"),
            ("MeshTranslate", "NIOPosix"), ("MeshTranslate", "KubernetesAPI"), ("lateen-control", "LocalPlatform"),
            ("lateen-proxy", "LocalPlatform"), ("lateen-proxy", "KubernetesAPI"), ("lateen-control", "LocalAPIServer"),
            ("TrafficEngine", "NIOSSL"), ("DNSProxy", "CNIOBoringSSL"), ("DNSProxy", "XDSAPI"),
            ("LocalPlatform", "MeshPush"), ("MeshPush", "KubernetesAPI"), ("MeshSubscribe", "NIOPosix"),
        ]
    )
    func refused(_ room: String, _ module: String) throws {
        let room = try #require(HouseRules.room(room))

        #expect(HouseRules.objection(to: module, in: room) != nil)
    }

    @Test(
        "What belongs together is not",
        arguments: [
            ("ProxyRuntime", "NIOCore"), ("ProxyRuntime", "NIOSSL"), ("MeshPush", "GRPCCore"),
            ("XDSAPI", "GRPCProtobuf"),
            ("DNSProxy", "MeshModel"),
            ("lateen-control", "NIOSSL"), ("lateen", "LocalPlatform"), ("TrafficEngine", "Glibc"),
        ]
    )
    func allowed(_ room: String, _ module: String) throws {
        let room = try #require(HouseRules.room(room))

        #expect(HouseRules.objection(to: module, in: room) == nil)
    }
}
