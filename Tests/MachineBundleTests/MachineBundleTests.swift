import Foundation
import MachineBundle
import MeshModel
import MeshTestSupport
import Testing

@Suite struct MachineBundleTests {
    private static func files() -> BundleFiles {
        BundleFiles(
            group: "db",
            namespace: "vm",
            serviceAccount: "mysql",
            host: "10.0.0.1",
            port: 15012,
            rootNamespace: "istio-system",
            trustDomain: "example.org",
            tokenSeconds: 600
        )
    }

    private func text(_ name: String, _ files: BundleFiles) throws -> String {
        try #require(try files.files(root: "ROOT", token: "TOKEN").first { $0.name == name }).text
    }

    private struct NoAddress: Error {}

    @Test("What is written is read back, quotes and all")
    func roundTrip() throws {
        var files = Self.files()
        files.labels = ["app": "it's \"db\""]
        files.network = "other"
        let bundle = try MachineBundle(folder: "/b", text: self.text("cluster.env", files))
        let environment = try bundle.environment(name: nil, address: nil) { .v4(0x0A01_0007) }
        #expect(bundle.controlPlane == "10.0.0.1:15012")
        #expect(bundle.controlPlaneName == "istiod.istio-system.svc")
        #expect(bundle.trustDomain == "example.org")
        #expect(bundle.domain == "vm.svc.cluster.local")
        #expect(bundle.tokenPath == "/b/istio-token")
        #expect(environment["SERVICE_ACCOUNT"] == "mysql")
        #expect(environment["POD_NAMESPACE"] == "vm")
        #expect(environment["ISTIO_META_AUTO_REGISTER_GROUP"] == "db")
        #expect(environment["ISTIO_META_NETWORK"] == "other")
        let labels = try JSONDecoder().decode(
            [String: String].self,
            from: Data((environment["ISTIO_METAJSON_LABELS"] ?? "").utf8)
        )
        #expect(labels == files.labels)
    }

    @Test("Name and address come from the command line, else from the bundle, else from the machine")
    func precedence() throws {
        var files = Self.files()
        var bundle = try MachineBundle(folder: "/b", text: self.text("cluster.env", files))
        var environment = try bundle.environment(name: nil, address: nil) { .v4(0x0A01_0007) }
        #expect(environment["INSTANCE_IP"] == "10.1.0.7")
        #expect(environment["POD_NAME"] == "db-10.1.0.7")
        files.name = "one"
        files.address = "10.1.0.8"
        bundle = try MachineBundle(folder: "/b", text: self.text("cluster.env", files))
        environment = try bundle.environment(name: nil, address: nil) { throw NoAddress() }
        #expect(environment["INSTANCE_IP"] == "10.1.0.8")
        #expect(environment["POD_NAME"] == "one")
        environment = try bundle.environment(name: "two", address: "10.1.0.9") { throw NoAddress() }
        #expect(environment["INSTANCE_IP"] == "10.1.0.9")
        #expect(environment["POD_NAME"] == "two")
    }

    @Test("The token is for its owner alone, the rest may be read; a probe is there only if the group has one")
    func modes() throws {
        var files = Self.files()
        #expect(try files.files(root: "R", token: "T").filter { $0.mode != 0o644 }.map(\.name) == ["istio-token"])
        #expect(try self.text("root-cert.pem", files) == "ROOT\n")
        #expect(!(try files.files(root: "R", token: "T").contains { $0.name == "probe.json" }))
        files.probe = "{}"
        #expect(try self.text("probe.json", files) == "{}")
    }

    @Test("A host name needs no line for /etc/hosts; an IPv6 address is written in brackets")
    func hosts() throws {
        var files = Self.files()
        #expect(try self.text("hosts", files) == "10.0.0.1 istiod.istio-system.svc\n")
        files.host = "fd00::1"
        #expect(try self.text("hosts", files) == "fd00::1 istiod.istio-system.svc\n")
        #expect(try self.text("cluster.env", files).contains("LATEEN_CONTROL_PLANE='[fd00::1]:15012'\n"))
        files.host = "mesh.example"
        #expect(try self.text("hosts", files).isEmpty)
    }

    @Test("A value of several lines cannot be written, and a line that assigns nothing cannot be read")
    func malformed() throws {
        var files = Self.files()
        files.network = "a\nb"
        #expect(throws: MachineBundle.Malformed.self) { try files.files(root: "R", token: "T") }
        for text in ["nonsense", "=x", "A='1'\n B"] {
            #expect(throws: MachineBundle.Malformed.self) { try MachineBundle(folder: "/b", text: text) }
        }
        #expect(try MachineBundle(folder: "/b", text: "# note\n\nA=1\nB=''\n").variables == ["A": "1", "B": ""])
    }

    @Test("A bundle's folder is for its owner alone, also one that was there before", arguments: [true, false])
    func folderMode(_ exists: Bool) async throws {
        try await withTemporaryDirectory { parent in
            let folder = parent + "/bundle"
            let manager = FileManager.default
            if exists {
                try manager.createDirectory(
                    atPath: folder,
                    withIntermediateDirectories: false,
                    attributes: [.posixPermissions: 0o755]
                )
                try Data("old".utf8).write(to: URL(fileURLWithPath: folder + "/istio-token"))
            }

            try BundleFiles.write(try Self.files().files(root: "R", token: "T"), to: folder)

            func mode(_ path: String) throws -> Int? {
                try manager.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            }
            #expect(try mode(folder) == 0o700 && mode(folder + "/istio-token") == 0o600)
            let token = try String(contentsOfFile: folder + "/istio-token", encoding: .utf8)
            #expect(token == "T")
            _ = try MachineBundle(folder: folder)
        }
    }

    @Test("A folder that is used for something else is left as it is")
    func otherFolder() async throws {
        try await withTemporaryDirectory { folder in
            let manager = FileManager.default
            try manager.setAttributes([.posixPermissions: 0o755], ofItemAtPath: folder)
            try Data("mine".utf8).write(to: URL(fileURLWithPath: folder + "/notes"))

            let error = #expect(throws: BundleFiles.Unwritable.self) {
                try BundleFiles.write(try Self.files().files(root: "R", token: "T"), to: folder)
            }

            #expect(error?.description.contains("notes") == true)
            #expect(try manager.attributesOfItem(atPath: folder)[.posixPermissions] as? Int == 0o755)
            #expect(try manager.contentsOfDirectory(atPath: folder) == ["notes"])
        }
    }

    @Test("The file that is missing is named; the token only to those who need it")
    func missing() async throws {
        try await withTemporaryDirectory { folder in
            for name in ["cluster.env", "root-cert.pem"] {
                let error = #expect(throws: MachineBundle.Malformed.self) { try MachineBundle(folder: folder) }
                #expect(error?.description.contains("\(folder)/\(name) is missing") == true)
                try Data("A=1\n".utf8).write(to: URL(fileURLWithPath: "\(folder)/\(name)"))
            }
            let bundle = try MachineBundle(folder: folder + "/")
            #expect(bundle.folder == folder)
            #expect(!bundle.hasToken)
            let error = #expect(throws: MachineBundle.Malformed.self) { try bundle.checkToken() }
            #expect(error?.description.contains("\(folder)/istio-token is missing") == true)
            try Data("T".utf8).write(to: URL(fileURLWithPath: "\(folder)/istio-token"))
            try bundle.checkToken()
            #expect(bundle.hasToken)
            let none = try bundle.probe()
            #expect(none == nil)
            try Data("{}".utf8).write(to: URL(fileURLWithPath: "\(folder)/probe.json"))
            let probe = try bundle.probe()
            #expect(probe == Array("{}".utf8))
        }
    }
}
