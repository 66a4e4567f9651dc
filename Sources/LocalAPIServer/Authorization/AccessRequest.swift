import NIOHTTP1

/// What somebody wants to do, in the words of roles (Kubernetes: `ResourceAttributes` of a SubjectAccessReview).
package struct AccessRequest: Hashable, Sendable {
    package var verb: String
    package var resource: GroupResource
    package var subresource: String?
    /// `nil`: in all namespaces, or an object that is in none.
    package var namespace: String?
    /// `nil`: any.
    package var name: String?

    package init(
        _ verb: String,
        _ resource: GroupResource,
        subresource: String? = nil,
        namespace: String? = nil,
        name: String? = nil
    ) {
        self.verb = verb
        self.resource = resource
        self.subresource = subresource
        self.namespace = namespace
        self.name = name
    }

    init(_ target: APIDispatcher.Target, _ method: HTTPMethod, isWatch: Bool) {
        // A process is started, by whatever method the connection begins.
        let starts = target.subresource == "exec" || target.subresource == "attach"
        let verb =
            switch method {
            case _ where starts: "create"
            case .GET, .HEAD: isWatch ? "watch" : target.name == nil ? "list" : "get"
            case .POST: "create"
            case .PUT: "update"
            case .PATCH: "patch"
            case .DELETE: target.name == nil ? "deletecollection" : "delete"
            default: method.rawValue.lowercased()
            }
        // A namespace counts as one of the objects in it.
        let isNamespace = target.info.storageResource == ResourceService.namespaces
        self.init(
            verb,
            target.info.resource,
            subresource: target.subresource,
            namespace: isNamespace ? target.name : target.namespace,
            name: target.name
        )
    }

    /// Why it is refused, as Kubernetes says it.
    func refusal(of user: String) -> String {
        let what = self.resource.resource + (self.subresource.map { "/\($0)" } ?? "")
        let place = self.namespace.map { "in the namespace \"\($0)\"" } ?? "at the cluster scope"
        return "User \"\(user)\" cannot \(self.verb) resource \"\(what)\" "
            + "in API group \"\(self.resource.group)\" \(place)"
    }
}
