import Foundation
import KubernetesAPI
import Testing

@Suite struct ClientConfigurationTests {
    private func folder(_ files: [String: String]) throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        for (name, content) in files { try Data(content.utf8).write(to: folder.appendingPathComponent(name)) }
        return folder
    }

    @Test("A kubeconfig gives server, identity and namespace of its current context, files relative to itself")
    func kubeconfig() throws {
        let text = """
            apiVersion: v1
            kind: Config
            current-context: two
            contexts:
            - {name: one, context: {cluster: c, user: u}}
            - {name: two, context: {cluster: c, user: u, namespace: shop}}
            clusters:
            - {name: c, cluster: {server: "https://127.0.0.1:16443/", certificate-authority: ca.crt}}
            users:
            - {name: u, user: {client-certificate-data: aGVsbG8=, client-key-data: a2V5, tokenFile: token}}
            """
        let folder = try self.folder(["config": text, "ca.crt": "CA"])
        defer { try? FileManager.default.removeItem(at: folder) }  // A leftover in the temporary folder is harmless.

        let configuration = try ClientConfiguration.kubeconfig(path: folder.appendingPathComponent("config").path)

        #expect(configuration.server == "https://127.0.0.1:16443")
        #expect(configuration.namespace == "shop")
        #expect(configuration.authorities == Array("CA".utf8))
        #expect(configuration.certificate == Array("hello".utf8))
        #expect(configuration.token == .file(folder.appendingPathComponent("token").path))
    }

    @Test(
        "What is wrong with a kubeconfig is said",
        arguments: [
            ("{}", "current-context"), ("{current-context: a}", "no entry `a`"), ("a: [", "config:"),
            ("{current-context: a, contexts: [{name: a, context: {cluster: c}}]}", "no entry `c`"),
        ]
    )
    func mistakes(_ text: String, _ expected: String) throws {
        let folder = try self.folder(["config": text])
        defer { try? FileManager.default.removeItem(at: folder) }  // A leftover in the temporary folder is harmless.
        let error = #expect(throws: ClientConfigurationError.self) {
            try ClientConfiguration.kubeconfig(path: folder.appendingPathComponent("config").path)
        }
        #expect(error?.description.contains(expected) == true, "\(String(describing: error))")
    }

    @Test("A kubeconfig that somebody sent must lead to a server with TLS", arguments: ["http", "https"])
    func sent(_ scheme: String) throws {
        let text = """
            current-context: a
            contexts: [{name: a, context: {cluster: c, user: u}}]
            clusters: [{name: c, cluster: {server: "\(scheme)://10.0.0.1"}}]
            users: [{name: u, user: {token: t}}]
            """
        if scheme == "https" {
            #expect(try ClientConfiguration.kubeconfig(text: text, name: "Secret").token == .fixed("t"))
            return
        }
        let error = #expect(throws: ClientConfigurationError.self) {
            try ClientConfiguration.kubeconfig(text: text, name: "Secret")
        }
        #expect(error?.description.contains("https://") == true)
    }

    @Test("In a pod, address and identity come from where the kubelet puts them")
    func inCluster() throws {
        let folder = try self.folder(["ca.crt": "CA", "token": "t", "namespace": "istio-system\n"])
        defer { try? FileManager.default.removeItem(at: folder) }  // A leftover in the temporary folder is harmless.
        let environment = ["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"]

        let configuration = try ClientConfiguration.inCluster(environment: environment, folder: folder.path)

        #expect(configuration.server == "https://[fd00::1]:443")
        #expect(configuration.namespace == "istio-system")
    }

    @Test("In a pod without a token the missing file is named")
    func missingToken() throws {
        let folder = try self.folder(["ca.crt": "CA"])
        defer { try? FileManager.default.removeItem(at: folder) }  // A leftover in the temporary folder is harmless.
        let environment = ["KUBERNETES_SERVICE_HOST": "10.214.0.1", "KUBERNETES_SERVICE_PORT": "443"]
        let error = #expect(throws: ClientConfigurationError.self) {
            try ClientConfiguration.inCluster(environment: environment, folder: folder.path)
        }
        #expect(error?.description.contains("\(folder.path)/token") == true)
    }
}
