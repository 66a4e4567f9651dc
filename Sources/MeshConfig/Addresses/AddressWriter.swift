package import KubernetesAPI
package import MeshModel

/// Brings `status.addresses` of all ServiceEntries to what the ledger says, through the Kubernetes API.
///
/// Several control planes may do this at once: each write names the version of the object that it was thought out for,
/// so that of two the second is refused and thought out again. What both give new hosts is the same anyhow.
package actor AddressWriter {
    /// How one round ended.
    package struct Report: Sendable, Equatable {
        /// Entries that have a new status.
        package var written: [ObjectID] = []
        /// Entries whose status could not be written, and why.
        package var failures: [String] = []
        /// Hosts for which no address is left.
        package var unserved: [HostName] = []
        package var givenCount = 0
        package var releasedCount = 0
        /// Seconds since 1970; something is to be done then though nothing changes.
        package var nextDeadline: Int64?

        package init() {}
    }

    private let client: KubernetesClient
    private let namespace: String
    private var ledger: AddressLedger
    /// What the ConfigMap says, as far as this process knows; `nil` before it was read.
    private var recorded: [IPAddress: AddressLedger.Release]?
    private var recordVersion = ""

    /// Writes at a time.
    private static let writesMax = 16
    /// Attempts against others who write the same object.
    private static let attemptsMax = 4

    /// `namespace` is where the released addresses are written down.
    package init(client: KubernetesClient, namespace: String, ledger: AddressLedger) {
        self.client = client
        self.namespace = namespace
        self.ledger = ledger
    }

    /// Compares and writes once; what fails is told, and is tried again by the next call.
    package func settle(_ snapshot: MeshSnapshot, now: Int64) async -> Report {
        var report = Report()
        if self.recorded == nil {
            do {
                try await self.recall()
            } catch {
                // Without knowing which addresses clients may still remember none is given.
                report.failures.append("\(ReleasedAddresses.name): \(error)")
                return report
            }
        }
        let settlement = self.ledger.settle(
            snapshot.addressClaims,
            reserved: snapshot.services.filter { !$0.hasGivenAddresses }.flatMap(\.addresses),
            now: now
        )
        // First what must not be given, then what is given.
        do {
            try await self.record(now: now)
        } catch {
            report.failures.append("\(ReleasedAddresses.name): \(error)")
        }
        let claims = Dictionary(snapshot.addressClaims.map { ($0.entry, $0) }, uniquingKeysWith: { first, _ in first })
        let works = settlement.writes.sorted { $0.key < $1.key }.compactMap { entry, grants -> Work? in
            guard let claim = claims[entry] else { return nil }
            let source = ObjectReference(kind: MeshKind.serviceEntry.rawValue, id: entry)
            return Work(claim: claim, version: snapshot.resourceVersions[source] ?? "", grants: grants)
        }
        await self.write(works, &report)
        report.unserved = Array(Set(settlement.unserved)).sorted()
        report.givenCount = settlement.givenCount
        report.releasedCount = self.ledger.releases.count
        report.nextDeadline = self.ledger.nextDeadline
        return report
    }

    private struct Work: Sendable {
        var claim: AddressClaim
        var version: String
        var grants: [AddressGrant]
    }

    private func write(_ works: [Work], _ report: inout Report) async {
        let client = self.client
        await withTaskGroup(of: (ObjectID, Result<Bool, any Error>).self) { group in
            var next = works.makeIterator()
            func begin() {
                guard let work = next.next() else { return }
                group.addTask {
                    do {
                        return (work.claim.entry, .success(try await Self.write(work, client)))
                    } catch {
                        return (work.claim.entry, .failure(error))
                    }
                }
            }
            for _ in 0..<Self.writesMax { begin() }
            for await (entry, result) in group {
                switch result {
                case .success(true): report.written.append(entry)
                case .success(false): ()
                case .failure(let error): report.failures.append("ServiceEntry \(entry): \(error)")
                }
                begin()
            }
        }
        report.written.sort()
        report.failures.sort()
    }

    /// - Returns: Whether it was written; not if the entry has gone or changed, and the next snapshot says how.
    private static func write(_ work: Work, _ client: KubernetesClient) async throws -> Bool {
        var version = work.version
        let id = work.claim.entry
        for attempt in 1... {
            do {
                _ = try await client.patch(
                    .serviceEntries,
                    namespace: id.namespace,
                    name: id.name,
                    subresource: "status",
                    .merge(Self.status(work.grants, version: version))
                )
                return true
            } catch let error as KubernetesError where error.isNotFound {
                return false
            } catch let error as KubernetesError where error.isConflict && attempt < Self.attemptsMax {
                guard let object = try await Self.current(id, client) else { return false }
                // The same wish at a newer version, or somebody else's work.
                guard ServiceEntryParser.parse(object).value?.claim == work.claim else { return false }
                version = object.resourceVersion
            }
        }
        return false
    }

    private static func current(_ id: ObjectID, _ client: KubernetesClient) async throws -> KubernetesObject? {
        do {
            return try await client.get(.serviceEntries, namespace: id.namespace, name: id.name)
        } catch let error as KubernetesError where error.isNotFound {
            return nil
        }
    }

    private static func status(_ grants: [AddressGrant], version: String) -> JSONValue {
        let addresses = grants.map { grant -> JSONValue in
            ["value": .string(grant.address.description), "host": .string(grant.host.text)]
        }
        return [
            "metadata": ["resourceVersion": .string(version)],
            "status": ["addresses": addresses.isEmpty ? .null : .array(addresses)],
        ]
    }

    // MARK: Released addresses

    private func recall() async throws {
        do {
            let object = try await self.client.get(
                .configMaps,
                namespace: self.namespace,
                name: ReleasedAddresses.name
            )
            self.recordVersion = object.resourceVersion
            let found = ReleasedAddresses.parse(object)
            self.recorded = found
            self.ledger.remember(found)
        } catch let error as KubernetesError where error.isNotFound {
            self.recordVersion = ""
            self.recorded = [:]
        }
    }

    private func record(now: Int64) async throws {
        for _ in 1...Self.attemptsMax {
            let releases = self.ledger.releases
            // What others wrote down later or earlier than this process is as good.
            if Self.names(releases) == Self.names(self.recorded ?? [:]) { return }
            var object = ReleasedAddresses.object(releases, namespace: self.namespace)
            do {
                if self.recordVersion.isEmpty {
                    object = try await self.client.create(.configMaps, object)
                } else {
                    object.resourceVersion = self.recordVersion
                    object = try await self.client.replace(.configMaps, object)
                }
                self.recordVersion = object.resourceVersion
                self.recorded = releases
                return
            } catch let error as KubernetesError where error.isConflict || error.isAlreadyExists || error.isNotFound {
                try await self.recall()
                self.ledger.forget(before: now)
            }
        }
    }

    private static func names(_ releases: [IPAddress: AddressLedger.Release]) -> [IPAddress: HostName] {
        releases.mapValues(\.host)
    }
}
