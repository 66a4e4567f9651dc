internal import MixerAPI
package import TrafficEngine

/// Writes reports as `ReportRequest`s (`istio.mixer.v1`), straight from the bytes of what happened.
///
/// An entry of a message says what differs from the one before it. Reports of which that cannot be said, as they are of
/// another service or lack what another has, go into messages of their own, all of which grow at the same time.
package final class ReportWriter: ReportWriting {
    /// Messages that grow at once; a further one takes the place of the one that was not used for longest, which is then
    /// complete.
    static let streamsMax = 64

    /// In the order of their last use.
    private var streams: [ReportStream] = []
    private var complete: [ReportMessage] = []
    /// What the report at hand says.
    private var subject = AttributeRecord()
    private var response = AttributeRecord()
    private var outcome = AttributeRecord()
    package private(set) var byteCount = 0

    package init() {}

    package func add(_ report: MixerReport) {
        self.outcome.fill(outcomeOf: report)
        let way = self.way(of: report)
        let before = way.stream.byteCount
        way.stream.append(
            report,
            &self.subject,
            isSubjectAlike: way.isSubjectAlike,
            &self.response,
            isResponseAlike: way.isResponseAlike,
            &self.outcome
        )
        self.byteCount += way.stream.byteCount - before
    }

    package func take() -> [ReportMessage] {
        var messages = self.complete
        self.complete.removeAll(keepingCapacity: true)
        self.byteCount = 0
        // Those of settings that are gone have nothing to say any more.
        self.streams.removeAll { $0.count == 0 }
        for stream in self.streams { messages.append(stream.take()) }
        return messages
    }

    /// The message that a report goes on with.
    private struct Way {
        var stream: ReportStream
        /// The last report in it has said the same of its request. If not, `subject` is what this one says.
        var isSubjectAlike = false
        /// The same of the answer, and `response`.
        var isResponseAlike = false
    }

    private func way(of report: MixerReport) -> Way {
        var (hasSubject, hasResponse) = (false, false)
        func subjectMask() -> UInt64 {
            if !hasSubject { self.subject.fill(subjectOf: report) }
            hasSubject = true
            return self.subject.mask
        }
        func responseMask() -> UInt64 {
            if !hasResponse { self.response.fill(responseOf: report) }
            hasResponse = true
            return self.response.mask
        }
        // One that fills the same places goes before one that would fill more afterwards: others may go on with that.
        var found: (index: Int, way: Way)?
        for index in self.streams.indices.reversed() {
            let stream = self.streams[index]
            guard stream.isOf(report.policy, report.service) else { continue }
            let (subject, response) = (stream.subjectMask(asOf: report), stream.responseMask(asOf: report))
            let mask = (subject ?? subjectMask()) | (response ?? responseMask()) | self.outcome.mask
            let isSame = stream.fills(mask)
            guard isSame || (found == nil && stream.canTell(mask)) else { continue }
            found = (
                index, Way(stream: stream, isSubjectAlike: subject != nil, isResponseAlike: response != nil)
            )
            if isSame { break }
        }
        if let (index, way) = found {
            if index < self.streams.count - 1 { self.streams.append(self.streams.remove(at: index)) }
            return way
        }
        _ = (subjectMask(), responseMask())
        if self.streams.count >= Self.streamsMax {
            let oldest = self.streams.removeFirst()
            if oldest.count > 0 { self.complete.append(oldest.take()) }
        }
        let stream = ReportStream(report)
        self.streams.append(stream)
        return Way(stream: stream)
    }
}
