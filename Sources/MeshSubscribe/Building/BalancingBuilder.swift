internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// How a cluster chooses endpoints, and when it leaves one out.
struct BalancingBuilder {
    let message: Envoy_Config_Cluster_V3_Cluster
    /// Where the cluster stands; empty at the top.
    let path: String

    /// Bounds of what a control plane can make us build (Envoy's own).
    private static let ringSizeMax: UInt64 = 8 * 1024 * 1024
    private static let tableSizeMax: UInt64 = 5_000_011

    func balancing(_ findings: inout Findings) -> TrafficEngine.Cluster.Balancing? {
        let isOriginal = self.message.clusterDiscoveryType == .type(.originalDst)
        switch self.message.lbPolicy {
        case .roundRobin: return .roundRobin
        case .leastRequest: return .leastRequest
        case .random: return .random
        case .clusterProvided where isOriginal: return .roundRobin
        case .ringHash: return self.ring(&findings)
        case .maglev: return self.maglev(&findings)
        case .clusterProvided, .loadBalancingPolicyConfig, .UNRECOGNIZED:
            findings.add(
                joined(self.path, "lb_policy"),
                "\(self.message.lbPolicy) is not supported; supported: ROUND_ROBIN, LEAST_REQUEST, RANDOM, RING_HASH, "
                    + "MAGLEV"
            )
            return nil
        }
    }

    private func ring(_ findings: inout Findings) -> TrafficEngine.Cluster.Balancing? {
        let said = self.message.ringHashLbConfig
        let place = joined(self.path, "ring_hash_lb_config")
        if said.hashFunction != .xxHash { findings.add("\(place).hash_function", "supported: XX_HASH") }
        let most = said.hasMaximumRingSize ? said.maximumRingSize.value : Self.ringSizeMax
        let least = said.hasMinimumRingSize ? said.minimumRingSize.value : min(1024, most)
        guard (1...Self.ringSizeMax).contains(most), (1...most).contains(least) else {
            findings.add(place, "sizes must be 1 to \(Self.ringSizeMax), the smallest not above the largest")
            return nil
        }
        return .ring(sizeMin: Int(least), sizeMax: Int(most))
    }

    private func maglev(_ findings: inout Findings) -> TrafficEngine.Cluster.Balancing? {
        let said = self.message.maglevLbConfig
        let size = said.hasTableSize ? said.tableSize.value : 65537
        guard (2...Self.tableSizeMax).contains(size), Self.isPrime(size) else {
            findings.add(
                joined(self.path, "maglev_lb_config.table_size"),
                "\(size) is no prime of at most \(Self.tableSizeMax)"
            )
            return nil
        }
        return .maglev(tableSize: Int(size))
    }

    private static func isPrime(_ number: UInt64) -> Bool {
        var divisor: UInt64 = 2
        while divisor * divisor <= number {
            if number % divisor == 0 { return false }
            divisor += 1
        }
        return true
    }

    /// Percent; Envoy's default is 50.
    var panicThreshold: Double {
        guard self.message.commonLbConfig.hasHealthyPanicThreshold else { return 50 }
        let value = self.message.commonLbConfig.healthyPanicThreshold.value
        return value.isFinite ? min(max(0, value), 100) : 50
    }

    var weighsLocalities: Bool {
        if case .localityWeightedLbConfig = self.message.commonLbConfig.localityConfigSpecifier { true } else { false }
    }

    /// `nil`: endpoints are never left out.
    func outliers(_ findings: inout Findings) -> OutlierPolicy? {
        guard self.message.hasOutlierDetection else { return nil }
        let said = self.message.outlierDetection
        let place = joined(self.path, "outlier_detection")
        var policy = OutlierPolicy()
        // Envoy enforces failures in a row of the first and the last kind by default, those of a gateway not.
        policy.consecutive5xx = Self.count(said.consecutive5Xx, said.hasConsecutive5Xx)
        if said.hasEnforcingConsecutive5Xx, said.enforcingConsecutive5Xx.value == 0 { policy.consecutive5xx = 0 }
        if said.enforcingConsecutiveGatewayFailure.value > 0 {
            policy.consecutiveGatewayFailures = Self.count(
                said.consecutiveGatewayFailure,
                said.hasConsecutiveGatewayFailure
            )
        }
        policy.splitsLocalOriginErrors = said.splitExternalLocalOriginErrors
        if !said.hasEnforcingConsecutiveLocalOriginFailure || said.enforcingConsecutiveLocalOriginFailure.value > 0 {
            policy.consecutiveLocalOriginFailures = Self.count(
                said.consecutiveLocalOriginFailure,
                said.hasConsecutiveLocalOriginFailure
            )
        }
        if said.hasInterval { policy.interval = said.interval.value }
        if said.hasBaseEjectionTime { policy.baseEjectionTime = said.baseEjectionTime.value }
        policy.ejectionTimeMax = said.hasMaxEjectionTime ? said.maxEjectionTime.value : .seconds(300)
        policy.ejectionTimeMax = max(policy.ejectionTimeMax, policy.baseEjectionTime)
        if said.hasMaxEjectionPercent { policy.ejectionPercentMax = said.maxEjectionPercent.value }
        if policy.interval <= .zero { findings.add("\(place).interval", "must be more than 0") }
        if policy.baseEjectionTime <= .zero { findings.add("\(place).base_ejection_time", "must be more than 0") }
        if policy.ejectionPercentMax > 100 { findings.add("\(place).max_ejection_percent", "must be at most 100") }
        return policy
    }

    private static func count(_ value: Google_Protobuf_UInt32Value, _ isSaid: Bool) -> UInt32 {
        isSaid ? value.value : 5
    }
}

extension HashKey {
    /// - Returns: `nil`, with a finding, for what requests do not have here.
    init?(
        _ message: Envoy_Config_Route_V3_RouteAction.HashPolicy,
        at path: String,
        _ findings: inout Findings
    ) {
        let value: HashKey.Value
        switch message.policySpecifier {
        case .header(let header): value = .header(Array(header.headerName.lowercased().utf8))
        case .cookie(let cookie):
            value = .cookie(
                name: Array(cookie.name.utf8),
                path: Array(cookie.path.utf8),
                ttl: cookie.hasTtl ? cookie.ttl.value : nil
            )
        case .connectionProperties(let properties) where properties.sourceIp: value = .sourceAddress
        case .queryParameter(let parameter): value = .queryParameter(Array(parameter.name.utf8))
        case .connectionProperties, .filterState, nil:
            findings.add(path, "supported: header, cookie, connection_properties.source_ip, query_parameter")
            return nil
        }
        self.init(value: value, isTerminal: message.terminal)
    }
}
