import Foundation
import KubernetesAPI
import NIOCore

/// One watch: the changes of a kind from a version on, filtered for one client, as lines of JSON.
struct ResourceWatch: Sendable {
    let service: ResourceService
    let info: ResourceInfo
    let query: ListQuery
    let representation: Representation
    let allowsBookmarks: Bool
    let sendsInitialEnd: Bool
    /// `nil`: begin with the current objects.
    let startVersion: Int64?
    let timeout: Duration

    /// Time between bookmarks on a quiet watch; also how soon a vanished client is noticed at the latest.
    private static let bookmarkInterval: Duration = .seconds(30)
    private static let timeoutDefault = 1800
    private static let changesPerWrite = 256

    init(_ request: APIRequest, service: ResourceService, info: ResourceInfo, query: ListQuery) throws {
        self.service = service
        self.info = info
        self.query = query
        self.representation = try Representation(request)
        self.allowsBookmarks = request.flag("allowWatchBookmarks")
        self.sendsInitialEnd = request.flag("sendInitialEvents")
        let seconds = try request.integer("timeoutSeconds") ?? Self.timeoutDefault
        self.timeout = .seconds(min(max(seconds, 1), 86_400))
        switch request.parameter("resourceVersion") {
        case nil, ""?, "0"?: self.startVersion = nil
        case let text?:
            guard let version = Int64(text) else {
                throw APIFailure.badRequest("resourceVersion must be one that this server gave out, not \"\(text)\"")
            }
            self.startVersion = self.sendsInitialEnd ? nil : version
        }
    }

    func run(_ write: APIResponse.StreamWriter) async throws {
        let wakeups = self.service.store.wakeups(for: self.info.storageResource)
        let deadline = ContinuousClock.now + self.timeout
        var output = WatchOutput(representation: self.representation, info: self.info)
        var cursor: Int64
        if let start = self.startVersion {
            cursor = start
        } else {
            let page = self.service.list(self.info, query: self.unpaged)
            cursor = page.version
            for object in page.objects { output.add("ADDED", object) }
            if self.sendsInitialEnd { output.addBookmark(cursor, endsInitial: true) }
        }
        if let bytes = output.take() { try await write(bytes) }
        try await withThrowingTaskGroup(of: Void.self) { group in
            let (ticks, tick) = AsyncStream<Bool>.makeStream(bufferingPolicy: .bufferingNewest(8))
            group.addTask {
                for await _ in wakeups { tick.yield(false) }
            }
            group.addTask {
                while ContinuousClock.now < deadline {
                    try await Task.sleep(until: min(deadline, ContinuousClock.now + Self.bookmarkInterval))
                    tick.yield(true)
                }
                tick.finish()
            }
            // Changes may have come before the wake-ups were asked for.
            tick.yield(false)
            for await isTimer in ticks {
                guard try await self.send(&cursor, &output, write) else { break }
                if isTimer, self.allowsBookmarks {
                    output.addBookmark(cursor, endsInitial: false)
                    if let bytes = output.take() { try await write(bytes) }
                }
            }
            group.cancelAll()
        }
    }

    private var unpaged: ListQuery {
        var query = self.query
        query.limit = nil
        query.after = nil
        return query
    }

    /// Sends what happened since `cursor`; `false` ends the watch because history was lost.
    private func send(
        _ cursor: inout Int64,
        _ output: inout WatchOutput,
        _ write: APIResponse.StreamWriter
    ) async throws -> Bool {
        while true {
            let since = cursor
            let (changes, version) = self.service.store.read { index in
                (index.changes(of: self.info.storageResource, after: since), index.version)
            }
            guard let changes else {
                output.addError(
                    APIFailure.gone("too old resource version: \(since) (\(version)); list again and watch from there")
                )
                if let bytes = output.take() { try await write(bytes) }
                return false
            }
            if changes.isEmpty {
                cursor = max(cursor, version)
                return true
            }
            let batch = changes.prefix(Self.changesPerWrite)
            for change in batch {
                self.add(change, to: &output)
                cursor = change.resourceVersion
            }
            if let bytes = output.take() { try await write(bytes) }
        }
    }

    /// An object that begins or ceases to match the selectors appears as added or deleted.
    private func add(_ change: StoreChange, to output: inout WatchOutput) {
        if let namespace = self.query.namespace, change.after.key.namespace != namespace { return }
        let after = VersionConversion.present(change.after.json, as: self.info)
        let before = change.before.map { VersionConversion.present($0.json, as: self.info) }
        let didMatch = before.map(self.query.matches) ?? false
        let matches = !change.isDeletion && self.query.matches(after)
        switch (didMatch, matches) {
        case (false, true): output.add("ADDED", after)
        case (true, true): output.add("MODIFIED", after)
        case (true, false): output.add("DELETED", after)
        case (false, false): ()
        }
    }
}

/// Gathers the lines of one piece of a watch.
private struct WatchOutput {
    let representation: Representation
    let info: ResourceInfo
    private var bytes: [UInt8] = []
    private var hasSentColumns = false

    init(representation: Representation, info: ResourceInfo) {
        self.representation = representation
        self.info = info
    }

    mutating func add(_ type: String, _ object: JSONValue) {
        let shown = self.representation.one(object, info: self.info, withColumns: !self.hasSentColumns)
        self.hasSentColumns = true
        self.append(["type": .string(type), "object": shown])
    }

    mutating func addBookmark(_ version: Int64, endsInitial: Bool) {
        var metadata: JSONValue = ["resourceVersion": .string(String(version)), "creationTimestamp": .null]
        if endsInitial { metadata.set("annotations", ["k8s.io/initial-events-end": "true"]) }
        let object: JSONValue =
            switch self.representation {
            case .object:
                ["apiVersion": .string(self.info.apiVersion), "kind": .string(self.info.kind), "metadata": metadata]
            case .metadata: ["apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata", "metadata": metadata]
            case .table:
                [
                    "apiVersion": "meta.k8s.io/v1", "kind": "Table", "metadata": metadata, "columnDefinitions": [],
                    "rows": [],
                ]
            }
        self.append(["type": "BOOKMARK", "object": object])
    }

    mutating func addError(_ failure: APIFailure) { self.append(["type": "ERROR", "object": failure.status]) }

    mutating func take() -> ByteBuffer? {
        if self.bytes.isEmpty { return nil }
        defer { self.bytes = [] }
        return ByteBuffer(bytes: self.bytes)
    }

    private mutating func append(_ event: JSONValue) {
        self.bytes += event.serialize()
        self.bytes.append(UInt8(ascii: "\n"))
    }
}
