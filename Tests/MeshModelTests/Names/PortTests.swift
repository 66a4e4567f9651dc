import MeshModel
import Testing

@Suite struct PortTests {
    @Test("Ports are 1 to 65535", arguments: [(0, false), (1, true), (65_535, true), (65_536, false), (-1, false)])
    func limits(_ value: Int, _ isPort: Bool) {
        #expect((Port(value) != nil) == isPort)
    }

    @Test("Numbers of any width never trap")
    func widths() {
        #expect(Port(Int64.max) == nil && Port(Int64.min) == nil && Port(UInt64.max) == nil)
        #expect(Port(UInt8(80))?.number == 80 && Port(Int32(-80)) == nil)
    }

    @Test("Ports are ordered and printed as numbers")
    func order() {
        let ports = [9080, 80, 443].compactMap { Port($0) }.sorted()

        #expect(ports.map(\.description) == ["80", "443", "9080"])
    }
}
