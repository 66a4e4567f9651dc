import KubernetesAPI
import NIOCore

/// What a request is answered with.
struct APIResponse: Sendable {
    enum Body: Sendable {
        case json(JSONValue)
        case bytes(ByteBuffer, contentType: String)
        /// Writes pieces until it returns; suspends while the client does not read.
        case stream(contentType: String, @Sendable (StreamWriter) async throws -> Void)
    }

    /// Sends one piece of a streamed body.
    typealias StreamWriter = @Sendable (ByteBuffer) async throws -> Void

    var code: Int
    var body: Body
    var warnings: [String] = []

    static func json(_ value: JSONValue, code: Int = 200, warnings: [String] = []) -> APIResponse {
        APIResponse(code: code, body: .json(value), warnings: warnings)
    }

    static func text(_ text: String, code: Int = 200) -> APIResponse {
        APIResponse(code: code, body: .bytes(ByteBuffer(string: text), contentType: "text/plain; charset=utf-8"))
    }
}
