package import DNSWire
internal import MeshModel
internal import NIOCore

/// Another server's answer, reduced to what it was asked for.
///
/// A server is believed about the name in question and where its aliases lead, and nothing else: records of other
/// names, which could poison a cache, are left out, and so are name servers and their addresses, which clients of a
/// resolver do not use. What is left is written anew: the question first, aliases in their order, then the records
/// (facts #5).
package struct CleanAnswer: Hashable, Sendable {
    /// Without OPT; with the question in the client's case.
    package private(set) var message: DNSMessage
    /// Seconds for which it may be kept; 0: not at all.
    package private(set) var ttl: UInt32
    /// There is no such name, or no such record.
    package private(set) var isNegative: Bool
    /// Records that nobody asked for, in the answer section.
    package private(set) var strangers: Int

    /// A day: a longer TTL is a mistake, or an attack. One with the highest bit set counts as long (RFC 8767 section 4).
    package static let ttlMax: UInt32 = 86_400
    /// RFC 2308 section 5 allows hours; where names come and go with workloads, a quarter of one is long.
    package static let negativeTTLMax: UInt32 = 900
    /// Aliases in one answer; more than that is a loop.
    private static let aliasesMax = 16

    /// `nil` if it is no answer: a referral to other servers, or a contradiction.
    ///
    /// - Parameters:
    ///   - message: an answer to `question`, with the code 0 or 3.
    ///   - question: as it was asked.
    ///   - wantsSignatures: whether the client understands DNSSEC (DO).
    ///   - bindings: what becomes of HTTPS and SVCB records.
    package init?(
        _ message: DNSMessage,
        to question: DNSQuestion,
        wantsSignatures: Bool = false,
        bindings: ServiceBindings = .unchanged
    ) {
        var collector = Collector(answers: message.answers, type: question.type, wantsSignatures: wantsSignatures)
        collector.follow(question.name)
        let isFound = collector.hasFinal
        let answers = collector.kept.compactMap(bindings.handedOn)
        self.strangers = message.answers.count - collector.kept.count
        self.isNegative = !isFound || answers.isEmpty
        let code = message.responseCode
        if code == .nameError, isFound { return nil }

        var header = DNSHeader(id: 0, flags: message.header.flags & 0x00b0)
        header.isResponse = true
        header.responseCode = code
        self.message = DNSMessage(header: header, questions: [question], answers: answers)
        self.ttl = collector.kept.map(\.ttl).min() ?? Self.ttlMax
        if wantsSignatures { self.message.authorities = message.authorities.compactMap(Self.proof) }
        guard !isFound else { return }

        // RFC 2308 section 5: without SOA nothing says how long, so it is not kept.
        guard let authority = Self.authority(message, collector.end) else {
            let isReferral = message.authorities.contains { $0.data.type == .ns } && !message.header.isAuthoritative
            if answers.isEmpty, code == .noError, isReferral { return nil }
            if answers.isEmpty || code == .nameError { self.ttl = 0 }
            return
        }
        self.message.authorities.insert(authority, at: 0)
        self.ttl = min(self.ttl, authority.ttl)
    }

    /// The SOA of a zone that the name is in, kept for the shorter of its two times (RFC 2308 section 5).
    private static func authority(_ message: DNSMessage, _ name: DNSName) -> DNSRecord? {
        for record in message.authorities where name.isWithin(record.name) && record.recordClass == .internet {
            guard case .soa(let start) = record.data else { continue }
            var record = record
            record.ttl = min(Self.bounded(record.ttl), start.minimum, Self.negativeTTLMax)
            return record
        }
        return nil
    }

    /// Proofs that something is not there, for clients that check them.
    private static func proof(_ record: DNSRecord) -> DNSRecord? {
        switch record.data.type {
        case .nsec, .nsec3, .rrsig:
            var record = record
            record.ttl = Self.bounded(record.ttl)
            return record
        default: return nil
        }
    }

    fileprivate static func bounded(_ ttl: UInt32) -> UInt32 { min(ttl, Self.ttlMax) }

    /// Picks the records of a chain of names.
    private struct Collector {
        let answers: [DNSRecord]
        let type: DNSType
        let wantsSignatures: Bool
        var kept: [DNSRecord] = []
        /// The last name of the chain.
        var end = DNSName.root
        /// Whether there is a record of the type that was asked for.
        var hasFinal = false

        init(answers: [DNSRecord], type: DNSType, wantsSignatures: Bool) {
            self.answers = answers
            self.type = type
            self.wantsSignatures = wantsSignatures
        }

        mutating func follow(_ name: DNSName) {
            self.end = name
            var seen: Set<DNSName> = [name]
            while self.type != .cname, self.type != .any, seen.count <= CleanAnswer.aliasesMax {
                let current = self.end
                guard let alias = self.answers.first(where: { $0.name == current && $0.data.type == .cname }),
                    case .cname(let target) = alias.data, seen.insert(target).inserted
                else { break }
                self.keep { $0.data.type == .dname && current != $0.name && current.isWithin($0.name) }
                self.add([alias])
                self.keepSignatures(of: .cname)
                self.end = target
            }
            let (current, type) = (self.end, self.type)
            let before = self.kept.count
            self.keep { $0.name == current && ($0.data.type == type || type == .any) }
            self.hasFinal = self.kept.count > before
            if type != .any, type != .rrsig { self.keepSignatures(of: type) }
        }

        private mutating func keepSignatures(of type: DNSType) {
            guard self.wantsSignatures else { return }
            let current = self.end
            self.keep { record in
                guard record.name == current, case .opaque(.rrsig, let bytes) = record.data, bytes.count > 2 else {
                    return false
                }
                return UInt16(bytes[0]) << 8 | UInt16(bytes[1]) == type.rawValue
            }
        }

        private mutating func keep(_ isWanted: (DNSRecord) -> Bool) {
            self.add(self.answers.filter { $0.recordClass == .internet && isWanted($0) })
        }

        /// Records of one name and type have one time, the shortest (RFC 2181 section 5.2).
        private mutating func add(_ records: [DNSRecord]) {
            guard let ttl = records.map(\.ttl).min() else { return }
            for var record in records {
                record.ttl = CleanAnswer.bounded(ttl)
                self.kept.append(record)
            }
        }
    }
}
