import Glibc
import Interception
import Synchronization

/// A network namespace with an uplink that leads nowhere, removed when `body` ends.
struct NetworkNamespace: Sendable {
    let name: String

    /// Whether this process may make namespaces and finds the programs for it.
    static let isPossible: Bool = {
        guard getuid() == 0 else { return false }
        let probe = "lateen-probe-\(getpid())"
        guard (try? Command(words: ["ip", "netns", "add", probe]).run(input: "").status) == 0 else { return false }
        // Without this program nothing else can be tested either.
        let hasTables = (try? Command(words: ["iptables-save", "--version"]).run(input: "").status) == 0
        _ = try? Command(words: ["ip", "netns", "delete", probe]).run(input: "")
        return hasTables
    }()

    static let skipReason: String =
        "needs root with CAP_SYS_ADMIN and CAP_NET_ADMIN, iproute2 and iptables to make network namespaces"

    static func with<Result>(_ body: (NetworkNamespace) throws -> Result) throws -> Result {
        let name = "lateen-test-\(getpid())-\(UInt32.random(in: 0...UInt32.max))"
        try Self.run(["ip", "netns", "add", name])
        // The veth pair goes with its namespace.
        defer { _ = try? Command(words: ["ip", "netns", "delete", name]).run(input: "") }
        let namespace = NetworkNamespace(name: name)
        try namespace.ip("link set lo up")
        try namespace.ip("link add up0 type veth peer name down0")
        try namespace.ip("address add 192.0.2.2/24 dev up0")
        try namespace.ip("link set up0 up")
        try namespace.ip("link set down0 up")
        try namespace.ip("route add default via 192.0.2.1 dev up0")
        return try body(namespace)
    }

    /// Gives the uplink an address and a way out of the other family as well.
    func addIPv6() throws {
        try self.ip("address add 2001:db8:2::2/64 dev up0 nodad")
        try self.ip("-6 route add default via 2001:db8:2::1 dev up0")
    }

    /// For programs that shall run inside.
    var prefix: [String] { ["ip", "netns", "exec", self.name] }

    func ip(_ words: String) throws {
        try Self.run(["ip", "-n", self.name] + words.split(separator: " ").map(String.init))
    }

    @discardableResult
    static func run(_ words: [String], input: String = "") throws -> String {
        let result = try Command(words: words).run(input: input)
        guard result.status == 0 else { throw Failure(text: "\(words.joined(separator: " ")): \(result.errors)") }
        return result.output
    }

    struct Failure: Error {
        var text: String
    }

    /// Runs `body` on a thread of its own that is inside the namespace; threads of the test runner stay outside.
    func inside<Value: Sendable>(_ body: @escaping @Sendable () throws -> Value) throws -> Value {
        let job = Job(namespace: self.name) { try body() }
        var thread = pthread_t()
        let started = pthread_create(
            &thread,
            nil,
            { argument in
                guard let argument else { return nil }
                Unmanaged<ThreadJob>.fromOpaque(argument).takeRetainedValue().run()
                return nil
            },
            Unmanaged<ThreadJob>.passRetained(job).toOpaque()
        )
        guard started == 0 else { throw Failure(text: "no thread") }
        pthread_join(thread, nil)
        guard let result = job.result else { throw Failure(text: "the thread ended early") }
        return try result.get()
    }

    private class ThreadJob {
        func run() {}
    }

    /// Handed over once to the thread and read back after it was joined.
    private final class Job<Value>: ThreadJob {
        let namespace: String
        let body: () throws -> Value
        var result: Result<Value, any Error>?

        init(namespace: String, body: @escaping () throws -> Value) {
            self.namespace = namespace
            self.body = body
        }

        override func run() {
            self.result = Result {
                let handle = open("/run/netns/\(self.namespace)", O_RDONLY | O_CLOEXEC)
                guard handle >= 0 else { throw Failure(text: "cannot open namespace: \(errno)") }
                defer { close(handle) }
                guard try enterNetwork(handle) == 0 else { throw Failure(text: "cannot enter: \(errno)") }
                return try self.body()
            }
        }
    }
}

/// `setns(2)` for a network namespace, looked up by name: the C library's module does not declare it for Swift.
private func enterNetwork(_ handle: Int32) throws -> Int32 {
    guard let symbol = dlsym(nil, "setns") else { throw NetworkNamespace.Failure(text: "no setns") }
    return unsafeBitCast(symbol, to: (@convention(c) (Int32, Int32) -> Int32).self)(handle, 0x4000_0000)
}
