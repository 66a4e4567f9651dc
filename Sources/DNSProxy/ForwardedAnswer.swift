package import DNSWire
package import MeshModel
package import NIOCore

/// How a question to other servers ended.
package enum ForwardResult: Sendable {
    case answer(ForwardedAnswer)
    /// Nobody answered, or there is too much to do: SERVFAIL (facts #3).
    case failed
}

/// Another server's answer, of now or from the cache.
package struct ForwardedAnswer: Sendable {
    /// Where it comes from.
    package enum Origin: String, Hashable, Sendable, CaseIterable {
        /// A server was asked for it.
        case forwarded
        /// It was known.
        case cached
        /// Its time is over, and nobody has a better one (RFC 8767).
        case stale
    }

    let kept: KeptAnswer
    /// When it came, in monotonic time.
    let came: Duration
    private let age: UInt32
    package let origin: Origin
    /// Whether it counts for others who ask later.
    let mayBeKept: Bool

    /// The time of records that are out of date (RFC 8767 section 4).
    package static let staleTTL: UInt32 = 30

    package init(
        _ kept: KeptAnswer,
        came: Duration = .zero,
        now: Duration = .zero,
        origin: Origin = .forwarded,
        mayBeKept: Bool = true
    ) {
        self.mayBeKept = mayBeKept
        self.kept = kept
        self.came = came
        self.age = UInt32(clamping: (now - came).components.seconds)
        self.origin = origin
    }

    package var code: DNSResponseCode { self.kept.code }
    /// Who gave it, now or when it was kept.
    package var server: DNSUpstream? { self.kept.server }
    package var isNegative: Bool { self.kept.isNegative }
    package var addresses: [IPAddress] { self.kept.addresses }

    /// Seconds for which it may still be kept.
    package var ttl: UInt32 {
        self.origin == .stale ? Self.staleTTL : self.kept.ttl > self.age ? self.kept.ttl - self.age : 0
    }

    /// The answer for a client, at most `limit` bytes long; only that it is truncated if it does not fit.
    ///
    /// - Parameters:
    ///   - query: what the client asked.
    ///   - rotation: any number; addresses begin with another one for each.
    ///   - limit: how long the answer may be.
    /// - Returns: the message.
    package func reply(to query: DNSQuery, rotation: UInt32 = 0, limit: Int) -> ByteBuffer {
        self.kept.reply(
            to: query,
            age: self.age,
            timeOverride: self.origin == .stale ? Self.staleTTL : nil,
            rotation: rotation,
            limit: limit
        )
    }

    /// Its records with their times as of now, for callers that build something else of them.
    package var message: DNSMessage? {
        self.kept.message(age: self.age, timeOverride: self.origin == .stale ? Self.staleTTL : nil)
    }
}
