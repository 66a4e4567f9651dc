import IstioAPI
import MeshModel
import SwiftProtobuf

/// Balancing, outliers and localities of a DestinationRule.
extension DestinationRuleReader {
    mutating func apply(
        _ settings: Istio_Networking_V1alpha3_LoadBalancerSettings,
        to policy: inout TrafficPolicy,
        _ field: String
    ) {
        policy.loadBalancing = self.loadBalancing(settings, field)
        if settings.hasLocalityLbSetting {
            policy.locality = self.locality(settings.localityLbSetting, "\(field).localityLbSetting")
        }
        self.warn(field, "warmup", settings.hasWarmup || settings.hasWarmupDurationSecs)
    }

    private mutating func loadBalancing(
        _ settings: Istio_Networking_V1alpha3_LoadBalancerSettings,
        _ field: String
    ) -> LoadBalancing? {
        switch settings.lbPolicy {
        case .simple(.unspecified), nil: return nil
        case .simple(.roundRobin): return .roundRobin
        case .simple(.leastRequest), .simple(.leastConn): return .leastRequest
        case .simple(.random): return .random
        case .simple(.passthrough): return .passthrough
        case .simple(.UNRECOGNIZED(let number)):
            self.findings.error("\(field).simple", "\(number) is no way to balance")
            return nil
        case .consistentHash(let hash):
            return self.hash(hash, "\(field).consistentHash").map(LoadBalancing.consistentHash)
        }
    }

    private mutating func hash(
        _ hash: Istio_Networking_V1alpha3_LoadBalancerSettings.ConsistentHashLB,
        _ field: String
    ) -> ConsistentHash? {
        guard let key = self.hashKey(hash, field) else { return nil }
        var result = ConsistentHash(key: key)
        switch hash.hashAlgorithm {
        case .ringHash(let ring):
            if ring.minimumRingSize > 0 { result.algorithm = .ring(sizeMin: ring.minimumRingSize) }
        case .maglev(let maglev):
            let size = maglev.tableSize == 0 ? 65537 : maglev.tableSize
            if !Self.isTableSize(size) {
                self.findings.error(
                    "\(field).maglev.tableSize",
                    "\(size) is no prime number up to \(Self.tableSizeMax)"
                )
            }
            result.algorithm = .maglev(tableSize: size)
        case nil:
            if hash.minimumRingSize > 0 { result.algorithm = .ring(sizeMin: hash.minimumRingSize) }
        }
        if case .ring(let size) = result.algorithm, size > Self.ringSizeMax {
            self.findings.error("\(field).ringHash.minimumRingSize", "\(size) is more than \(Self.ringSizeMax)")
        }
        return result
    }

    private mutating func hashKey(
        _ hash: Istio_Networking_V1alpha3_LoadBalancerSettings.ConsistentHashLB,
        _ field: String
    ) -> ConsistentHash.Key? {
        switch hash.hashKey {
        case .httpHeaderName(let name) where !name.isEmpty: return .header(name.lowercased())
        case .httpQueryParameterName(let name) where !name.isEmpty: return .queryParameter(name)
        case .useSourceIp(true): return .sourceAddress
        case .httpCookie(let cookie) where !cookie.name.isEmpty:
            let ttl = Fields.duration(
                cookie.ttl,
                isSet: cookie.hasTtl,
                field: "\(field).httpCookie.ttl",
                &self.findings
            )
            return .cookie(name: cookie.name, path: cookie.path, ttl: ttl)
        case .httpCookie:
            self.findings.error("\(field).httpCookie.name", "is needed")
            return nil
        case .httpHeaderName, .httpQueryParameterName, .useSourceIp, nil:
            self.findings.error(
                field,
                "needs a key: httpHeaderName, httpCookie, useSourceIp or httpQueryParameterName"
            )
            return nil
        }
    }

    // MARK: Outliers

    mutating func outliers(_ settings: Istio_Networking_V1alpha3_OutlierDetection, _ field: String) -> OutlierDetection
    {
        var result = OutlierDetection()
        if settings.hasConsecutive5XxErrors { result.consecutive5xxErrors = settings.consecutive5XxErrors.value }
        if settings.hasConsecutiveGatewayErrors {
            result.consecutiveGatewayErrors = settings.consecutiveGatewayErrors.value
        } else if settings.consecutiveErrors > 0 {
            result.consecutiveGatewayErrors = UInt32(settings.consecutiveErrors)
        } else if settings.consecutiveErrors < 0 {
            self.findings.error("\(field).consecutiveErrors", "must not be negative")
        }
        if settings.hasConsecutiveLocalOriginFailures {
            result.consecutiveLocalOriginFailures = settings.consecutiveLocalOriginFailures.value
        }
        result.splitsLocalOriginErrors = settings.splitExternalLocalOriginErrors
        result.interval =
            self.interval(settings.interval, settings.hasInterval, "\(field).interval") ?? result.interval
        result.baseEjectionTime =
            self.interval(settings.baseEjectionTime, settings.hasBaseEjectionTime, "\(field).baseEjectionTime")
            ?? result.baseEjectionTime
        // Zero is the wire's word for "not said".
        if let percent = self.percent(settings.maxEjectionPercent, "\(field).maxEjectionPercent"), percent > 0 {
            result.ejectionPercentMax = percent
        }
        result.healthyPercentMin = self.percent(settings.minHealthPercent, "\(field).minHealthPercent") ?? 0
        return result
    }

    /// At least a millisecond: shorter ones would keep a proxy busy.
    private mutating func interval(_ value: ProtoDuration, _ isSet: Bool, _ field: String) -> Duration? {
        guard let duration = Fields.duration(value, isSet: isSet, field: field, &self.findings) else { return nil }
        guard duration >= .milliseconds(1) else {
            self.findings.error(field, "must be at least 1ms")
            return nil
        }
        return duration
    }

    private mutating func percent(_ value: Int32, _ field: String) -> UInt32? {
        guard (0...100).contains(value) else {
            self.findings.error(field, "\(value) is no percentage: 0 to 100")
            return nil
        }
        return UInt32(value)
    }

    // MARK: Localities

    private mutating func locality(
        _ settings: Istio_Networking_V1alpha3_LocalityLoadBalancerSetting,
        _ field: String
    ) -> LocalityPolicy {
        var result = LocalityPolicy()
        result.isEnabled = settings.hasEnabled ? settings.enabled.value : true
        let kinds = [settings.distribute.isEmpty, settings.failover.isEmpty, settings.failoverPriority.isEmpty]
        if kinds.count(where: { !$0 }) > 1, settings.failoverPriority.isEmpty || !settings.distribute.isEmpty {
            self.findings.error(field, "only one of distribute, failover and failoverPriority")
        }
        for (index, entry) in settings.distribute.enumerated() {
            let place = "\(field).distribute[\(index)]"
            if entry.from.isEmpty { self.findings.error("\(place).from", "is needed") }
            let total = entry.to.values.reduce(UInt64(0)) { $0 + UInt64($1) }
            if total != 100 { self.findings.error("\(place).to", "adds up to \(total), not to 100") }
            result.distributions.append(LocalityPolicy.Distribution(from: entry.from, to: entry.to))
        }
        for (index, entry) in settings.failover.enumerated() {
            let place = "\(field).failover[\(index)]"
            if entry.from.isEmpty || entry.to.isEmpty {
                self.findings.error(place, "needs from and to")
            } else if entry.from == entry.to {
                self.findings.error("\(place).to", "`\(entry.to)` is the region itself")
            }
            result.failOvers.append(LocalityPolicy.FailOver(from: entry.from, to: entry.to))
        }
        result.failOverLabels = settings.failoverPriority
        return result
    }

    // MARK: Limits

    /// Envoy's limits: a ring of at most 8M places, a Maglev table of at most 5000011.
    private static let ringSizeMax: UInt64 = 8_388_608
    private static let tableSizeMax: UInt64 = 5_000_011

    private static func isTableSize(_ size: UInt64) -> Bool {
        guard size >= 2, size <= self.tableSizeMax else { return false }
        var divisor: UInt64 = 2
        while divisor * divisor <= size {
            if size.isMultiple(of: divisor) { return false }
            divisor += 1
        }
        return true
    }
}
