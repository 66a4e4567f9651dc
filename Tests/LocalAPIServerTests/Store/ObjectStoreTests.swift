import Foundation
import KubernetesAPI
import LocalAPIServer
import Testing

@Suite struct ObjectStoreTests {
    private let folder: URL

    init() throws {
        self.folder = FileManager.default.temporaryDirectory.appendingPathComponent("lateen-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: self.folder, withIntermediateDirectories: true)
    }

    private var file: URL { self.folder.appendingPathComponent("store.sqlite") }
    private static let maps = GroupResource(group: "", resource: "configmaps")

    private static func key(_ name: String) -> StoreKey {
        StoreKey(resource: self.maps, namespace: "default", name: name)
    }

    private static func object(_ value: Int) -> JSONValue {
        ["metadata": ["uid": "u"], "data": ["value": .string(String(value))]]
    }

    @Test("An acknowledged write is in the log on disk before anything is closed")
    func recovery() async throws {
        let store = try ObjectStore(file: self.file, historyMax: 10)
        try await store.write { transaction in
            transaction.put(Self.key("kept"), Self.object(1))
            let gone = transaction.put(Self.key("gone"), Self.object(2))
            transaction.remove(gone)
        }

        // What a killed process leaves: the files as they are, copied while the database is still open.
        let copy = self.folder.appendingPathComponent("copy.sqlite")
        for suffix in ["", "-wal"] {
            try FileManager.default.copyItem(atPath: self.file.path + suffix, toPath: copy.path + suffix)
        }
        let recovered = try ObjectStore(file: copy, historyMax: 10)

        #expect(recovered.object(Self.key("kept"))?.json["data"] == ["value": "1"])
        #expect(recovered.object(Self.key("gone")) == nil)
        #expect(recovered.read { $0.version } == store.read { $0.version })
    }

    @Test("A write that throws leaves nothing behind, and those committed with it stand")
    func failedWrite() async throws {
        struct Refused: Error {}
        let store = try ObjectStore(file: self.file, historyMax: 10)
        await #expect(throws: Refused.self) {
            let refused: @Sendable (inout StoreTransaction) throws -> Void = { transaction in
                transaction.put(Self.key("a"), Self.object(1))
                throw Refused()
            }
            try await store.write(refused)
        }
        try await store.write { _ = $0.put(Self.key("b"), Self.object(1)) }
        #expect(store.objects(of: Self.maps).map(\.key.name) == ["b"])
    }

    @Test("Concurrent writers all get distinct, increasing versions")
    func concurrency() async throws {
        let store = try ObjectStore(file: self.file, historyMax: 1000)
        let versions = try await withThrowingTaskGroup(of: Int64.self) { group in
            for number in 0..<100 {
                group.addTask {
                    try await store.write { $0.put(Self.key("n\(number)"), Self.object(number)).resourceVersion }
                }
            }
            return try await group.reduce(into: Set()) { $0.insert($1) }
        }
        #expect(versions.count == 100)
        #expect(store.read { $0.changes(of: Self.maps, after: 1)?.count } == 100)
    }

    @Test("History is bounded: recent changes can be replayed, forgotten ones are reported as such")
    func history() async throws {
        let store = try ObjectStore(file: self.file, historyMax: 4)
        var versions: [Int64] = []
        for number in 0..<9 {
            versions.append(try await store.write { $0.put(Self.key("x"), Self.object(number)).resourceVersion })
        }
        let (recent, old) = store.read { index in
            (index.changes(of: Self.maps, after: versions[5])?.count, index.changes(of: Self.maps, after: versions[0]))
        }
        #expect(recent == 3)
        #expect(old == nil)
    }

    @Test("A watcher is woken by changes of its kind")
    func wakeups() async throws {
        let store = try ObjectStore(file: self.file, historyMax: 4)
        var wakeups = store.wakeups(for: Self.maps).makeAsyncIterator()
        try await store.write { _ = $0.put(Self.key("x"), Self.object(1)) }
        #expect(await wakeups.next() != nil)
    }
}
