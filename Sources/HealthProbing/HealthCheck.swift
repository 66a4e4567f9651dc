internal import Foundation

/// How to tell whether the workload of a machine is well, as a WorkloadGroup's `probe` says it.
package struct HealthCheck: Hashable, Sendable {
    package enum Method: Hashable, Sendable {
        /// Any answer from 200 to 399 is good.
        case http(host: String?, port: Int, path: String, headers: [Header])
        case tcp(host: String?, port: Int)
        /// Status 0 is good.
        case program([String])
    }

    package struct Header: Hashable, Sendable {
        package var name: String
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

    /// Text that is no check.
    package struct Malformed: Error, Hashable, CustomStringConvertible {
        package var description: String
    }

    package var method: Method
    package var initialDelay: Duration = .zero
    package var timeout: Duration = .seconds(1)
    package var period: Duration = .seconds(10)
    /// Good answers in a row until it counts as well.
    package var successThreshold = 1
    /// Bad answers in a row until it no longer does.
    package var failureThreshold = 3

    package init(_ method: Method) { self.method = method }

    /// Reads the JSON of a `ReadinessProbe`.
    ///
    /// - Throws: `Malformed`, with the field that is wrong.
    package init(json: [UInt8]) throws {
        let wire: Wire
        do {
            wire = try JSONDecoder().decode(Wire.self, from: Data(json))
        } catch {
            throw Malformed(description: "it is no probe in JSON: \(error)")
        }
        self.method = try Self.method(wire)
        self.initialDelay = .seconds(max(0, wire.initialDelaySeconds ?? 0))
        // Nothing said, or 0, is the default, as in a pod.
        self.timeout = .seconds(Self.positive(wire.timeoutSeconds) ?? 1)
        self.period = .seconds(Self.positive(wire.periodSeconds) ?? 10)
        self.successThreshold = Self.positive(wire.successThreshold) ?? 1
        self.failureThreshold = Self.positive(wire.failureThreshold) ?? 3
    }

    private struct Wire: Decodable {
        struct HTTP: Decodable {
            struct Field: Decodable {
                var name: String
                var value: String?
            }

            var path: String?
            var port: Int?
            var host: String?
            var scheme: String?
            var httpHeaders: [Field]?
        }

        struct TCP: Decodable {
            var host: String?
            var port: Int?
        }

        struct Program: Decodable {
            var command: [String]?
        }

        var initialDelaySeconds: Int?
        var timeoutSeconds: Int?
        var periodSeconds: Int?
        var successThreshold: Int?
        var failureThreshold: Int?
        var httpGet: HTTP?
        var tcpSocket: TCP?
        var exec: Program?
    }

    private static func method(_ wire: Wire) throws -> Method {
        if let http = wire.httpGet {
            guard let port = http.port, (1...65535).contains(port) else {
                throw Malformed(description: "httpGet.port is no port")
            }
            if let scheme = http.scheme, !scheme.isEmpty, scheme.uppercased() != "HTTP" {
                throw Malformed(description: "httpGet.scheme \(scheme) is not supported: HTTP, or tcpSocket or exec")
            }
            let path = http.path ?? ""
            let headers = (http.httpHeaders ?? []).map { Header(name: $0.name, value: $0.value ?? "") }
            let texts = [path, http.host ?? ""] + headers.flatMap { [$0.name, $0.value] }
            guard !texts.contains(where: { $0.utf8.contains { $0 < 32 || $0 == 127 } }), !path.contains(" ") else {
                throw Malformed(description: "httpGet has characters that are not allowed in a request")
            }
            return .http(
                host: http.host.flatMap { $0.isEmpty ? nil : $0 },
                port: port,
                path: path.hasPrefix("/") ? path : "/\(path)",
                headers: headers
            )
        }
        if let tcp = wire.tcpSocket {
            guard let port = tcp.port, (1...65535).contains(port) else {
                throw Malformed(description: "tcpSocket.port is no port")
            }
            return .tcp(host: tcp.host.flatMap { $0.isEmpty ? nil : $0 }, port: port)
        }
        if let command = wire.exec?.command, command.first?.isEmpty == false { return .program(command) }
        throw Malformed(description: "it says no way to check: httpGet, tcpSocket or exec")
    }

    private static func positive(_ number: Int?) -> Int? { number.flatMap { $0 > 0 ? $0 : nil } }
}
