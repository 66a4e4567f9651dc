import KubernetesAPI

/// Decides whether a webhook asked to see a write.
enum WebhookMatching {
    static func matches(_ webhook: JSONValue, _ review: AdmissionWebhooks.Review, store: ObjectStore) -> Bool {
        let rules = webhook["rules"]?.array ?? []
        guard rules.contains(where: { self.matches(rule: $0, review) }) else { return false }
        let objectSelector = LabelSelector(json: webhook["objectSelector"])
        let labels = [review.object.labels] + (review.oldObject.map { [$0.labels] } ?? [])
        guard labels.contains(where: objectSelector.matches) else { return false }
        let namespaceSelector = LabelSelector(json: webhook["namespaceSelector"])
        return namespaceSelector.matches(self.namespaceLabels(review, store: store) ?? [:])
            || self.namespaceLabels(review, store: store) == nil
    }

    /// Labels of the namespace that the object is in, or is; `nil` for other objects without namespaces, which
    /// namespace selectors do not concern.
    private static func namespaceLabels(
        _ review: AdmissionWebhooks.Review,
        store: ObjectStore
    ) -> [String: String]? {
        if review.info.storageResource == ResourceService.namespaces { return review.object.labels }
        guard let namespace = review.namespace else { return nil }
        let key = StoreKey(resource: ResourceService.namespaces, namespace: "", name: namespace)
        return store.object(key)?.json.labels ?? [:]
    }

    private static func matches(rule: JSONValue, _ review: AdmissionWebhooks.Review) -> Bool {
        func lists(_ field: String, _ value: String) -> Bool {
            (rule[field]?.array ?? []).contains { $0 == "*" || $0.string == value }
        }
        let isInScope: Bool
        switch rule["scope"]?.string {
        case "Namespaced"?: isInScope = review.info.isNamespaced
        case "Cluster"?: isInScope = !review.info.isNamespaced
        default: isInScope = true
        }
        return isInScope && lists("operations", review.operation) && lists("apiGroups", review.info.group)
            && lists("apiVersions", review.info.version)
            && (lists("resources", review.info.plural) || lists("resources", "*/*"))
    }
}

/// Where a webhook is: a URL, or a Service whose ready endpoint is called under the Service's name.
struct WebhookTarget {
    var url: String
    var host: String
    /// Address to connect to instead of asking DNS.
    var address: String?

    init(_ webhook: JSONValue, store: ObjectStore) throws {
        let client = webhook["clientConfig"] ?? .null
        if let url = client["url"]?.string {
            guard url.hasPrefix("https://") else { throw WebhookFailure("its url \(url) does not begin with https://") }
            self.url = url
            self.host = ""
            return
        }
        guard let service = client["service"], let name = service["name"]?.string,
            let namespace = service["namespace"]?.string
        else { throw WebhookFailure("its clientConfig has neither url nor service") }
        let endpoint = try Self.endpoint(name, namespace, port: service["port"]?.int ?? 443, store: store)
        var path = service["path"]?.string ?? "/"
        if !path.hasPrefix("/") { path = "/" + path }
        self.host = "\(name).\(namespace).svc"
        self.url = "https://\(self.host):\(endpoint.port)\(path)?timeout=\(webhook["timeoutSeconds"]?.int ?? 10)s"
        self.address = endpoint.address
    }

    private static func endpoint(
        _ name: String,
        _ namespace: String,
        port: Int,
        store: ObjectStore
    ) throws -> (address: String, port: Int) {
        let key = StoreKey(resource: ResourceService.services, namespace: namespace, name: name)
        guard let service = store.object(key)?.json else {
            throw WebhookFailure("there is no service \(namespace)/\(name)")
        }
        guard let servicePort = (service.at("spec", "ports")?.array ?? []).first(where: { $0["port"]?.int == port })
        else { throw WebhookFailure("service \(namespace)/\(name) has no port \(port)") }
        let portName = servicePort["name"]?.string ?? ""
        let slices = store.objects(
            of: GroupResource(group: "discovery.k8s.io", resource: "endpointslices"),
            namespace: namespace
        ).map(\.json).filter { $0.labels["kubernetes.io/service-name"] == name }
        for slice in slices {
            let target = (slice["ports"]?.array ?? []).first { ($0["name"]?.string ?? "") == portName }
            guard let number = target?["port"]?.int ?? servicePort["targetPort"]?.int else { continue }
            for endpoint in slice["endpoints"]?.array ?? [] where endpoint.at("conditions", "ready")?.bool ?? true {
                if let address = endpoint["addresses"]?[0]?.string { return (address, number) }
            }
        }
        let endpoints = store.object(
            StoreKey(resource: GroupResource(group: "", resource: "endpoints"), namespace: namespace, name: name)
        )
        for subset in endpoints?.json["subsets"]?.array ?? [] {
            let target = (subset["ports"]?.array ?? []).first { ($0["name"]?.string ?? "") == portName }
            if let number = target?["port"]?.int, let address = subset["addresses"]?[0]?["ip"]?.string {
                return (address, number)
            }
        }
        throw WebhookFailure("no endpoints available for service \"\(namespace)/\(name)\"")
    }
}
