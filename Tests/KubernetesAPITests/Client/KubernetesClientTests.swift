import KubernetesAPI
import Logging
import Synchronization
import Testing

@Suite struct KubernetesClientTests {
    /// A client for a scripted server; it is shut down at the end.
    private func withClient<T: Sendable>(
        limits: KubernetesClient.Limits = KubernetesClient.Limits(),
        token: String? = nil,
        script: @escaping @Sendable (ScriptedServer.Request) -> ScriptedServer.Reply,
        body: @escaping @Sendable (KubernetesClient) async throws -> T
    ) async throws -> T {
        try await ScriptedServer.run(script) { url in
            var configuration = ClientConfiguration(server: url)
            configuration.token = token.map { .fixed($0) }
            let client = try KubernetesClient(
                configuration: configuration,
                limits: limits,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
            )
            do {
                let result = try await body(client)
                await client.shutdown()
                return result
            } catch {
                await client.shutdown()
                throw error
            }
        }
    }

    private static func pod(_ name: String, _ version: Int) -> JSONValue {
        ["metadata": ["name": .string(name), "namespace": "default", "resourceVersion": .string("\(version)")]]
    }

    private static func list(_ items: [JSONValue], version: Int, next: String = "") -> ScriptedServer.Reply {
        let list: JSONValue = [
            "kind": "PodList", "items": .array(items),
            "metadata": ["resourceVersion": .string("\(version)"), "continue": .string(next)],
        ]
        return ScriptedServer.Reply(chunks: [list.text()])
    }

    private static func event(_ type: String, _ object: JSONValue) -> String {
        JSONValue.object(["type": .string(type), "object": object]).text() + "\n"
    }

    @Test("A list is read page by page, and its items know their kind")
    func pages() async throws {
        let list = try await self.withClient { request in
            request.uri.contains("continue=more%2F1")
                ? Self.list([Self.pod("b", 2)], version: 7) : Self.list([Self.pod("a", 1)], version: 7, next: "more/1")
        } body: {
            try await $0.list(.pods)
        }
        #expect(list.items.map(\.name) == ["a", "b"])
        #expect(list.items.map(\.kind) == ["Pod", "Pod"])
        #expect(list.resourceVersion == "7")
    }

    @Test("What the server refuses is thrown with its reason")
    func refusals() async throws {
        let status = Status(code: 404, reason: "NotFound", message: "pods \"x\" not found")
        let error = await #expect(throws: KubernetesError.self) {
            try await self.withClient { _ in
                ScriptedServer.Reply(status: 404, chunks: [status.json.text()])
            } body: {
                try await $0.get(.pods, namespace: "default", name: "x")
            }
        }
        #expect(error?.isNotFound == true)
        #expect(error?.status == status)
        #expect(error?.description == "GET /api/v1/namespaces/default/pods/x: pods \"x\" not found")
    }

    @Test("An answer larger than the limit, or no JSON, is refused")
    func badAnswers() async throws {
        var limits = KubernetesClient.Limits()
        limits.answerBytesMax = 10
        let tooLarge = await #expect(throws: KubernetesError.self) {
            try await self.withClient(limits: limits) { _ in
                ScriptedServer.Reply(chunks: ["[1,2,3,4,", "5,6]"])
            } body: {
                try await $0.get(.pods, name: "x")
            }
        }
        #expect(tooLarge?.code == .tooLarge)
        let noJSON = await #expect(throws: KubernetesError.self) {
            try await self.withClient { _ in
                ScriptedServer.Reply(chunks: ["<html>"])
            } body: {
                try await $0.get(.pods, name: "x")
            }
        }
        #expect(noJSON?.code == .malformedAnswer)
    }

    @Test("A server that does not answer in time is given up")
    func timeOut() async throws {
        var limits = KubernetesClient.Limits()
        limits.requestTime = .milliseconds(20)
        let error = await #expect(throws: KubernetesError.self) {
            try await self.withClient(limits: limits) { _ in
                ScriptedServer.Reply(chunks: ["{"], staysOpen: true)
            } body: {
                try await $0.get(.pods, name: "x")
            }
        }
        #expect(error?.code == .timedOut)
    }

    @Test("A server that is not there is unreachable")
    func unreachable() async throws {
        // Nobody listens on the first port; one that was closed may be another test's the next moment.
        let url = "http://127.0.0.1:1"
        let client = try KubernetesClient(
            configuration: ClientConfiguration(server: url),
            logger: Logger(label: "test")
        )
        let error = await #expect(throws: KubernetesError.self) { try await client.get(.pods, name: "x") }
        #expect(error?.code == .unreachable)
        await client.shutdown()
    }

    @Test("Writes carry the token, the kind of patch and the manager")
    func writes() async throws {
        let seen = Mutex<[ScriptedServer.Request]>([])
        try await self.withClient(token: "secret") { request in
            seen.withLock { $0.append(request) }
            return ScriptedServer.Reply(chunks: ["{}"])
        } body: { client in
            let object = KubernetesObject(.secrets, namespace: "istio-system", name: "s")
            _ = try await client.apply(.secrets, object, fieldManager: "me")
            _ = try await client.patch(.pods, namespace: "a", name: "p", subresource: "status", .merge(["x": 1]))
            try await client.delete(.pods, namespace: "a", name: "p", gracePeriod: .seconds(3))
        }
        let requests = seen.withLock { $0 }
        #expect(
            requests.map { "\($0.method) \($0.uri)" } == [
                "PATCH /api/v1/namespaces/istio-system/secrets/s?fieldManager=me&force=true",
                "PATCH /api/v1/namespaces/a/pods/p/status", "DELETE /api/v1/namespaces/a/pods/p",
            ]
        )
        #expect(
            requests.map { $0.headers["content-type"] } == [
                "application/apply-patch+yaml", "application/merge-patch+json", "application/json",
            ]
        )
        #expect(requests.allSatisfy { $0.headers["authorization"] == "Bearer secret" })
        #expect(requests.last?.body.contains("\"gracePeriodSeconds\":3") == true)
    }

    @Test("Events come out whole wherever the chunks end")
    func watch() async throws {
        let text = Self.event("ADDED", Self.pod("a", 1)) + Self.event("DELETED", Self.pod("a", 2))
        let chunks = text.map { String($0) }
        let seen = Mutex<[WatchEvent]>([])
        try await self.withClient { _ in
            ScriptedServer.Reply(chunks: chunks)
        } body: { client in
            try await client.watch(.pods, resourceVersion: "0") { event in seen.withLock { $0.append(event) } }
        }
        #expect(
            seen.withLock { $0 } == [
                .added(KubernetesObject(json: Self.pod("a", 1))), .deleted(KubernetesObject(json: Self.pod("a", 2))),
            ]
        )
    }

    @Test("A reflection lists, follows, lists anew when its version has expired, and ends when cancelled")
    func reflection() async throws {
        let gone = Status(code: 410, reason: "Expired", message: "too old").json
        let watches = Mutex(0)
        let changes = try await self.withClient { request in
            guard request.uri.contains("watch=true") else {
                return request.uri.contains("resourceVersion") || watches.withLock({ $0 }) > 0
                    ? Self.list([Self.pod("b", 9)], version: 9) : Self.list([Self.pod("a", 1)], version: 5)
            }
            let count = watches.withLock { value in
                value += 1
                return value
            }
            if count == 1 {
                #expect(request.uri.contains("resourceVersion=5"))
                return ScriptedServer.Reply(
                    chunks: [Self.event("MODIFIED", Self.pod("a", 6)), Self.event("ERROR", gone)]
                )
            }
            #expect(request.uri.contains("resourceVersion=9"))
            return ScriptedServer.Reply(chunks: [Self.event("ADDED", Self.pod("c", 10))], staysOpen: true)
        } body: { client in
            let (stream, continuation) = AsyncStream.makeStream(of: String.self)
            return await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await client.reflect(.pods, onSynced: { continuation.yield("synced") }) { change in
                        continuation.yield(Self.text(change))
                    }
                }
                var seen: [String] = []
                for await text in stream {
                    seen.append(text)
                    if seen.count == 5 { break }
                }
                group.cancelAll()
                await group.waitForAll()
                return seen
            }
        }
        #expect(changes == ["all a@1", "synced", "modified a@6", "all b@9", "added c@10"])
    }

    @Test("A type that the server does not have counts as listed, with no objects")
    func missingType() async throws {
        let status = Status(code: 404, reason: "NotFound", message: "the server could not find the resource")
        let seen = try await self.withClient { _ in
            ScriptedServer.Reply(status: 404, chunks: [status.json.text()])
        } body: { client in
            let (stream, continuation) = AsyncStream.makeStream(of: String.self)
            return await withTaskGroup(of: Void.self) { group in
                group.addTask {
                    await client.reflect(.serviceEntries, onSynced: { continuation.yield("synced") }) { change in
                        continuation.yield(Self.text(change))
                    }
                }
                var seen: [String] = []
                for await text in stream {
                    seen.append(text)
                    if seen.count == 2 { break }
                }
                group.cancelAll()
                await group.waitForAll()
                return seen
            }
        }
        #expect(seen == ["all ", "synced"])
    }

    private static func text(_ change: ObjectChange) -> String {
        func name(_ object: KubernetesObject) -> String { "\(object.name)@\(object.resourceVersion)" }
        switch change {
        case .replacedAll(let objects): return "all " + objects.map(name).joined(separator: " ")
        case .added(let object): return "added " + name(object)
        case .modified(let object): return "modified " + name(object)
        case .deleted(let object): return "deleted " + name(object)
        }
    }
}
