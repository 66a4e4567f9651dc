import NIOCore
import NIOEmbedded
import ProxyRuntime
import Testing

@Suite struct ClosingTests {
    /// Takes what is written and sends none of it, as a socket does whose peer reads nothing.
    private final class Stalled: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer
        var promises: [EventLoopPromise<Void>] = []

        func write(context: ChannelHandlerContext, data: NIOAny, promise: EventLoopPromise<Void>?) {
            if let promise { self.promises.append(promise) }
        }

        func sendAll() {
            for promise in self.promises { promise.succeed() }
            self.promises = []
        }
    }

    @Test("A peer that takes nothing more is waited for as long as was said")
    func givesUp() throws {
        let stalled = Stalled()
        let channel = EmbeddedChannel(handler: stalled)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/peer")).wait()

        channel.closeAfterFlush(within: .seconds(5))
        channel.embeddedEventLoop.advanceTime(by: .milliseconds(4999))
        #expect(channel.isActive)

        channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
        #expect(!channel.isActive)
        stalled.sendAll()
    }

    @Test("A connection is closed as soon as all is sent, and its limit goes with it")
    func closesWhenSent() throws {
        let stalled = Stalled()
        let channel = EmbeddedChannel(handler: stalled)
        try channel.connect(to: SocketAddress(unixDomainSocketPath: "/peer")).wait()

        channel.closeAfterFlush(within: .seconds(5))
        stalled.sendAll()

        #expect(!channel.isActive)
        channel.embeddedEventLoop.advanceTime(by: .seconds(10))
    }
}
