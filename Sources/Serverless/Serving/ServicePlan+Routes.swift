package import KubernetesAPI
internal import MeshModel

extension ServicePlan {
    /// The Services that clients in the cluster call: the one of all traffic, and one for each tag.
    package var entries: [KubernetesObject] {
        ([self.service.id.name] + self.tags.map(self.service.tagged)).map(self.entry)
    }

    private var tags: [String] { self.routed.compactMap(\.tag) }

    private func entry(_ name: String) -> KubernetesObject {
        var object = self.object(.services, name)
        object.json["spec"] = [
            "selector": [ServingLabels.service: .string(self.service.id.name)],
            "ports": [["name": "http", "port": 80, "targetPort": "user-port"]],
        ]
        return object
    }

    /// The split of traffic, and a route for each part of it that has a tag; empty while there is nothing to route to.
    package var virtualServices: [KubernetesObject] {
        let shares = self.shares
        guard !shares.isEmpty else { return [] }
        let tagged = shares.compactMap { share in
            share.tag.map { self.virtualService(self.service.tagged($0), [Self.whole(share)]) }
        }
        return [self.virtualService(self.service.id.name, shares)] + tagged
    }

    /// Names of Services and routes of tags that are there no more, out of those that the Service has.
    package func outdated(_ names: Set<String>) -> [String] {
        // Until all traffic goes where it should, that of before does.
        guard !self.shares.isEmpty else { return [] }
        let kept = Set([self.service.id.name] + self.tags.map(self.service.tagged) + self.revisions.map(\.id.name))
        return names.subtracting(kept).sorted()
    }

    private func virtualService(_ name: String, _ shares: [Share]) -> KubernetesObject {
        var object = self.object(.virtualServices, name)
        var hosts = [self.clusterHost(name)]
        if self.publicHost(name) != hosts[0] { hosts.append(self.publicHost(name)) }
        var gateways = ["mesh"]
        if !self.settings.gateway.isEmpty { gateways.append(self.settings.gateway) }
        object.json["spec"] = [
            "hosts": JSONValue(hosts),
            "gateways": JSONValue(gateways),
            "http": [
                [
                    "route": .array(shares.filter { $0.percent > 0 }.map(self.destination)),
                    "timeout": .string("\(self.timeout(of: shares))s"),
                ]
            ],
        ]
        return object
    }

    /// All that comes by a tag goes to its revision, however much of the rest does.
    private static func whole(_ share: Share) -> Share {
        var share = share
        share.percent = 100
        return share
    }

    func clusterHost(_ name: String) -> String {
        "\(name).\(self.service.id.namespace).svc.\(self.settings.clusterDomain)"
    }

    func publicHost(_ name: String) -> String { "\(name).\(self.service.id.namespace).\(self.settings.domain)" }

    /// The longest of the revisions': a route has one for all of them.
    private func timeout(of shares: [Share]) -> Int {
        let names = Set(shares.map(\.revision))
        let timeouts = self.revisions.filter { names.contains($0.id.name) }.map(\.timeout).filter { $0 > 0 }
        return timeouts.max() ?? Revision.defaultTimeout
    }

    /// The port of an activator's Service at which it is spoken to in HTTP/2, as Knative has it.
    private static let activatorHTTP2Port = 81

    private func speaksHTTP2(_ revision: String) -> Bool {
        self.revisions.first { $0.id.name == revision }?.protocolName == "h2c"
    }

    private func destination(_ share: Share) -> JSONValue {
        var (host, port) = (self.clusterHost(share.revision), 80)
        if let activator = self.settings.activator,
            !self.settings.isActivatorOnDemand || self.proxied.contains(share.revision)
        {
            (host, port) = (activator, self.speaksHTTP2(share.revision) ? Self.activatorHTTP2Port : 80)
        }
        return [
            "destination": ["host": .string(host), "port": ["number": JSONValue(port)]],
            "weight": JSONValue(share.percent),
            // Who counts and who holds requests has to know whose they are.
            "headers": [
                "request": [
                    "set": [
                        "Knative-Serving-Namespace": .string(self.service.id.namespace),
                        "Knative-Serving-Revision": .string(share.revision),
                    ]
                ]
            ],
        ]
    }
}
