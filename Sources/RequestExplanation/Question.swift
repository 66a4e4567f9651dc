package import MeshModel

import struct Foundation.URLComponents

/// A request that nobody has sent: who would send it, and where to.
package struct Question: Hashable, Sendable {
    /// The pod that sends it.
    package var workload: ObjectID
    package var method: String
    package var isTLS: Bool
    package var host: String
    package var port: Port
    /// Path and query.
    package var target: String
    /// Lower-case names.
    package var headers: [String: String]

    /// What is wrong with a question, for the person who asked it.
    package struct Malformed: Error, CustomStringConvertible {
        package var description: String
    }

    /// - Parameters:
    ///   - workload: the pod that sends it.
    ///   - url: `http://host[:port][/path]`, `https://…`, or `tcp://host:port`.
    ///   - method: of the request.
    ///   - headers: any more headers that rules look at.
    /// - Throws: `Malformed`
    package init(
        from workload: ObjectID,
        url: String,
        method: String = "GET",
        headers: [String: String] = [:]
    ) throws(Malformed) {
        guard let parts = URLComponents(string: url), let scheme = parts.scheme?.lowercased(), let host = parts.host,
            !host.isEmpty, ["http", "https", "tcp"].contains(scheme)
        else { throw Malformed(description: "`\(url)` is no URL of the form http://host[:port]/path") }
        guard let port = Port(parts.port ?? (scheme == "https" ? 443 : scheme == "http" ? 80 : 0)) else {
            throw Malformed(description: "`\(url)` has no port: tcp://host:port")
        }
        self.workload = workload
        self.method = method.uppercased()
        self.isTLS = scheme == "https"
        self.isHTTP = scheme == "http"
        self.host = host.lowercased()
        self.port = port
        let path = parts.percentEncodedPath
        self.target = (path.isEmpty ? "/" : path) + (parts.percentEncodedQuery.map { "?" + $0 } ?? "")
        self.headers = Dictionary(headers.map { ($0.key.lowercased(), $0.value) }, uniquingKeysWith: { $1 })
        self.url = url
    }

    /// The proxies see a request and not just bytes.
    package var isHTTP: Bool
    package var url: String

    package var description: String { "\(self.isHTTP ? self.method + " " : "")\(self.url) from \(self.workload)" }
}
