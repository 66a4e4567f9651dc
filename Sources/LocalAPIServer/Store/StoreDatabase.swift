import Foundation
import GRDB
import KubernetesAPI

/// The SQLite file under the store: one row per object and the resourceVersion counter.
///
/// WAL with `synchronous=FULL` syncs the log at each commit, so a write that was acknowledged survives `kill -9` and
/// loss of power.
final class StoreDatabase: Sendable {
    private let queue: DatabaseQueue

    init(file: URL) throws {
        var configuration = Configuration()
        configuration.label = "lateen.store"
        configuration.prepareDatabase { database in
            try database.execute(sql: "PRAGMA journal_mode=WAL")
            try database.execute(sql: "PRAGMA synchronous=FULL")
        }
        do {
            self.queue = try DatabaseQueue(path: file.path, configuration: configuration)
            try self.queue.write { database in
                try database.execute(
                    sql: """
                        CREATE TABLE IF NOT EXISTS objects (
                          apigroup TEXT NOT NULL, resource TEXT NOT NULL, namespace TEXT NOT NULL, name TEXT NOT NULL,
                          version INTEGER NOT NULL, json BLOB NOT NULL,
                          PRIMARY KEY (apigroup, resource, namespace, name)
                        ) WITHOUT ROWID;
                        CREATE TABLE IF NOT EXISTS counter (id INTEGER PRIMARY KEY CHECK (id = 1), version INTEGER NOT NULL);
                        INSERT OR IGNORE INTO counter VALUES (1, 1);
                        """
                )
            }
        } catch {
            throw APIServerError(
                "cannot open the object store \(file.path): \(error); is another server using it, or is the disk full?",
                cause: error
            )
        }
    }

    func load() throws -> (version: Int64, objects: [StoredObject]) {
        try self.queue.read { database in
            let version = try Int64.fetchOne(database, sql: "SELECT version FROM counter") ?? 1
            let rows = try Row.fetchCursor(
                database,
                sql: "SELECT apigroup, resource, namespace, name, version, json FROM objects"
            )
            var objects: [StoredObject] = []
            while let row = try rows.next() {
                let key = StoreKey(
                    resource: GroupResource(group: row[0], resource: row[1]),
                    namespace: row[2],
                    name: row[3]
                )
                let bytes: Data = row[5]
                objects.append(
                    StoredObject(key: key, json: try JSONValue.parse([UInt8](bytes)), resourceVersion: row[4])
                )
            }
            return (version, objects)
        }
    }

    /// Commits all changes or none.
    func commit(_ changes: some Sequence<StoreChange>, version: Int64) throws {
        try self.queue.write { database in
            for change in changes {
                let key = change.after.key
                if change.isDeletion {
                    try database.execute(
                        sql: "DELETE FROM objects WHERE apigroup = ? AND resource = ? AND namespace = ? AND name = ?",
                        arguments: [key.resource.group, key.resource.resource, key.namespace, key.name]
                    )
                } else {
                    try database.execute(
                        sql: "INSERT OR REPLACE INTO objects VALUES (?, ?, ?, ?, ?, ?)",
                        arguments: [
                            key.resource.group, key.resource.resource, key.namespace, key.name,
                            change.resourceVersion, Data(change.after.json.serialize()),
                        ]
                    )
                }
            }
            try database.execute(sql: "UPDATE counter SET version = ?", arguments: [version])
        }
    }
}
