import LocalPlatform
import Testing

@Suite struct PreflightTests {
    @Test("The program that has a port is found in the listing of sockets")
    func owner() {
        let line = "LISTEN 0 128 127.0.0.1:16443 0.0.0.0:* users:((\"python3\",pid=42,fd=3))"

        #expect(Preflight.owner(inListing: line) == "python3 (pid 42)")
        #expect(Preflight.owner(inListing: "LISTEN 0 128 127.0.0.1:16443") == nil)
    }

    @Test("Capabilities are read from the effective set")
    func capabilities() {
        #expect(Preflight.effective(inStatus: "CapPrm:\t00ff\nCapEff:\t0000000000201000\n") == 1 << 12 | 1 << 21)
    }

    @Test("A process is told apart by its start, whatever its name holds")
    func identity() throws {
        let stat = "42 (a) b (c) S " + (0..<18).map(String.init).joined(separator: " ") + " 987 1 2"

        #expect(ProcessIdentity.startTicks(inStat: stat) == 987)
        #expect(ProcessIdentity(pidFileText: "42 987\n")?.description == "42 987")
        #expect(ProcessIdentity(pidFileText: "42") == nil)
        #expect(ProcessIdentity(pidFileText: "1 5") == nil)
    }

    @Test("The first process of a sandbox is read from bubblewrap's report")
    func sandboxInfo() {
        #expect(ContainerRun.firstProcess(inInfo: "{\n    \"child-pid\": 19444,\n") == 19444)
        #expect(ContainerRun.firstProcess(inInfo: "") == nil)
    }
}
