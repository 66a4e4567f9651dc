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
    func add(to record: inout AttributeRecord, duration: Duration) {
        record.set(.connectionEvent, text: self.event.rawValue)
        record.set(.receivedBytes, Int64(self.bytesReceived))
        record.set(.receivedBytesTotal, Int64(self.bytesReceivedTotal))
        record.set(.sentBytes, Int64(self.bytesSent))
        record.set(.sentBytesTotal, Int64(self.bytesSentTotal))
        if self.event == .close { record.set(.connectionDuration, duration) }
    }
}
