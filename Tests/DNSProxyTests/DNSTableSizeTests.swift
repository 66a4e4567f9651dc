import DNSProxy
import DNSWire
import MeshModel
import Testing

@Suite struct DNSTableSizeTests {
    @Test("Hosts are found and forgotten in tables of any size", arguments: [0, 1, 4, 5, 500, 3000])
    func sizes(_ count: Int) {
        let hosts = (0..<count).map { DNSHost(name: "host\($0).test", addresses: [.v4(UInt32($0))]) }
        let table = hosts.reduce(DNSTable()) { $0.updating(changed: [$1]) }
        #expect(table.count == count)
        for (number, host) in hosts.enumerated() {
            let question = DNSQuestion(name: DNSName(host.name) ?? .root, type: .a)
            guard case .records(let records, _) = table.answer(question) else {
                Issue.record("\(host.name) is lost")
                return
            }
            #expect(records.map(\.data) == [.a(UInt32(number))])
        }

        let empty = hosts.reduce(table) { $0.updating(removed: [$1.name]) }

        #expect(empty.count == 0 && table.count == count)
    }
}
