import IstioAPI
import KubernetesAPI
import MeshModel
import SwiftProtobuf

enum DestinationRuleParser {
    static func parse(_ object: KubernetesObject, domain: String) -> Parsed<DestinationPolicy> {
        var findings = Findings("DestinationRule", object)
        var policy: DestinationPolicy?
        if let spec = Fields.spec(Istio_Networking_V1alpha3_DestinationRule.self, of: object, &findings) {
            var reader = DestinationRuleReader(findings: findings)
            policy = reader.policy(spec, object, domain: domain)
            findings = reader.findings
        }
        return Parsed(object, value: policy, diagnoses: findings.diagnoses)
    }
}

/// Reads one DestinationRule; any error leaves out the whole.
struct DestinationRuleReader {
    var findings: Findings

    mutating func policy(
        _ spec: Istio_Networking_V1alpha3_DestinationRule,
        _ object: KubernetesObject,
        domain: String
    ) -> DestinationPolicy? {
        let namespace = object.namespace ?? ""
        guard let host = Fields.host(spec.host, namespace: namespace, domain: domain) else {
            self.findings.error("spec.host", spec.host.isEmpty ? "is needed" : "`\(spec.host)` is no host name")
            return nil
        }
        if spec.hasWorkloadSelector {
            // Without it the rule would hold for all, which its author did not want.
            self.findings.error("spec.workloadSelector", "is not supported yet: leave it out to rule all workloads")
        }
        let policy = DestinationPolicy(
            source: ObjectReference(kind: "DestinationRule", id: ObjectID(object)),
            createdAt: object.createdAt,
            host: host,
            visibility: Fields.visibility(spec.exportTo, namespace: namespace),
            policy: self.policy(spec.trafficPolicy, "spec.trafficPolicy"),
            subsets: self.subsets(spec.subsets)
        )
        return self.findings.hasErrors ? nil : policy
    }

    private mutating func subsets(_ subsets: [Istio_Networking_V1alpha3_Subset]) -> [DestinationPolicy.Subset] {
        var result: [DestinationPolicy.Subset] = []
        for (index, subset) in subsets.enumerated() {
            let field = "spec.subsets[\(index)]"
            // The name becomes a part of cluster names, which are divided by `|`.
            guard !subset.name.isEmpty, !subset.name.contains("|") else {
                self.findings.error("\(field).name", subset.name.isEmpty ? "is needed" : "must not contain `|`")
                continue
            }
            if result.contains(where: { $0.name == subset.name }) {
                self.findings.error("\(field).name", "`\(subset.name)` stands here twice")
                continue
            }
            result.append(
                DestinationPolicy.Subset(
                    name: subset.name,
                    labels: subset.labels,
                    policy: subset.hasTrafficPolicy
                        ? self.policy(subset.trafficPolicy, "\(field).trafficPolicy") : nil
                )
            )
        }
        return result
    }

    private mutating func policy(
        _ policy: Istio_Networking_V1alpha3_TrafficPolicy,
        _ field: String
    ) -> TrafficPolicy {
        var result = TrafficPolicy()
        if policy.hasLoadBalancer { self.apply(policy.loadBalancer, to: &result, "\(field).loadBalancer") }
        if policy.hasConnectionPool { self.apply(policy.connectionPool, to: &result, "\(field).connectionPool") }
        if policy.hasOutlierDetection {
            result.outlierDetection = self.outliers(policy.outlierDetection, "\(field).outlierDetection")
        }
        if policy.hasTls { result.tls = self.tls(policy.tls, "\(field).tls") }
        self.warn(field, "tunnel", policy.hasTunnel)
        self.warn(field, "proxyProtocol", policy.hasProxyProtocol)
        if policy.hasRetryBudget { result.retryBudget = self.budget(policy.retryBudget, "\(field).retryBudget") }
        for (index, settings) in policy.portLevelSettings.enumerated() {
            let place = "\(field).portLevelSettings[\(index)]"
            guard let port = Port(settings.port.number) else {
                self.findings.error("\(place).port.number", "\(settings.port.number) is no port: 1 to 65535")
                continue
            }
            if result.ports[port] != nil {
                self.findings.error("\(place).port.number", "\(port) stands here twice")
                continue
            }
            result.ports[port] = self.policy(settings, place)
        }
        return result
    }

    private mutating func policy(
        _ settings: Istio_Networking_V1alpha3_TrafficPolicy.PortTrafficPolicy,
        _ field: String
    ) -> TrafficPolicy {
        var result = TrafficPolicy()
        if settings.hasLoadBalancer { self.apply(settings.loadBalancer, to: &result, "\(field).loadBalancer") }
        if settings.hasConnectionPool { self.apply(settings.connectionPool, to: &result, "\(field).connectionPool") }
        if settings.hasOutlierDetection {
            result.outlierDetection = self.outliers(settings.outlierDetection, "\(field).outlierDetection")
        }
        if settings.hasTls { result.tls = self.tls(settings.tls, "\(field).tls") }
        return result
    }

    private mutating func budget(
        _ budget: Istio_Networking_V1alpha3_TrafficPolicy.RetryBudget,
        _ field: String
    ) -> RetryBudget {
        var result = RetryBudget()
        if budget.hasPercent {
            result.percent = budget.percent.value
            if !(0...100).contains(result.percent) {
                self.findings.error("\(field).percent", "\(result.percent) is not between 0 and 100")
            }
        }
        // Zero is the wire's word for "not said".
        if budget.minRetryConcurrency > 0 { result.concurrencyMin = budget.minRetryConcurrency }
        return result
    }

    mutating func warn(_ field: String, _ name: String, _ isSet: Bool) {
        if isSet { self.findings.warning("\(field).\(name)", "is not supported yet and has no effect") }
    }

    private mutating func apply(
        _ pool: Istio_Networking_V1alpha3_ConnectionPoolSettings,
        to policy: inout TrafficPolicy,
        _ field: String
    ) {
        if pool.hasTcp {
            let tcp = pool.tcp
            policy.connectionsMax = self.limit(tcp.maxConnections, "\(field).tcp.maxConnections")
            policy.connectTimeout = Fields.positiveDuration(
                tcp.connectTimeout,
                isSet: tcp.hasConnectTimeout,
                field: "\(field).tcp.connectTimeout",
                &self.findings
            )
            policy.tcpIdleTimeout = Fields.positiveDuration(
                tcp.idleTimeout,
                isSet: tcp.hasIdleTimeout,
                field: "\(field).tcp.idleTimeout",
                &self.findings
            )
            self.warn("\(field).tcp", "tcpKeepalive", tcp.hasTcpKeepalive)
            self.warn("\(field).tcp", "maxConnectionDuration", tcp.hasMaxConnectionDuration)
        }
        if pool.hasHTTP {
            let http = pool.http
            policy.pendingRequestsMax = self.limit(
                http.http1MaxPendingRequests,
                "\(field).http.http1MaxPendingRequests"
            )
            policy.requestsMax = self.limit(http.http2MaxRequests, "\(field).http.http2MaxRequests")
            policy.requestsPerConnectionMax = self.limit(
                http.maxRequestsPerConnection,
                "\(field).http.maxRequestsPerConnection"
            )
            policy.httpIdleTimeout = Fields.positiveDuration(
                http.idleTimeout,
                isSet: http.hasIdleTimeout,
                field: "\(field).http.idleTimeout",
                &self.findings
            )
            policy.retriesMax = self.limit(http.maxRetries, "\(field).http.maxRetries")
            switch http.h2UpgradePolicy {
            case .upgrade: policy.upgradesToHTTP2 = true
            case .doNotUpgrade: policy.upgradesToHTTP2 = false
            case .default: ()
            case .UNRECOGNIZED(let number):
                self.findings.error("\(field).http.h2UpgradePolicy", "\(number) is none: UPGRADE or DO_NOT_UPGRADE")
            }
            self.warn("\(field).http", "useClientProtocol", http.useClientProtocol)
            self.warn("\(field).http", "maxConcurrentStreams", http.maxConcurrentStreams != 0)
        }
    }

    /// Zero is the wire's word for "not said".
    private mutating func limit(_ value: Int32, _ field: String) -> UInt32? {
        if value < 0 { self.findings.error(field, "must not be negative") }
        return value > 0 ? UInt32(value) : nil
    }
}
