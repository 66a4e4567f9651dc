internal import NIOCore

/// A stream's bookkeeping on its connection: windows, what waits to be sent, and which sides have ended.
final class HTTP2Stream {
    let id: UInt32
    /// Who reads and writes it; `nil` once nobody cares any more.
    var owner: (any HTTP2StreamOwner)?
    var sendWindow: FlowWindow
    var receiveWindow: ReceiveWindow
    /// Data that found no window.
    var pending = CircularBuffer<ByteBuffer>(initialCapacity: 2)
    var pendingTrailers: ByteBuffer?
    var endsAfterPending = false
    /// It stands in the connection's list of those that wait.
    var isListed = false
    /// We have sent, or the peer has sent, the end.
    var sendEnded = false
    var receiveEnded = false
    /// Once all is sent the rest of what the peer sends is not wanted (RFC 9113 section 8.1).
    var resetsAfterEnd = false
    /// Gone from its connection.
    var isClosed = false

    init(id: UInt32, sendWindow: Int, receiveWindow: Int) {
        self.id = id
        self.sendWindow = FlowWindow(size: sendWindow)
        self.receiveWindow = ReceiveWindow(size: receiveWindow)
    }

    var hasPending: Bool { !self.pending.isEmpty || self.pendingTrailers != nil || self.endsAfterPending }
}

/// What a stream's user is told.
protocol HTTP2StreamOwner: AnyObject {
    /// What it gets can be passed on; if not, the peer's window stays small.
    var takesMore: Bool { get }

    func streamReceived(_ data: ByteBuffer, isLast: Bool)

    /// Lines of trailers; the peer's side has ended.
    func streamReceivedTrailers(_ lines: UnsafeRawBufferPointer)

    /// All that was written is sent, and more can be written.
    func streamWritable()

    /// The peer has reset it, or broken its rules; it is gone.
    func streamReset(_ code: ErrorCode, byPeer: Bool)

    /// Both sides have ended.
    func streamClosed()

    /// The connection is gone, or will not look at the stream (`wasSeen`).
    func connectionLost(wasSeen: Bool)
}
