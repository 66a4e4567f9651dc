/// Leaves endpoints out for a while that fail several times in a row (Envoy `outlier_detection`).
///
/// One per event loop and cluster: each loop judges by what it has seen itself. Time is monotonic, from any beginning.
package struct OutlierDetector: Sendable {
    /// How an attempt ended.
    package enum Outcome: Hashable, Sendable {
        case success
        /// A 5xx that is none of 502, 503, 504.
        case serverError
        /// 502, 503, 504.
        case gatewayError
        /// No connection, no answer in time, a reset.
        case localFailure
    }

    package enum OnEnded: Hashable, Sendable { case keep, eject }

    private struct Record {
        var serverErrors: UInt32 = 0
        var gatewayErrors: UInt32 = 0
        var localFailures: UInt32 = 0
        /// How often it was left out; each time longer.
        var ejections: UInt32 = 0
        var ejectedUntil: Duration?
    }

    private let policy: OutlierPolicy
    private var records: [NetworkAddress: Record] = [:]
    private var endpointCount = 0
    package private(set) var ejectedCount = 0

    package init(policy: OutlierPolicy) { self.policy = policy }

    /// What there is now; records of addresses that have gone are dropped.
    package mutating func replace(endpoints: [ClusterEndpoint]) {
        let addresses = Set(endpoints.map(\.address))
        self.endpointCount = addresses.count
        self.records = self.records.filter { addresses.contains($0.key) }
        self.ejectedCount = self.records.values.count { $0.ejectedUntil != nil }
    }

    package func isEjected(_ address: NetworkAddress) -> Bool { self.records[address]?.ejectedUntil != nil }

    /// An attempt at an endpoint has ended.
    package mutating func ended(_ address: NetworkAddress, _ outcome: Outcome, now: Duration) -> OnEnded {
        if outcome == .success {
            // A record is made by a failure only: the usual request changes nothing.
            guard self.records[address] != nil else { return .keep }
            self.records[address]?.serverErrors = 0
            self.records[address]?.gatewayErrors = 0
            self.records[address]?.localFailures = 0
            return .keep
        }
        var record = self.records[address] ?? Record()
        switch outcome {
        case .success: ()
        case .serverError:
            record.serverErrors += 1
            record.gatewayErrors = 0
        case .gatewayError:
            record.serverErrors += 1
            record.gatewayErrors += 1
        case .localFailure where self.policy.splitsLocalOriginErrors: record.localFailures += 1
        case .localFailure:
            record.serverErrors += 1
            record.gatewayErrors += 1
        }
        let isOverLimit =
            Self.reaches(record.serverErrors, self.policy.consecutive5xx)
            || Self.reaches(record.gatewayErrors, self.policy.consecutiveGatewayFailures)
            || self.policy.splitsLocalOriginErrors
                && Self.reaches(record.localFailures, self.policy.consecutiveLocalOriginFailures)
        guard isOverLimit, record.ejectedUntil == nil, self.mayEject else {
            self.records[address] = record
            return .keep
        }
        record.ejections += 1
        let length = min(self.policy.baseEjectionTime * Int(record.ejections), self.policy.ejectionTimeMax)
        record.ejectedUntil = now + max(length, self.policy.baseEjectionTime)
        record.serverErrors = 0
        record.gatewayErrors = 0
        record.localFailures = 0
        self.records[address] = record
        self.ejectedCount += 1
        return .eject
    }

    private static func reaches(_ count: UInt32, _ limit: UInt32) -> Bool { limit > 0 && count >= limit }

    /// At least one may go, and no more than the share that the policy names (facts #67).
    private var mayEject: Bool {
        guard self.policy.ejectionPercentMax > 0 else { return false }
        return self.ejectedCount == 0
            || (self.ejectedCount + 1) * 100 <= Int(self.policy.ejectionPercentMax) * self.endpointCount
    }

    /// To be called once each `interval`.
    ///
    /// - Returns: whether an endpoint came back.
    package mutating func intervalEnded(now: Duration) -> Bool {
        var cameBack = false
        for (address, record) in self.records {
            if let until = record.ejectedUntil {
                guard now >= until else { continue }
                self.records[address]?.ejectedUntil = nil
                self.ejectedCount -= 1
                cameBack = true
            } else if record.ejections > 0 {
                // An interval without trouble makes the next time shorter again.
                self.records[address]?.ejections -= 1
            }
        }
        return cameBack
    }
}
