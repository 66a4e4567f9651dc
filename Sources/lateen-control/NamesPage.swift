import Foundation
import Hummingbird
import MeshModel
import NIOCore
import RequestExplanation
import SwiftProtobuf

/// `/debug/ndsz?proxyID=POD.NAMESPACE`: the name table of a proxy as proto3 JSON; with `&host=HOST[&host=…]` the objects
/// that made the records of these hosts instead.
struct NamesPage: Sendable {
    let snapshot: MeshSnapshot

    func response(to request: Request) throws -> Response {
        let parameters = request.uri.queryParameters
        let proxy = parameters["proxyID"].map(String.init) ?? ""
        guard let dot = proxy.lastIndex(of: ".") else {
            return Self.answer(.badRequest, "`proxyID` must be POD.NAMESPACE\n", type: "text/plain")
        }
        let pod = ObjectID(namespace: String(proxy[proxy.index(after: dot)...]), name: String(proxy[..<dot]))
        guard let names = NameProvenance(of: pod, in: self.snapshot) else {
            let text = "there is no running pod \(pod) with a proxy\n"
            return Self.answer(.notFound, text, type: "text/plain")
        }
        let hosts = parameters.getAll("host")
        if hosts.isEmpty {
            return Self.answer(.ok, try names.table.jsonString() + "\n", type: "application/json")
        }
        let found = Dictionary(hosts.map { ($0, names.objects(of: $0)) }, uniquingKeysWith: { first, _ in first })
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        let text = String(decoding: try encoder.encode(found), as: UTF8.self)
        return Self.answer(.ok, text + "\n", type: "application/json")
    }

    private static func answer(_ status: HTTPResponse.Status, _ text: String, type: String) -> Response {
        Response(
            status: status,
            headers: [.contentType: type],
            body: ResponseBody(byteBuffer: ByteBuffer(string: text))
        )
    }
}
