import GRPCCore
import MixerAPI
import SwiftProtobuf
import Synchronization

/// A policy engine of the tests; the request's path says what it shall do.
final class TestMixer: Istio_Mixer_V1_Mixer.SimpleServiceProtocol {
    private let checks = Mutex<[Istio_Mixer_V1_CheckRequest]>([])
    private let reports = Mutex<[Istio_Mixer_V1_ReportRequest]>([])

    static func operation(
        _ name: String,
        _ value: String,
        _ operation: Istio_Mixer_V1_HeaderOperation.Operation = .replace
    ) -> Istio_Mixer_V1_HeaderOperation {
        .with {
            $0.name = name
            $0.value = value
            $0.operation = operation
        }
    }

    /// Operations on a request's line that make no request; `/line/N` gets the one with that number.
    static let unusable: [Istio_Mixer_V1_HeaderOperation] = [
        TestMixer.operation(":path", ""), TestMixer.operation(":path", "status"), TestMixer.operation(":path", "/a b"),
        TestMixer.operation(":path", "/a#b"), TestMixer.operation(":path", "http://x.test/"),
        TestMixer.operation(":path", "/a HTTP/1.1\r\nx-admin: 1\r\nx: "), TestMixer.operation(":path", "/\u{7f}"),
        TestMixer.operation(":path", "/" + String(repeating: "a", count: 64 * 1024)),
        TestMixer.operation(":authority", ""), TestMixer.operation(":authority", "a b"),
        TestMixer.operation(":authority", " a"), TestMixer.operation(":authority", "user@a"),
        TestMixer.operation(":authority", "a/b"), TestMixer.operation(":authority", "a:70000"),
        TestMixer.operation(":authority", "a\r\nx-admin: 1"), TestMixer.operation(":method", ""),
        TestMixer.operation(":method", "GET /x"), TestMixer.operation(":method", "G\u{e9}T"),
        TestMixer.operation(":method", "HEAD"), TestMixer.operation(":method", "CONNECT"),
        TestMixer.operation(":scheme", "https"), TestMixer.operation(":", "a"),
        TestMixer.operation(":path", "/a", .append), TestMixer.operation(":path", "", .remove),
        TestMixer.operation("host", "a"),
    ]

    var checked: [Istio_Mixer_V1_CheckRequest] { self.checks.withLock { $0 } }
    var reported: [Istio_Mixer_V1_ReportRequest] { self.reports.withLock { $0 } }

    func check(
        request: Istio_Mixer_V1_CheckRequest,
        context: ServerContext
    ) async throws -> Istio_Mixer_V1_CheckResponse {
        self.checks.withLock { $0.append(request) }
        var response = Istio_Mixer_V1_CheckResponse()
        switch MixerWords.text("request.path", in: request.attributes) {
        case "/deny":
            response.precondition.status.code = 7
            response.precondition.status.message = "no"
            response.precondition.validDuration.seconds = 5
            response.precondition.validUseCount = 3
            response.precondition.referencedAttributes = .with {
                $0.words = ["x-user"]
                $0.attributeMatches = [
                    .with {
                        $0.name = MixerWords.number("request.headers")
                        $0.mapKey = -1
                        $0.condition = .absence
                    },
                    .with {
                        $0.name = MixerWords.number("request.path")
                        $0.condition = .exact
                    },
                ]
            }
        case "/headers":
            response.precondition.routeDirective.requestHeaderOperations = [
                .with {
                    $0.name = "X-User"
                    $0.value = "ann"
                }
            ]
        case "/line":
            response.precondition.routeDirective.requestHeaderOperations = [
                Self.operation(":path", "/status/418?a=b"), Self.operation(":Authority", "[::1]:8080"),
                Self.operation(":method", "POST"), Self.operation("x-a", "1"),
            ]
        case let path where path?.hasPrefix("/line/") == true:
            guard let index = path.flatMap({ Int($0.dropFirst(6)) }) else { break }
            response.precondition.routeDirective.requestHeaderOperations = [Self.unusable[index]]
        case "/line-of-answer":
            response.precondition.routeDirective.responseHeaderOperations = [Self.operation(":path", "/")]
        case "/smuggle":
            response.precondition.routeDirective.requestHeaderOperations = [
                .with {
                    $0.name = "x-user"
                    $0.value = "ann\r\nx-admin: 1"
                }
            ]
        case "/deny-oddly":
            response.precondition.status.code = 7
            response.precondition.validDuration.seconds = 5
            response.precondition.validUseCount = 3
            response.precondition.routeDirective = .with {
                $0.directResponseCode = 100
                $0.directResponseBody = "no"
                $0.responseHeaderOperations = [("connection", "close"), ("x-why", "rule")].map { name, value in
                    .with {
                        $0.name = name
                        $0.value = value
                    }
                }
            }
        case "/pass-oddly":
            response.precondition.validDuration.seconds = 60
            response.precondition.validUseCount = 10
            response.precondition.routeDirective.directResponseCode = 99
        case "/broken-words":
            response.precondition.referencedAttributes.attributeMatches = [.with { $0.name = 9999 }]
        case "/quota":
            response.precondition.status.code = 0
            response.quotas["requests"] = .with { $0.grantedAmount = 2 }
        case "/held":
            // Ends with the server.
            for await _ in AsyncStream<Never>.makeStream().stream {}
        case "/empty": ()
        case "/full", "/full-quota": throw RPCError(code: .unavailable, message: "full")
        default: throw RPCError(code: .internalError, message: "broken")
        }
        return response
    }

    func report(
        request: Istio_Mixer_V1_ReportRequest,
        context: ServerContext
    ) async throws -> Istio_Mixer_V1_ReportResponse {
        self.reports.withLock { $0.append(request) }
        let texts = request.attributes.map { MixerWords.text("request.path", in: $0, request.defaultWords) }
        if texts.contains("/held") {
            // Ends with the server.
            for await _ in AsyncStream<Never>.makeStream().stream {}
        }
        if texts.contains("/full") { throw RPCError(code: .unavailable, message: "full") }
        return Istio_Mixer_V1_ReportResponse()
    }
}

/// Reads attributes by the global list.
enum MixerWords {
    static func number(_ word: String) -> Int32 { GlobalWords.standard.indices[word] ?? -1 }

    static func text(
        _ name: String,
        in attributes: Istio_Mixer_V1_CompressedAttributes,
        _ defaultWords: [String] = []
    ) -> String? {
        guard let number = attributes.strings[self.number(name)] else { return nil }
        let own = attributes.words.isEmpty ? defaultWords : attributes.words
        return number >= 0 ? GlobalWords.standard.words[Int(number)] : own[-1 - Int(number)]
    }
}
