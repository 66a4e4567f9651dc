package import KubernetesAPI
package import MeshModel
package import MeshPush

/// Who is connected, which entries there are, and what has to be done so that both agree.
///
/// It knows no clock and asks nobody: times come in as durations since any fixed moment.
package struct RegistrationBook: Sendable {
    package struct Settings: Sendable {
        /// How long the entry of a machine stays whose proxy has gone: time enough for a restart (Istio's default).
        package var graceTime: Duration = .seconds(10)
        /// The same for entries of which nobody knows when their proxy was seen last: those of a control plane that
        /// has gone, or of an earlier run of this one. Their proxies may just be on their way here.
        package var adoptionTime: Duration = .seconds(60)
        /// After a write that failed, until it is tried again.
        package var retryTime: Duration = .seconds(1)

        package init() {}
    }

    package enum Action: Hashable, Sendable {
        case create(KubernetesObject)
        /// Fails if the object has changed.
        case replace(KubernetesObject)
        /// `conditions` of the status, in place of all that are there.
        case setConditions(ObjectID, resourceVersion: String, JSONValue)
        /// Fails if the object has changed: its proxy may have found another control plane.
        case delete(ObjectID, uid: String, resourceVersion: String)

        package var entry: ObjectID {
            switch self {
            case .create(let object), .replace(let object):
                ObjectID(namespace: object.namespace ?? "", name: object.name)
            case .setConditions(let id, _, _), .delete(let id, _, _): id
            }
        }
    }

    /// What has to be done.
    package struct Due: Hashable, Sendable {
        /// In the order of their entries.
        package var actions: [Action] = []
        /// When to ask again if nothing happens before.
        package var next: Duration?
        /// Machines that turn out to be another control plane's; each is told once.
        package var yielded: [Yield] = []
    }

    /// A machine that is connected here and whose entry another control plane keeps, because it came there later.
    package struct Yield: Hashable, Sendable {
        package var entry: ObjectID
        package var controller: String
    }

    private struct Connection {
        var machine: Machine
        var health: WorkloadHealth?
    }

    /// An entry without a connection, and until when that is all right.
    private struct Absence {
        var end: Duration
    }

    private let controller: String
    private let settings: Settings
    private var groups: [ObjectID: KubernetesObject] = [:]
    private var entries: [ObjectID: KubernetesObject] = [:]
    private var connections: [UInt64: Connection] = [:]
    private var absences: [ObjectID: Absence] = [:]
    private var retries: [ObjectID: Duration] = [:]
    /// Entries that are left to another control plane, and which.
    private var yields: [ObjectID: String] = [:]

    /// - Parameters:
    ///   - controller: the name of this control plane, that of its pod.
    ///   - settings: times.
    package init(controller: String, settings: Settings = Settings()) {
        self.controller = controller
        self.settings = settings
    }

    /// Entries that a write has failed for.
    package var retriesPending: Int { self.retries.count }

    package func hasGroup(_ id: ObjectID) -> Bool { self.groups[id] != nil }

    // MARK: Machines

    /// A machine's proxy came.
    ///
    /// - Throws: why it may not be registered.
    package mutating func connected(_ id: UInt64, _ machine: Machine) throws(ProxyRefusal) {
        guard let group = self.groups[machine.group] else {
            throw ProxyRefusal(
                .missing,
                "there is no WorkloadGroup `\(machine.group.name)` in namespace `\(machine.group.namespace)`"
            )
        }
        guard machine.isAuthenticated else {
            throw ProxyRefusal(.forbidden, "a machine must prove who it is to be registered: connect with TLS")
        }
        let account = EntryTemplate(group).serviceAccount
        guard account == machine.serviceAccount else {
            throw ProxyRefusal(
                .forbidden,
                "WorkloadGroup `\(machine.group)` is for service account `\(account)`; "
                    + "the proxy proved to be `\(machine.serviceAccount)`"
            )
        }
        self.connections[id] = Connection(machine: machine)
        self.absences[machine.entry] = nil
        self.retries[machine.entry] = nil
    }

    package mutating func reported(_ id: UInt64, _ health: WorkloadHealth) {
        self.connections[id]?.health = health
    }

    package mutating func disconnected(_ id: UInt64, now: Duration) {
        guard let connection = self.connections.removeValue(forKey: id) else { return }
        let entry = connection.machine.entry
        let isLast = !self.connections.values.contains { $0.machine.entry == entry }
        if isLast { self.absences[entry] = Absence(end: now + self.settings.graceTime) }
    }

    // MARK: Objects

    package mutating func groupsChanged(_ change: ObjectChange) { Self.apply(change, to: &self.groups) }

    package mutating func entriesChanged(_ change: ObjectChange) { Self.apply(change, to: &self.entries) }

    private static func apply(_ change: ObjectChange, to table: inout [ObjectID: KubernetesObject]) {
        func id(_ object: KubernetesObject) -> ObjectID {
            ObjectID(namespace: object.namespace ?? "", name: object.name)
        }
        switch change {
        case .replacedAll(let objects):
            table = Dictionary(objects.map { (id($0), $0) }, uniquingKeysWith: { $1 })
        case .added(let object), .modified(let object): table[id(object)] = object
        case .deleted(let object): table[id(object)] = nil
        }
    }

    // MARK: What to do

    /// An action could not be done.
    package mutating func failed(_ action: Action, now: Duration) {
        self.retries[action.entry] = now + self.settings.retryTime
    }

    /// An action was done, and this is what the API server made of it.
    ///
    /// One that does not keep what it is told would otherwise be told again at once, for ever.
    package mutating func done(_ action: Action, _ stored: KubernetesObject, now: Duration) {
        switch action {
        case .create(let wanted), .replace(let wanted):
            if !stored.says(wanted) { self.retries[action.entry] = now + self.settings.adoptionTime }
        case .setConditions, .delete: ()
        }
        self.entriesChanged(.modified(stored))
    }

    /// What has to be done now.
    ///
    /// - Parameters:
    ///   - now: since the fixed moment.
    ///   - date: the same in seconds since 1970, for people who read conditions.
    ///   - controllers: control planes that are there, with or without this one; `nil`: it is not known yet, and nobody
    ///     is taken for gone.
    /// - Returns: actions, and when to ask again.
    package mutating func due(now: Duration, date: Int64, controllers: Set<String>?) -> Due {
        var due = Due()
        func wait(until time: Duration) { due.next = min(due.next ?? time, time) }

        var yields: [ObjectID: String] = [:]
        var attended: Set<ObjectID> = []
        for (entry, connection) in self.newestConnections().sorted(by: { $0.key < $1.key }) {
            attended.insert(entry)
            if let other = self.keeper(of: entry, connection, controllers) {
                yields[entry] = other
                if self.yields[entry] != other { due.yielded.append(Yield(entry: entry, controller: other)) }
                continue
            }
            if let retry = self.retries[entry], retry > now {
                wait(until: retry)
                continue
            }
            self.retries[entry] = nil
            if let action = self.action(for: entry, connection, date: date) { due.actions.append(action) }
        }
        self.yields = yields
        for (id, entry) in self.entries.sorted(by: { $0.key < $1.key }) where !attended.contains(id) {
            guard self.isOurs(entry, controllers), !entry.isBeingDeleted else {
                self.absences[id] = nil
                continue
            }
            let absence = self.absences[id] ?? Absence(end: now + self.settings.adoptionTime)
            self.absences[id] = absence
            let time = max(absence.end, self.retries[id] ?? .zero)
            if time > now {
                wait(until: time)
            } else {
                due.actions.append(.delete(id, uid: entry.uid, resourceVersion: entry.resourceVersion))
            }
        }
        self.absences = self.absences.filter { self.entries[$0.key] != nil || $0.value.end > now }
        self.retries = self.retries.filter { self.entries[$0.key] != nil || attended.contains($0.key) }
        return due
    }

    /// The newest connection of each machine: an older one may not have been noticed to be dead.
    private func newestConnections() -> [ObjectID: Connection] {
        var newest: [ObjectID: UInt64] = [:]
        for (id, connection) in self.connections {
            let entry = connection.machine.entry
            newest[entry] = max(newest[entry] ?? id, id)
        }
        return newest.compactMapValues { self.connections[$0] }
    }

    /// Another control plane that keeps a machine's entry: it is there, and the machine came to it later. `nil`: the
    /// entry is for us to write.
    ///
    /// A machine that has moved leaves a connection behind that nobody has noticed to be dead, and two machines may have
    /// one name: without such a rule two control planes would overwrite each other's entry for ever. If both saw it come
    /// in the same second, the one with the greater name keeps it.
    private func keeper(of id: ObjectID, _ connection: Connection, _ controllers: Set<String>?) -> String? {
        guard let entry = self.entries[id],
            entry.annotations[EntryTemplate.Annotation.group] == connection.machine.group.name,
            let other = entry.annotations[EntryTemplate.Annotation.controller], other != self.controller,
            controllers?.contains(other) ?? true,
            let theirs = KubernetesTime.seconds(entry.annotations[EntryTemplate.Annotation.connectedAt] ?? "")
        else { return nil }
        let ours = connection.machine.connectedAt
        return theirs > ours || (theirs == ours && other > self.controller) ? other : nil
    }

    private func action(for id: ObjectID, _ connection: Connection, date: Int64) -> Action? {
        guard let group = self.groups[connection.machine.group] else { return nil }
        let template = EntryTemplate(group)
        let wanted = template.entry(of: connection.machine, controller: self.controller)
        guard let entry = self.entries[id] else { return .create(wanted) }
        if entry.isBeingDeleted { return nil }
        // One that a person made is theirs; only how the machine is doing is said there as well.
        let isMade = entry.annotations[EntryTemplate.Annotation.group] == connection.machine.group.name
        if isMade, !entry.says(wanted) { return .replace(entry.taking(wanted)) }
        guard let health = connection.health, entry.isHealthy != health.isHealthy else { return nil }
        guard isMade || entry.spec["serviceAccount"]?.string == template.serviceAccount else { return nil }
        return .setConditions(
            id,
            resourceVersion: entry.resourceVersion,
            entry.conditions(isHealthy: health.isHealthy, message: health.message, at: date)
        )
    }

    /// Whether it was made for a machine by this control plane or by one that has gone.
    private func isOurs(_ entry: KubernetesObject, _ controllers: Set<String>?) -> Bool {
        guard entry.annotations[EntryTemplate.Annotation.group] != nil,
            let controller = entry.annotations[EntryTemplate.Annotation.controller]
        else { return false }
        return controller == self.controller || !(controllers?.contains(controller) ?? true)
    }
}
