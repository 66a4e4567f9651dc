import KubernetesAPI
import LocalAPIServer
import Testing

@Suite struct ServiceAddressesTests {
    @Test("A range contains its addresses but not its first and last")
    func range() throws {
        let range = try #require(AddressRange("10.214.0.0/16"))
        #expect(range.contains("10.214.0.1") && range.contains("10.214.255.254"))
        #expect(!range.contains("10.214.0.0") && !range.contains("10.214.255.255") && !range.contains("10.215.0.1"))
    }

    @Test(
        "Malformed ranges are refused",
        arguments: ["", "10.0.0.0", "10.0.0.0/33", "10.0.0/16", "x/8", "10.0.0.256/16"]
    )
    func malformed(_ text: String) { #expect(AddressRange(text) == nil) }

    @Test("All addresses of a small range are found before it is full")
    func exhaustion() throws {
        let range = try #require(AddressRange("10.0.0.0/29"))
        var taken = Set<String>()
        while let free = range.free(notIn: taken) { taken.insert(free) }
        #expect(taken == ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "10.0.0.5", "10.0.0.6"])
    }
}
