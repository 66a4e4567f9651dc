/// How far a connection has come.
package struct ConnectionTraffic: Hashable, Sendable {
    /// What a report of it is about (`connection.event`).
    package enum Event: String, Hashable, Sendable {
        case open
        /// It goes on.
        case `continue`
        case close
    }

    package var event: Event
    /// From the client, since the report before, and since it began.
    package var bytesReceived = 0
    package var bytesReceivedTotal = 0
    /// To the client.
    package var bytesSent = 0
    package var bytesSentTotal = 0

    package init(_ event: Event) { self.event = event }

    /// Adds what the engine is told.
    func add(to values: inout [String: MixerValue], duration: Duration) {
        values["connection.event"] = .text(self.event.rawValue)
        values["connection.received.bytes"] = .number(Int64(self.bytesReceived))
        values["connection.received.bytes_total"] = .number(Int64(self.bytesReceivedTotal))
        values["connection.sent.bytes"] = .number(Int64(self.bytesSent))
        values["connection.sent.bytes_total"] = .number(Int64(self.bytesSentTotal))
        if self.event == .close { values["connection.duration"] = .duration(duration) }
    }
}
