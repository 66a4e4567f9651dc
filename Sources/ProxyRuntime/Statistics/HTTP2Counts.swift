/// What the HTTP/2 codec counts.
package struct HTTP2Counts: Sendable, Hashable {
    package var streamsActive = 0
    package var resetsReceived = 0
    package var resetsSent = 0
    package var goAwaysReceived = 0
    package var goAwaysSent = 0
    package var trailers = 0
    package var malformedMessages = 0
    package var headsTooLarge = 0
    package var streamsRefused = 0
    package var tooManyContinuations = 0
    package var emptyFrameFloods = 0
    package var priorityFloods = 0
    package var windowUpdateFloods = 0
    package var controlFloods = 0
    package var outboundFloods = 0

    package init() {}

    /// The numbers under Envoy's names (`http2.…`, `cluster.<name>.http2.…`).
    package var all: [Statistic] {
        [
            Statistic("streams_active", .gauge, self.streamsActive),
            Statistic("rx_reset", .counter, self.resetsReceived),
            Statistic("tx_reset", .counter, self.resetsSent),
            Statistic("goaway_received", .counter, self.goAwaysReceived),
            Statistic("goaway_sent", .counter, self.goAwaysSent),
            Statistic("trailers", .counter, self.trailers),
            Statistic("rx_messaging_error", .counter, self.malformedMessages),
            Statistic("header_overflow", .counter, self.headsTooLarge),
            Statistic("stream_refused_errors", .counter, self.streamsRefused),
            Statistic("too_many_header_frames", .counter, self.tooManyContinuations),
            Statistic("inbound_empty_frames_flood", .counter, self.emptyFrameFloods),
            Statistic("inbound_priority_frames_flood", .counter, self.priorityFloods),
            Statistic("inbound_window_update_frames_flood", .counter, self.windowUpdateFloods),
            Statistic("outbound_control_flood", .counter, self.controlFloods),
            Statistic("outbound_flood", .counter, self.outboundFloods),
        ]
    }

    mutating func add(_ other: HTTP2Counts) {
        self.streamsActive += other.streamsActive
        self.resetsReceived += other.resetsReceived
        self.resetsSent += other.resetsSent
        self.goAwaysReceived += other.goAwaysReceived
        self.goAwaysSent += other.goAwaysSent
        self.trailers += other.trailers
        self.malformedMessages += other.malformedMessages
        self.headsTooLarge += other.headsTooLarge
        self.streamsRefused += other.streamsRefused
        self.tooManyContinuations += other.tooManyContinuations
        self.emptyFrameFloods += other.emptyFrameFloods
        self.priorityFloods += other.priorityFloods
        self.windowUpdateFloods += other.windowUpdateFloods
        self.controlFloods += other.controlFloods
        self.outboundFloods += other.outboundFloods
    }
}
