internal import Foundation

/// A client configuration that cannot be used: which file or setting, and the cure.
package struct ClientConfigurationError: Error, Hashable, CustomStringConvertible {
    package var description: String
}

/// Where the API server is and how to prove who we are.
package struct ClientConfiguration: Sendable {
    package enum Token: Sendable, Hashable {
        case fixed(String)
        /// Read again every minute, since the kubelet replaces it.
        case file(String)
    }

    /// `https://127.0.0.1:16443`, without a slash at the end.
    package var server: String
    /// Certificates to trust, PEM; `nil`: those of the system.
    package var authorities: [UInt8]?
    /// The name to check the server's certificate for, if not the URL's.
    package var serverName: String?
    package var verifiesServer = true
    /// PEM.
    package var certificate: [UInt8]?
    /// PEM.
    package var privateKey: [UInt8]?
    package var token: Token?
    /// The namespace to use where none is said.
    package var namespace = "default"

    package init(server: String) {
        var server = server
        while server.hasSuffix("/") { server.removeLast() }
        self.server = server
    }

    /// The folder that a pod finds its identity in.
    package static let serviceAccountFolder = "/var/run/secrets/kubernetes.io/serviceaccount"

    /// What a pod is given: the server's address in the environment, the identity in files.
    package static func inCluster(
        environment: [String: String],
        folder: String = Self.serviceAccountFolder
    ) throws(ClientConfigurationError) -> ClientConfiguration {
        guard let host = environment["KUBERNETES_SERVICE_HOST"], !host.isEmpty,
            let port = environment["KUBERNETES_SERVICE_PORT"], !port.isEmpty
        else {
            throw ClientConfigurationError(
                description: "KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: "
                    + "run inside a pod, or name a kubeconfig file"
            )
        }
        var configuration = ClientConfiguration(server: "https://\(host.contains(":") ? "[\(host)]" : host):\(port)")
        let cure = "does the pod's service account mount its token (automountServiceAccountToken)?"
        configuration.authorities = try Self.read("\(folder)/ca.crt", cure: cure)
        _ = try Self.read("\(folder)/token", cure: cure)
        configuration.token = .file("\(folder)/token")
        if let bytes = FileManager.default.contents(atPath: "\(folder)/namespace") {
            configuration.namespace = String(decoding: bytes, as: UTF8.self).trimmingCharacters(
                in: .whitespacesAndNewlines
            )
        }
        return configuration
    }

    /// Like ``inCluster(environment:folder:)`` with the environment of this process.
    package static func inCluster() throws(ClientConfigurationError) -> ClientConfiguration {
        try self.inCluster(environment: ProcessInfo.processInfo.environment)
    }

    /// A kubeconfig file as `kubectl` reads it; `context` is its current one unless named.
    package static func kubeconfig(
        path: String,
        context: String? = nil
    ) throws(ClientConfigurationError) -> ClientConfiguration {
        let bytes = try Self.read(path, cure: "is the mesh up? `lateen up` writes it")
        let document: JSONValue
        do {
            document = try YAML.parse(String(decoding: bytes, as: UTF8.self), file: path)
        } catch {
            throw ClientConfigurationError(description: "\(error)")
        }
        return try KubeconfigReader(path: path, document: document).configuration(context: context)
    }

    /// The text of a kubeconfig that somebody sent: it may not name files of this machine, nor a server without TLS.
    ///
    /// - Parameters:
    ///   - text: YAML or JSON.
    ///   - name: where it is from, for complaints.
    /// - Returns: what its current context says.
    /// - Throws: ``ClientConfigurationError``, in the words of whoever sent it.
    package static func kubeconfig(
        text: String,
        name: String
    ) throws(ClientConfigurationError) -> ClientConfiguration {
        let document: JSONValue
        do {
            document = try YAML.parse(text, file: name)
        } catch {
            throw ClientConfigurationError(description: "\(error)")
        }
        return try KubeconfigReader(path: name, document: document, mayReadFiles: false).configuration(context: nil)
    }

    fileprivate static func read(_ path: String, cure: String) throws(ClientConfigurationError) -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ClientConfigurationError(description: "cannot read \(path): \(cure)")
        }
        return [UInt8](data)
    }
}

/// Finds context, cluster and user in a kubeconfig document.
private struct KubeconfigReader {
    let path: String
    let document: JSONValue
    var mayReadFiles = true

    func configuration(context name: String?) throws(ClientConfigurationError) -> ClientConfiguration {
        guard let contextName = name ?? self.document["current-context"]?.string, !contextName.isEmpty else {
            throw self.error("current-context is not set: name a context")
        }
        let context = try self.entry("contexts", contextName, "context")
        let cluster = try self.entry("clusters", context["cluster"]?.string ?? "", "cluster")
        guard let server = cluster["server"]?.string else {
            throw self.error("cluster `\(context["cluster"]?.string ?? "")` has no server")
        }
        guard server.hasPrefix("https://") || server.hasPrefix("http://") else {
            throw self.error("server `\(server)` must start with https://")
        }
        // Its token and all that is read would go over networks that nobody here knows.
        if !self.mayReadFiles, !server.hasPrefix("https://") {
            throw self.error("server `\(server)` must start with https://: its token would be readable on the way")
        }
        var configuration = ClientConfiguration(server: server)
        configuration.namespace = context["namespace"]?.string ?? "default"
        configuration.authorities = try self.bytes(cluster, "certificate-authority")
        configuration.verifiesServer = !(cluster["insecure-skip-tls-verify"]?.bool ?? false)
        configuration.serverName = cluster["tls-server-name"]?.string
        if let userName = context["user"]?.string, !userName.isEmpty {
            let user = try self.entry("users", userName, "user")
            configuration.certificate = try self.bytes(user, "client-certificate")
            configuration.privateKey = try self.bytes(user, "client-key")
            if let token = user["token"]?.string, !token.isEmpty {
                configuration.token = .fixed(token)
            } else if let file = user["tokenFile"]?.string {
                try self.checkFile("tokenFile")
                configuration.token = .file(self.resolve(file))
            }
            if user["exec"] != nil || user["auth-provider"] != nil, configuration.token == nil,
                configuration.certificate == nil
            {
                throw self.error("user `\(userName)` logs in by a plug-in, which is not supported: use a token")
            }
        }
        return configuration
    }

    private func entry(
        _ list: String,
        _ name: String,
        _ member: String
    ) throws(ClientConfigurationError) -> JSONValue {
        let entries = self.document[list]?.array ?? []
        guard let entry = entries.first(where: { $0["name"]?.string == name }) else {
            throw self.error("\(list) has no entry `\(name)`")
        }
        return entry[member] ?? .null
    }

    /// The content of `member-data`, else of the file that `member` names.
    private func bytes(_ entry: JSONValue, _ member: String) throws(ClientConfigurationError) -> [UInt8]? {
        if let text = entry["\(member)-data"]?.string, !text.isEmpty {
            guard let data = Data(base64Encoded: text, options: .ignoreUnknownCharacters) else {
                throw self.error("\(member)-data is no base64")
            }
            return [UInt8](data)
        }
        guard let file = entry[member]?.string, !file.isEmpty else { return nil }
        try self.checkFile(member)
        return try ClientConfiguration.read(self.resolve(file), cure: "\(self.path) names it as \(member)")
    }

    private func checkFile(_ member: String) throws(ClientConfigurationError) {
        if self.mayReadFiles { return }
        throw self.error(
            "\(member) names a file; put its content in as \(member == "tokenFile" ? "token" : "\(member)-data")"
        )
    }

    /// Paths are relative to the file that names them.
    private func resolve(_ file: String) -> String {
        if file.hasPrefix("/") { return file }
        return URL(fileURLWithPath: self.path).deletingLastPathComponent().appendingPathComponent(file).path
    }

    private func error(_ message: String) -> ClientConfigurationError {
        ClientConfigurationError(description: "\(self.path): \(message)")
    }
}
