import Foundation
import KubernetesAPI

/// The part of a collection that a list, watch or deletecollection is about.
struct ListQuery: Sendable {
    var namespace: String?
    var labels: LabelSelector?
    var fields: FieldQuery?
    var limit: Int?
    /// Where the previous page ended.
    var after: StoreIndex.Name?

    init(namespace: String?) { self.namespace = namespace }

    init(_ request: APIRequest, info: ResourceInfo, namespace: String?) throws {
        self.namespace = namespace
        if let text = request.parameter("labelSelector"), !text.isEmpty {
            guard let selector = LabelSelector(text) else {
                throw APIFailure.badRequest(
                    "unable to parse requirement: \"\(text)\" is not a label selector like app=reviews,version!=v1"
                )
            }
            self.labels = selector
        }
        if let text = request.parameter("fieldSelector"), !text.isEmpty {
            self.fields = try FieldQuery(text, for: info)
        }
        if let limit = try request.integer("limit"), limit > 0 { self.limit = limit }
        if let token = request.parameter("continue"), !token.isEmpty {
            guard let bytes = Base64.decode(token), let value = try? JSONValue.parse(bytes),
                let last = value["namespace"]?.string, let name = value["name"]?.string
            else { throw APIFailure.gone("the continue parameter is not one that this server gave out") }
            self.after = StoreIndex.Name(namespace: last, name: name)
        }
    }

    func matches(_ json: JSONValue) -> Bool {
        (self.labels?.matches(json.labels) ?? true) && (self.fields?.matches(json) ?? true)
    }
}

extension ResourceService {
    struct Page: Sendable {
        var objects: [JSONValue]
        /// `metadata` of the list.
        var metadata: JSONValue
        var version: Int64
    }

    func list(_ info: ResourceInfo, query: ListQuery) -> Page {
        let (found, version) = self.store.read { index in
            (index.objects(of: info.storageResource, namespace: query.namespace), index.version)
        }
        var matching = found.lazy.map { (object: $0, json: VersionConversion.present($0.json, as: info)) }
            .filter { query.matches($0.json) }
        if let after = query.after {
            matching = found.filter { ($0.key.namespace, $0.key.name) > (after.namespace, after.name) }.lazy
                .map { (object: $0, json: VersionConversion.present($0.json, as: info)) }
                .filter { query.matches($0.json) }
        }
        var page = Array(matching)
        var metadata: JSONValue = ["resourceVersion": .string(String(version))]
        if let limit = query.limit, page.count > limit {
            let rest = page.count - limit
            page = Array(page.prefix(limit))
            if let last = page.last?.object.key {
                let token: JSONValue = ["namespace": .string(last.namespace), "name": .string(last.name)]
                metadata.set("continue", .string(Base64.encode(token.serialize())))
                metadata.set("remainingItemCount", JSONValue(rest))
            }
        }
        return Page(objects: page.map(\.json), metadata: metadata, version: version)
    }

    func deleteCollection(_ info: ResourceInfo, query: ListQuery, options: DeleteOptions) async throws -> Page {
        let page = self.list(info, query: query)
        for object in page.objects {
            var options = options
            options.uid = object.metadataString("uid")
            do {
                _ = try await self.delete(
                    info,
                    namespace: info.isNamespaced ? object.metadataString("namespace") : nil,
                    name: object.metadataString("name"),
                    options: options
                )
            } catch let failure as APIFailure where failure.code == 404 || failure.code == 409 {
                // Gone or replaced meanwhile: what the client saw is deleted either way.
            }
        }
        return page
    }
}
