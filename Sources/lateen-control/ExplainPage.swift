import Foundation
import Hummingbird
import MeshModel
import NIOCore
import RequestExplanation

/// `/debug/explain?pod=NAMESPACE/NAME&url=URL[&method=GET][&header=NAME:VALUE…]`: the way of a request, as JSON.
struct ExplainPage: Sendable {
    let snapshot: MeshSnapshot

    func response(to request: Request) -> Response {
        let parameters = request.uri.queryParameters
        let pod = (parameters["pod"].map(String.init) ?? "").split(separator: "/").map(String.init)
        guard pod.count == 2 else { return Self.refusal("`pod` must be NAMESPACE/NAME") }
        var headers: [String: String] = [:]
        for header in parameters.getAll("header") {
            guard let colon = header.firstIndex(of: ":") else { return Self.refusal("`\(header)` is no NAME:VALUE") }
            headers[String(header[..<colon])] = header[header.index(after: colon)...].trimmingCharacters(
                in: .whitespaces
            )
        }
        do {
            let question = try Question(
                from: ObjectID(namespace: pod[0], name: pod[1]),
                url: parameters["url"].map(String.init) ?? "",
                method: parameters["method"].map(String.init) ?? "GET",
                headers: headers
            )
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
            let page = Page(Explainer.explain(question, in: self.snapshot), revision: self.snapshot.revision)
            let data = try encoder.encode(page)
            return Self.answer(.ok, String(decoding: data, as: UTF8.self) + "\n", type: "application/json")
        } catch {
            return Self.refusal("\(error)")
        }
    }

    private struct Page: Encodable {
        var revision: UInt64
        var explanation: Explanation
        /// The same for people.
        var text: String

        init(_ explanation: Explanation, revision: UInt64) {
            self.revision = revision
            self.explanation = explanation
            self.text = explanation.text
        }
    }

    private static func refusal(_ text: String) -> Response {
        self.answer(.badRequest, text + "\n", type: "text/plain")
    }

    private static func answer(_ status: HTTPResponse.Status, _ text: String, type: String) -> Response {
        Response(
            status: status,
            headers: [.contentType: type],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
    }
}
