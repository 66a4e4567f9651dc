import ProxyRuntime
import Testing
import TrafficEngine

@Suite struct TunnelMachineTests {
    @Test("Each direction ends by itself, and the second end closes both")
    func carriesHalfClose() {
        var machine = TunnelMachine()
        #expect(machine.connected() == .pass)
        #expect(machine.clientEnded() == .endOtherSide)
        #expect(machine.clientEnded() == .ignore)
        #expect(machine.serverEnded() == .closeBoth)
    }

    @Test("A client that ends its side before the endpoint is connected still gets its bytes through")
    func endsBeforeConnected() {
        var machine = TunnelMachine()
        #expect(machine.clientEnded() == .ignore)
        #expect(machine.connected() == .passAndEndServerSide)
        #expect(machine.serverEnded() == .closeBoth)
    }

    @Test("An endpoint that is connected after the client has gone is closed")
    func closesLateServer() {
        var machine = TunnelMachine()
        #expect(machine.closed(isClient: true, isReset: false) == .closeOther(.downstreamClosed))
        #expect(machine.connected() == .closeServer)
    }

    @Test("A reset is passed on, an orderly end is not turned into one")
    func passesReset() {
        var reset = TunnelMachine()
        _ = reset.connected()
        #expect(reset.closed(isClient: false, isReset: true) == .resetOther(.upstreamReset))
        #expect(reset.closed(isClient: true, isReset: false) == .ignore)
        var orderly = TunnelMachine()
        _ = orderly.connected()
        #expect(orderly.closed(isClient: false, isReset: false) == .closeOther(.completed))
    }

    @Test("It ends once")
    func endsOnce() {
        var machine = TunnelMachine()
        let first = machine.ended()
        let second = machine.ended()
        #expect(first)
        #expect(!second)
        #expect(machine.closed(isClient: true, isReset: true) == .ignore)
    }
}
