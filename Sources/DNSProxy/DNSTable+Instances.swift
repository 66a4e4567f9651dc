internal import DNSWire

extension DNSTable {
    /// The short names of an instance of a headless service: `mysql-0.mysql`, `mysql-0.mysql.default` and
    /// `mysql-0.mysql.default.svc`, as those of the service itself with a label before them.
    func shortInstance(_ scratch: UnsafeMutableRawBufferPointer, _ count: Int) -> Found? {
        guard self.hasNamesBelowHosts, !self.sight.shortEndings.isEmpty else { return nil }
        var labels = 0
        var position = 0
        var last = 0
        while scratch[position] != 0 {
            last = position
            labels += 1
            position += 1 + Int(scratch[position])
            guard labels <= self.sight.shortEndings.count + 1 else { return nil }
        }
        // The service's name has one label less.
        guard labels > 1, labels < 4 || scratch[last..<position].elementsEqual([3, 0x73, 0x76, 0x63]) else {
            return nil
        }
        let ending = self.sight.shortEndings[labels - 2].wire
        let length = position + ending.count
        guard length <= DNSName.wireLengthMax else { return nil }
        return withUnsafeTemporaryAllocation(byteCount: DNSName.wireLengthMax, alignment: 8) { whole -> Found? in
            whole.copyMemory(from: UnsafeRawBufferPointer(rebasing: scratch[..<position]))
            ending.withUnsafeBytes {
                UnsafeMutableRawBufferPointer(rebasing: whole[position...]).copyMemory(from: $0)
            }
            guard var found = self.belowHost(whole, length), found.entry.hasShortNames, case .instance = found.part
            else { return nil }
            found.end = count
            return found
        }
    }
}
