import KubernetesAPI
import MeshModel
import MeshPush
import Testing
import WorkloadRegistration

@Suite struct RegistrationBookTests {
    private static let group = """
        {apiVersion: networking.istio.io/v1, kind: WorkloadGroup, metadata: {name: db, namespace: vm, uid: g1},
         spec: {metadata: {labels: {app: db}, annotations: {note: hello}},
                template: {serviceAccount: mysql, ports: {tcp: 3306}, labels: {tier: back}, locality: eu/a}}}
        """
    private static let date: Int64 = 1_800_000_000

    private static func object(_ yaml: String) throws -> KubernetesObject {
        KubernetesObject(json: try #require(try YAML.documents(yaml).first).value)
    }

    private static func machine(_ address: String = "10.1.0.7", name: String = "db-1") throws -> Machine {
        Machine(
            group: ObjectID(namespace: "vm", name: "db"),
            address: try #require(IPAddress(address)),
            name: name,
            serviceAccount: "mysql",
            connectedAt: Self.date
        )
    }

    private static let entry = ObjectID(namespace: "vm", name: "db-1")

    private func book(_ group: String = Self.group) throws -> RegistrationBook {
        var book = RegistrationBook(controller: "istiod-1")
        book.groupsChanged(.replacedAll([try Self.object(group)]))
        book.entriesChanged(.replacedAll([]))
        return book
    }

    private func due(
        _ book: inout RegistrationBook,
        _ seconds: Int,
        controllers: Set<String>? = []
    ) -> RegistrationBook.Due {
        book.due(now: .seconds(seconds), date: Self.date + Int64(seconds), controllers: controllers)
    }

    /// A book with one machine and its entry, as the API server has stored it.
    private func registered(_ group: String = Self.group) throws -> (RegistrationBook, KubernetesObject) {
        var book = try self.book(group)
        try book.connected(1, Self.machine())
        let action = try #require(self.due(&book, 0).actions.first)
        guard case .create(var object) = action else { throw Unexpected(action: action) }
        object.uid = "e1"
        object.resourceVersion = "5"
        book.done(action, object, now: .zero)
        return (book, object)
    }

    private struct Unexpected: Error { var action: RegistrationBook.Action? }

    @Test("A machine gets an entry made from its group's template, with its own address")
    func makesEntry() throws {
        let (_, entry) = try self.registered()
        #expect(entry.namespace == "vm")
        #expect(entry.name == "db-1")
        #expect(entry.labels == ["app": "db"])
        #expect(
            entry.annotations == [
                "note": "hello", "istio.io/autoRegistrationGroup": "db", "istio.io/workloadController": "istiod-1",
                "istio.io/connectedAt": KubernetesTime.text(seconds: Self.date),
            ]
        )
        #expect(
            entry.spec == [
                "address": "10.1.0.7", "serviceAccount": "mysql", "ports": ["tcp": 3306], "locality": "eu/a",
                "labels": ["app": "db", "tier": "back"],
            ]
        )
        #expect(entry.ownerReferences.map(\.uid) == ["g1"])
    }

    @Test("Once the entry is there nothing is left to do")
    func isDone() throws {
        var (book, _) = try self.registered()
        let due = self.due(&book, 1)
        #expect(due.actions.isEmpty)
        #expect(due.next == nil)
    }

    @Test("A machine whose name is no object's name gets the group's and its address", arguments: ["", "DB_1", "a..b"])
    func fallbackName(_ name: String) throws {
        #expect(try Self.machine(name: name).entry.name == "db-10.1.0.7")
        #expect(try Self.machine("fd00::7", name: name).entry.name == "db-fd00--7")
    }

    @Test(
        "Without the group, without proof, or with another account than the group's, a machine is refused with the reason"
    )
    func refusals() throws {
        var book = try self.book()
        var stranger = try Self.machine()
        stranger.group.name = "other"
        #expect(
            throws: ProxyRefusal(.missing, "there is no WorkloadGroup `other` in namespace `vm`")
        ) { try book.connected(1, stranger) }
        stranger = try Self.machine()
        stranger.serviceAccount = "thief"
        var refusal = #expect(throws: ProxyRefusal.self) { try book.connected(1, stranger) }
        #expect(refusal?.code == .forbidden)
        stranger = try Self.machine()
        stranger.isAuthenticated = false
        refusal = #expect(throws: ProxyRefusal.self) { try book.connected(1, stranger) }
        #expect(refusal?.code == .forbidden)
        #expect(self.due(&book, 0).actions.isEmpty)
    }

    @Test("An entry stays for the grace time after its proxy has gone, and is then removed, unless it came back")
    func grace() throws {
        var (book, entry) = try self.registered()
        book.disconnected(1, now: .seconds(100))
        var due = self.due(&book, 100)
        #expect(due.actions.isEmpty)
        #expect(due.next == .seconds(110))
        #expect(self.due(&book, 109).actions.isEmpty)
        var other = book
        try other.connected(2, Self.machine())
        #expect(self.due(&other, 111).actions.isEmpty)

        due = self.due(&book, 110)
        #expect(due.actions == [.delete(Self.entry, uid: "e1", resourceVersion: "5")])
        book.entriesChanged(.deleted(entry))
        entry = KubernetesObject(.workloadEntries, namespace: "vm", name: "db-1")
        due = self.due(&book, 111)
        #expect(due.actions.isEmpty)
        #expect(due.next == nil)
    }

    @Test("An older connection of the same machine that ends late changes nothing; the newest one's address counts")
    func replacement() throws {
        var (book, entry) = try self.registered()
        try book.connected(2, Self.machine("10.1.0.8"))
        guard case .replace(let changed)? = self.due(&book, 1).actions.first else { throw Unexpected() }
        #expect(changed.spec["address"] == "10.1.0.8")
        #expect(changed.resourceVersion == "5")
        entry = changed
        book.entriesChanged(.modified(entry))
        book.disconnected(1, now: .seconds(2))
        #expect(self.due(&book, 60).actions.isEmpty)
        #expect(self.due(&book, 60).next == nil)
    }

    @Test("Entries of an earlier run or of a control plane that has gone are left time to be claimed, others alone")
    func adoption() throws {
        var book = try self.book()
        var objects: [KubernetesObject] = []
        for (name, controller) in [("a", "istiod-1"), ("b", "gone"), ("c", "alive"), ("d", nil as String?)] {
            var object = KubernetesObject(.workloadEntries, namespace: "vm", name: name)
            object.uid = name
            if let controller {
                object.annotations = [
                    "istio.io/autoRegistrationGroup": "db", "istio.io/workloadController": controller,
                ]
            }
            objects.append(object)
        }
        book.entriesChanged(.replacedAll(objects))
        #expect(self.due(&book, 0, controllers: ["alive"]).next == .seconds(60))
        #expect(self.due(&book, 59, controllers: ["alive"]).actions.isEmpty)
        let actions = self.due(&book, 60, controllers: ["alive"]).actions
        #expect(actions.map(\.entry.name) == ["a", "b"])
    }

    @Test("Before it is known which control planes there are, no other one is taken for gone")
    func adoptionUnknown() throws {
        var book = try self.book()
        var object = KubernetesObject(.workloadEntries, namespace: "vm", name: "a")
        object.uid = "a"
        object.annotations = ["istio.io/autoRegistrationGroup": "db", "istio.io/workloadController": "other"]
        book.entriesChanged(.replacedAll([object]))

        #expect(self.due(&book, 0, controllers: nil).next == nil)
        #expect(self.due(&book, 100, controllers: nil).actions.isEmpty)
        // The time to come here begins when it is found to be gone.
        #expect(self.due(&book, 100, controllers: []).next == .seconds(160))
    }

    @Test(
        "Of two control planes the one keeps a machine's entry to which it came later, the other is told once",
        arguments: [(-1, "istiod-2", false), (1, "istiod-2", true), (0, "istiod-0", false), (0, "istiod-2", true)]
    )
    func twoControllers(_ later: Int64, _ other: String, _ yields: Bool) throws {
        var (book, entry) = try self.registered()
        entry.annotations["istio.io/workloadController"] = other
        entry.annotations["istio.io/connectedAt"] = KubernetesTime.text(seconds: Self.date + later)
        entry.spec["address"] = "10.1.0.9"
        book.entriesChanged(.modified(entry))
        book.reported(1, WorkloadHealth(isHealthy: true))

        let first = self.due(&book, 1, controllers: [other])
        let second = self.due(&book, 2, controllers: [other])

        #expect(first.actions.isEmpty == yields && second.actions.isEmpty == yields)
        #expect(first.yielded.map(\.controller) == (yields ? [other] : []) && second.yielded.isEmpty)
        // Once that one has gone the entry is ours.
        guard case .replace(let changed)? = self.due(&book, 3, controllers: []).actions.first else {
            throw Unexpected()
        }
        #expect(changed.spec["address"] == "10.1.0.7")
    }

    @Test("An entry that went after its removal had failed is forgotten altogether")
    func forgetsRetries() throws {
        let (registered, entry) = try self.registered()
        var book = registered
        book.disconnected(1, now: .zero)
        let action = try #require(self.due(&book, 10).actions.first)
        book.failed(action, now: .seconds(10))
        #expect(book.retriesPending == 1)
        book.entriesChanged(.deleted(entry))

        _ = self.due(&book, 10)

        #expect(book.retriesPending == 0)
    }

    @Test("An entry that a person made is not changed and not removed")
    func handMade() throws {
        var book = try self.book()
        let made = try Self.object(
            """
            {apiVersion: networking.istio.io/v1, kind: WorkloadEntry, metadata: {name: db-1, namespace: vm},
             spec: {address: 10.9.9.9, serviceAccount: mysql}}
            """
        )
        book.entriesChanged(.added(made))
        try book.connected(1, Self.machine())
        #expect(self.due(&book, 0).actions.isEmpty)
        book.disconnected(1, now: .seconds(1))
        #expect(self.due(&book, 100).actions.isEmpty)
        #expect(self.due(&book, 100).next == nil)
    }

    @Test("Health is written as a condition when it changes, beside the conditions of others")
    func health() throws {
        var (book, entry) = try self.registered()
        entry.status = ["conditions": [["type": "Other", "status": "True"]]]
        book.entriesChanged(.modified(entry))
        book.reported(1, WorkloadHealth(isHealthy: false, message: "refused"))
        guard case .setConditions(Self.entry, "5", let conditions)? = self.due(&book, 1).actions.first else {
            throw Unexpected()
        }
        #expect(conditions.array?.count == 2)
        #expect(conditions.array?.last?["type"] == "Healthy")
        #expect(conditions.array?.last?["status"] == "False")
        #expect(conditions.array?.last?["message"] == "refused")
        entry.status = ["conditions": conditions]
        book.entriesChanged(.modified(entry))
        #expect(self.due(&book, 2).actions.isEmpty)
        book.reported(1, WorkloadHealth(isHealthy: true))
        #expect(self.due(&book, 3).actions.count == 1)
    }

    @Test("A group with a probe makes entries that wait for the first report, and one that loses it no longer does")
    func probed() throws {
        let probed = Self.group.replacing("spec: {", with: "spec: {probe: {tcpSocket: {port: 1}}, ")
        var (book, entry) = try self.registered(probed)
        #expect(entry.annotations["proxy.istio.io/health-checks-enabled"] == "true")
        book.groupsChanged(.modified(try Self.object(Self.group)))
        guard case .replace(let changed)? = self.due(&book, 1).actions.first else { throw Unexpected() }
        #expect(changed.annotations["proxy.istio.io/health-checks-enabled"] == nil)
        entry = changed
    }

    @Test("A write that failed is tried again after a while")
    func retry() throws {
        var book = try self.book()
        try book.connected(1, Self.machine())
        let action = try #require(self.due(&book, 0).actions.first)
        book.failed(action, now: .zero)
        #expect(self.due(&book, 0).actions.isEmpty)
        #expect(self.due(&book, 0).next == .seconds(1))
        #expect(self.due(&book, 1).actions == [action])
    }

    @Test("A server that does not keep what it is told is not told again at once")
    func pruning() throws {
        var book = try self.book()
        try book.connected(1, Self.machine())
        let action = try #require(self.due(&book, 0).actions.first)
        guard case .create(var object) = action else { throw Unexpected(action: action) }
        object.spec["locality"] = nil
        book.done(action, object, now: .zero)
        #expect(self.due(&book, 30).actions.isEmpty)
        #expect(self.due(&book, 60).actions.count == 1)
    }
}
