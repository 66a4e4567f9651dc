import ArgumentParser
import MeshModel

/// Flags of the addresses that the mesh makes itself.
struct VirtualAddressOptions: ParsableArguments {
    @Flag(inversion: .prefixedNo, help: "Give hosts of ServiceEntries an address if they have none.")
    var allocateAddresses = true

    @Option(
        name: .customLong("allocate-ipv4"),
        help: "Where their IPv4 addresses come from; it must lead nowhere outside the mesh."
    )
    var allocateIPv4 = VirtualAddressRanges().allocatedV4.description

    @Option(name: .customLong("allocate-ipv6"), help: "Where their IPv6 addresses come from.")
    var allocateIPv6 = VirtualAddressRanges().allocatedV6.description

    @Option(name: .customLong("mint-ipv4"), help: "Where sidecars take IPv4 addresses from for names under a wildcard.")
    var mintIPv4 = VirtualAddressRanges().mintedV4.description

    @Option(name: .customLong("mint-ipv6"), help: "Where sidecars take IPv6 addresses from for names under a wildcard.")
    var mintIPv6 = VirtualAddressRanges().mintedV6.description

    @Option(
        name: .customLong("remote-ipv4"),
        help: "Where services of other clusters get IPv4 addresses from if something here has theirs."
    )
    var remoteIPv4 = VirtualAddressRanges().remoteV4.description

    @Option(
        help: "Seconds before an address that lost its host may be another's: the longest idle connection and more."
    )
    var addressDrainSeconds = 7200

    func validate() throws {
        let texts = [
            ("allocate-ipv4", self.allocateIPv4), ("allocate-ipv6", self.allocateIPv6), ("mint-ipv4", self.mintIPv4),
            ("mint-ipv6", self.mintIPv6), ("remote-ipv4", self.remoteIPv4),
        ]
        for (name, text) in texts where CIDR(text) == nil {
            throw ValidationError("--\(name): '\(text)' is no block of addresses like 240.240.0.0/16")
        }
        let mistakes = self.ranges.mistakes
        guard mistakes.isEmpty else { throw ValidationError(mistakes.joined(separator: "; ")) }
        guard self.addressDrainSeconds >= 0 else {
            throw ValidationError("--address-drain-seconds: must not be negative")
        }
    }

    var ranges: VirtualAddressRanges {
        var ranges = VirtualAddressRanges()
        ranges.allocatedV4 = CIDR(self.allocateIPv4) ?? ranges.allocatedV4
        ranges.allocatedV6 = CIDR(self.allocateIPv6) ?? ranges.allocatedV6
        ranges.mintedV4 = CIDR(self.mintIPv4) ?? ranges.mintedV4
        ranges.mintedV6 = CIDR(self.mintIPv6) ?? ranges.mintedV6
        ranges.remoteV4 = CIDR(self.remoteIPv4) ?? ranges.remoteV4
        return ranges
    }
}
