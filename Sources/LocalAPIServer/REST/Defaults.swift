import KubernetesAPI

/// Fields that Kubernetes fills in when a client leaves them out, so that `kubectl get -o yaml` and controllers see
/// the same object as on a real cluster. Custom kinds get none.
enum Defaults {
    static func apply(to object: inout JSONValue, info: ResourceInfo) {
        switch (info.group, info.plural) {
        case ("", "pods"): object.mutate("spec") { self.podSpec(&$0) }
        case ("", "services"): self.service(&object)
        case ("", "secrets"): self.secret(&object)
        case ("", "namespaces"): self.namespace(&object)
        case ("apps", "deployments"): self.deployment(&object)
        case ("apps", "replicasets"):
            object.mutate("spec") { spec in
                spec.setDefault("replicas", 1)
                self.template(&spec)
            }
            self.selectorFromTemplate(&object)
        case ("admissionregistration.k8s.io", _): self.webhooks(&object, isMutating: info.plural.hasPrefix("mutating"))
        case ("apiextensions.k8s.io", _): self.definition(&object)
        default: ()
        }
    }

    static func podSpec(_ spec: inout JSONValue) {
        spec.setDefault("restartPolicy", "Always")
        spec.setDefault("terminationGracePeriodSeconds", 30)
        spec.setDefault("dnsPolicy", "ClusterFirst")
        spec.setDefault("securityContext", .object([:]))
        spec.setDefault("schedulerName", "default-scheduler")
        if let account = spec["serviceAccountName"] ?? spec["serviceAccount"], account != "" {
            spec.set("serviceAccountName", account)
            spec.set("serviceAccount", account)
        }
        for list in ["initContainers", "containers"] { spec.mutateEach(list, self.container) }
        spec.mutateEach("volumes", self.volume)
    }

    private static func container(_ container: inout JSONValue) {
        container.setDefault("terminationMessagePath", "/dev/termination-log")
        container.setDefault("terminationMessagePolicy", "File")
        container.setDefault("resources", .object([:]))
        let image = container["image"]?.string ?? ""
        let tag = image.split(separator: "/").last?.split(separator: ":", maxSplits: 1).dropFirst().first
        container.setDefault(
            "imagePullPolicy",
            (tag == nil || tag == "latest") && !image.contains("@") ? "Always" : "IfNotPresent"
        )
        container.mutateEach("ports") { $0.setDefault("protocol", "TCP") }
        for probe in ["livenessProbe", "readinessProbe", "startupProbe"] where container[probe]?.object != nil {
            container.mutate(probe, self.probe)
        }
        container.mutateEach("env") { variable in
            if variable.at("valueFrom", "fieldRef") != nil {
                variable.mutate("valueFrom") { $0.mutate("fieldRef") { $0.setDefault("apiVersion", "v1") } }
            }
        }
    }

    private static func probe(_ probe: inout JSONValue) {
        probe.setDefault("timeoutSeconds", 1)
        probe.setDefault("periodSeconds", 10)
        probe.setDefault("successThreshold", 1)
        probe.setDefault("failureThreshold", 3)
        if probe["httpGet"]?.object != nil {
            probe.mutate("httpGet") { action in
                action.setDefault("path", "/")
                action.setDefault("scheme", "HTTP")
            }
        }
    }

    private static func volume(_ volume: inout JSONValue) {
        for source in ["secret", "configMap", "downwardAPI", "projected"] where volume[source]?.object != nil {
            volume.mutate(source) { $0.setDefault("defaultMode", 420) }
        }
        volume.mutate("projected", ifObject: true) { projected in
            projected.mutateEach("sources") { source in
                source.mutate("serviceAccountToken", ifObject: true) { $0.setDefault("expirationSeconds", 3600) }
            }
        }
        if (volume.object ?? [:]).count == 1 { volume.set("emptyDir", .object([:])) }
    }

    private static func template(_ spec: inout JSONValue) {
        spec.mutate("template") { template in
            template.mutate("metadata") { $0.setDefault("creationTimestamp", .null) }
            template.mutate("spec") { self.podSpec(&$0) }
        }
    }

    private static func deployment(_ object: inout JSONValue) {
        object.mutate("spec") { spec in
            spec.setDefault("replicas", 1)
            spec.setDefault("revisionHistoryLimit", 10)
            spec.setDefault("progressDeadlineSeconds", 600)
            spec.mutate("strategy") { strategy in
                strategy.setDefault("type", "RollingUpdate")
                if strategy["type"] == "RollingUpdate" {
                    strategy.mutate("rollingUpdate") { rolling in
                        rolling.setDefault("maxUnavailable", "25%")
                        rolling.setDefault("maxSurge", "25%")
                    }
                }
            }
            self.template(&spec)
        }
    }

    private static func selectorFromTemplate(_ object: inout JSONValue) {
        if object.at("spec", "selector") == nil, let labels = object.at("spec", "template", "metadata", "labels") {
            object.mutate("spec") { $0.set("selector", ["matchLabels": labels]) }
        }
    }

    private static func service(_ object: inout JSONValue) {
        object.mutate("spec") { spec in
            spec.setDefault("sessionAffinity", "None")
            spec.setDefault("type", "ClusterIP")
            let type = spec["type"]?.string ?? ""
            spec.mutateEach("ports") { port in
                port.setDefault("protocol", "TCP")
                if let number = port["port"], port["targetPort"] == nil || port["targetPort"] == .integer(0) {
                    port.set("targetPort", number)
                }
            }
            if type != "ExternalName" {
                spec.setDefault("internalTrafficPolicy", "Cluster")
                spec.setDefault("ipFamilies", ["IPv4"])
                spec.setDefault("ipFamilyPolicy", "SingleStack")
            }
            if type == "NodePort" || type == "LoadBalancer" { spec.setDefault("externalTrafficPolicy", "Cluster") }
            if type == "LoadBalancer" { spec.setDefault("allocateLoadBalancerNodePorts", true) }
        }
        object.setDefault("status", ["loadBalancer": .object([:])])
    }

    private static func secret(_ object: inout JSONValue) {
        object.setDefault("type", "Opaque")
        guard let plain = object["stringData"]?.object else { return }
        object.mutate("data") { data in
            for (key, value) in plain { data.set(key, .string(Base64.encode(Array((value.string ?? "").utf8)))) }
        }
        object.set("stringData", nil)
    }

    private static func namespace(_ object: inout JSONValue) {
        object.mutate("spec") { $0.setDefault("finalizers", ["kubernetes"]) }
        object.mutate("status") { $0.setDefault("phase", "Active") }
        let name = object.metadataString("name")
        if !name.isEmpty {
            object.mutate("metadata") { $0.mutate("labels") { $0.set("kubernetes.io/metadata.name", .string(name)) } }
        }
    }

    private static func webhooks(_ object: inout JSONValue, isMutating: Bool) {
        object.mutateEach("webhooks") { webhook in
            webhook.setDefault("failurePolicy", "Fail")
            webhook.setDefault("matchPolicy", "Equivalent")
            webhook.setDefault("namespaceSelector", .object([:]))
            webhook.setDefault("objectSelector", .object([:]))
            webhook.setDefault("timeoutSeconds", 10)
            if isMutating { webhook.setDefault("reinvocationPolicy", "Never") }
            webhook.mutate("clientConfig") { client in
                client.mutate("service", ifObject: true) { $0.setDefault("port", 443) }
            }
            webhook.mutateEach("rules") { $0.setDefault("scope", "*") }
        }
    }

    private static func definition(_ object: inout JSONValue) {
        object.mutate("spec") { spec in
            spec.setDefault("conversion", ["strategy": "None"])
            let kind = spec.at("names", "kind")?.string ?? ""
            spec.mutate("names") { names in
                names.setDefault("singular", .string(kind.lowercased()))
                names.setDefault("listKind", .string("\(kind)List"))
            }
        }
    }
}

extension JSONValue {
    /// Changes a field in place if it is there and an object.
    mutating func mutate(_ field: String, ifObject: Bool, _ body: (inout JSONValue) -> Void) {
        if self[field]?.object != nil { self.mutate(field, body) }
    }
}
