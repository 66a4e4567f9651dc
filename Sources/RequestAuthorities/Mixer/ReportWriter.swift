internal import MixerAPI
package import TrafficEngine

/// Writes reports as `ReportRequest`s (`istio.mixer.v1`), straight from the bytes of what happened.
///
/// An entry of a message says what differs from the one before it. Reports of which that cannot be said, as they are of
/// another service or lack what another has, go into messages of their own, all of which grow at the same time.
package final class ReportWriter: ReportWriting {
    /// Messages that grow at once; a further one takes the place of the oldest, which is then complete.
    static let streamsMax = 16

    private var streams: [ReportStream] = []
    private var complete: [ReportMessage] = []
    /// What the report at hand says.
    private var subject = AttributeRecord()
    private var outcome = AttributeRecord()
    package private(set) var byteCount = 0

    package init() {}

    package func add(_ report: MixerReport) {
        self.outcome.fill(outcomeOf: report)
        let (index, isAlike) = self.stream(for: report)
        let before = self.streams[index].byteCount
        self.streams[index].append(report, isAlike ? nil : self.subject, self.outcome)
        self.byteCount += self.streams[index].byteCount - before
    }

    package func take() -> [ReportMessage] {
        var messages = self.complete
        self.complete.removeAll(keepingCapacity: true)
        self.byteCount = 0
        // Those of settings that are gone have nothing to say any more.
        self.streams.removeAll { $0.count == 0 }
        for index in self.streams.indices { messages.append(self.streams[index].take()) }
        return messages
    }

    /// The message that a report can go on with, and whether its last report says the same of the request. If not,
    /// `subject` is what this one says.
    private func stream(for report: MixerReport) -> (index: Int, isAlike: Bool) {
        var isFilled = false
        for index in self.streams.indices where self.streams[index].isOf(report.policy, report.service) {
            let isAlike = self.streams[index].isAlike(report)
            if !isAlike, !isFilled {
                self.subject.fill(subjectOf: report)
                isFilled = true
            }
            let mask = isAlike ? self.streams[index].subjectMask : self.subject.mask
            if self.streams[index].canTell(mask | self.outcome.mask) { return (index, isAlike) }
        }
        if !isFilled { self.subject.fill(subjectOf: report) }
        if self.streams.count >= Self.streamsMax {
            var oldest = self.streams.removeFirst()
            if oldest.count > 0 { self.complete.append(oldest.take()) }
        }
        self.streams.append(ReportStream(report))
        return (self.streams.count - 1, false)
    }
}
