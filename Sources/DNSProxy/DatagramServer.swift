internal import CDNSProxy
internal import DNSWire
internal import Glibc
internal import NIOCore
internal import NIOPosix
internal import Synchronization

/// Answers datagrams on a thread of its own.
///
/// A thread that waits in `recvmmsg` needs one system call for all questions that have come meanwhile and one for all
/// their answers; an event loop's datagram channel needs two more to learn that there is something, and makes several
/// objects for each datagram. What `QuickAnswerer` answers never leaves the thread. The rest — names that are not in
/// the table, and whatever is uncommon — goes to the event loop, whose answers go out through the same socket.
final class DatagramServer: Sendable {
    /// A query for the event loop.
    struct HandedOver: Sendable {
        var query: ByteBuffer
        var peer: sockaddr_storage

        var source: DatagramSource? { withUnsafePointer(to: self.peer) { DatagramSource($0) } }
    }

    /// Datagrams taken from the kernel at once.
    private static let batchMax = 64
    /// A query is a name, an OPT record and some options; longer ones come over TCP.
    private static let queryMax = 2048
    /// Burst that the socket holds while the thread is busy; the system may allow less.
    private static let receiveBytes = 4 << 20
    /// Queries on their way to the event loop; what is more is lost, and asked again.
    private static let handedOverMax = 4096

    private let socket: Mutex<Int32>
    private let tables: CurrentTable
    private let recentNames: RecentNames?
    private let known: KnownAnswers
    private let answersAtOnce: Bool
    private let ownSockets: OwnSockets
    private let handOver: @Sendable (DatagramServer, [HandedOver]) -> Void
    private let pool = NIOThreadPool(numberOfThreads: 1)
    private let isStopped = Atomic<Bool>(false)
    private let handedOver = Atomic<Int>(0)
    private let answered = Atomic<UInt64>(0)
    private let answeredKnown = Atomic<UInt64>(0)
    private let truncated = Atomic<UInt64>(0)
    private let lost = Atomic<UInt64>(0)

    /// Where it listens.
    let address: SocketAddress

    /// - Parameters:
    ///   - address: where to listen, with its port.
    ///   - tables: where names are looked up.
    ///   - recentNames: notes what was looked up.
    ///   - known: other servers' answers.
    ///   - answersAtOnce: whether anything is answered here, or all by the event loop.
    ///   - ownSockets: what comes from these is a question that we have sent ourselves.
    ///   - handOver: takes queries that are not answered here; called on the thread.
    /// - Throws: `IOError` if the address cannot be had.
    init(
        _ address: SocketAddress,
        tables: CurrentTable,
        recentNames: RecentNames?,
        known: KnownAnswers,
        answersAtOnce: Bool,
        ownSockets: OwnSockets,
        handOver: @escaping @Sendable (DatagramServer, [HandedOver]) -> Void
    ) throws {
        let socket = address.withSockAddr { lateen_datagram_open($0, socklen_t($1), Int32(Self.receiveBytes)) }
        guard socket >= 0 else { throw IOError(errnoCode: -socket, reason: "bind") }
        self.socket = Mutex(socket)
        self.address = address
        self.tables = tables
        self.recentNames = recentNames
        self.known = known
        self.answersAtOnce = answersAtOnce
        self.ownSockets = ownSockets
        self.handOver = handOver
    }

    /// Begins to answer.
    func start() throws {
        guard
            let batch = lateen_datagram_batch_new(
                Int32(Self.batchMax),
                UInt32(Self.queryMax),
                UInt32(QuickAnswerer.datagramMax)
            )
        else { throw IOError(errnoCode: ENOMEM, reason: "room for datagrams") }
        let room = Room(batch: batch)
        self.pool.start()
        self.pool.submit { _ in self.run(room) }
    }

    /// Ends the thread and gives the port back.
    func stop() async {
        self.isStopped.store(true, ordering: .sequentiallyConsistent)
        // Wakes whoever waits for datagrams, now or later; that the socket has no peer (ENOTCONN) is no matter.
        self.socket.withLock { _ = shutdown($0, Int32(SHUT_RD)) }
        // It fails only if it was shut down before.
        try? await self.pool.shutdownGracefully()
        self.socket.withLock { socket in
            if socket >= 0 { close(socket) }
            socket = -1
        }
    }

    /// Sends the event loop's answer to a query that was handed over.
    func send(_ answer: ByteBuffer, to peer: sockaddr_storage) {
        var peer = peer
        self.socket.withLock { socket in
            guard socket >= 0 else { return }
            answer.withUnsafeReadableBytes { bytes in
                guard let start = bytes.baseAddress else { return }
                // Lost answers are asked for again; that is what UDP is.
                _ = lateen_datagram_send(socket, start, UInt32(bytes.count), &peer)
            }
        }
    }

    /// The event loop has taken so many of what was handed over.
    func taken(_ count: Int) { self.handedOver.subtract(count, ordering: .relaxed) }

    /// Adds what was answered here.
    func add(to statistics: inout DNSStatistics) {
        let answered = self.answered.load(ordering: .relaxed)
        statistics.requests += answered + self.answeredKnown.load(ordering: .relaxed)
        statistics.answeredLocally += answered
        statistics.truncated += self.truncated.load(ordering: .relaxed)
        statistics.overloaded += self.lost.load(ordering: .relaxed)
    }

    // MARK: The thread

    /// The thread's own memory.
    private struct Room: @unchecked Sendable {  // handed to the thread once, and nobody else keeps it
        let batch: OpaquePointer
    }

    private func run(_ room: Room) {
        let batch = room.batch
        defer { lateen_datagram_batch_free(batch) }
        let socket = self.socket.withLock { $0 }
        let answerer = QuickAnswerer()
        var random = UInt32.random(in: 1...UInt32.max)
        while !self.isStopped.load(ordering: .relaxed) {
            let count = lateen_datagrams_receive(batch, socket)
            guard count > 0 else {
                // Interrupted; anything else would only come again at once.
                if count < 0, count != -EINTR { usleep(1000) }
                continue
            }
            if self.isStopped.load(ordering: .relaxed) { return }
            self.answer(Int(count), batch, answerer, &random)
            lateen_datagrams_send(batch, socket)
        }
    }

    private func answer(_ count: Int, _ batch: OpaquePointer, _ answerer: QuickAnswerer, _ random: inout UInt32) {
        let held = self.tables.held
        var rest: [HandedOver] = []
        let now = Duration.nanoseconds(Int64(clamping: NIODeadline.now().uptimeNanoseconds))
        var answered = 0
        var answeredKnown = 0
        var truncated = 0
        for index in 0..<Int32(truncatingIfNeeded: count) {
            // Xorshift (Marsaglia, 2003): anything will do that is not the same for a client's every other question.
            random ^= random << 13
            random ^= random >> 17
            random ^= random << 5
            let query = UnsafeRawBufferPointer(
                start: lateen_datagram_query(batch, index),
                count: Int(lateen_datagram_query_length(batch, index))
            )
            let room = UnsafeMutableRawBufferPointer(
                start: lateen_datagram_answer(batch, index),
                count: QuickAnswerer.datagramMax
            )
            let peer = lateen_datagram_peer(batch, index)
            let isForHere =
                self.answersAtOnce && lateen_datagram_is_cut(batch, index) == 0
                && !self.ownSockets.contains(DatagramSource(peer))
            if isForHere,
                let answer = answerer.answer(query, from: held.table, rotation: random, into: room)
            {
                lateen_datagram_set_answer_length(batch, index, UInt32(truncatingIfNeeded: answer.length))
                answered += 1
                if answer.isTruncated { truncated += 1 }
                self.recentNames?.record(answer, ttl: held.table.ttl)
            } else if isForHere,
                let found = answerer.answer(
                    query,
                    from: self.known,
                    table: held.number,
                    rotation: random,
                    now: now,
                    into: room
                )
            {
                lateen_datagram_set_answer_length(batch, index, UInt32(truncatingIfNeeded: found.length))
                answeredKnown += 1
                if found.isTruncated { truncated += 1 }
                self.recentNames?.record(found.answer, age: found.age)
            } else {
                var bytes = ByteBuffer(bytes: query)
                // What was cut must not look whole by chance: a byte behind the end is a mistake in any message.
                if lateen_datagram_is_cut(batch, index) != 0 { bytes.writeInteger(UInt8(0)) }
                rest.append(HandedOver(query: bytes, peer: peer.pointee))
            }
        }
        if answeredKnown > 0 { self.answeredKnown.add(UInt64(answeredKnown), ordering: .relaxed) }
        if answered > 0 { self.answered.add(UInt64(answered), ordering: .relaxed) }
        if truncated > 0 { self.truncated.add(UInt64(truncated), ordering: .relaxed) }
        if !rest.isEmpty { self.pass(rest) }
    }

    private func pass(_ queries: [HandedOver]) {
        guard self.handedOver.load(ordering: .relaxed) + queries.count <= Self.handedOverMax else {
            self.lost.add(UInt64(queries.count), ordering: .relaxed)
            return
        }
        self.handedOver.add(queries.count, ordering: .relaxed)
        self.handOver(self, queries)
    }
}
