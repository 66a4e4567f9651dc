import PolicyEngine
import Testing

@Suite struct TimestampTests {
    @Test(
        "RFC 3339 is read and written in UTC",
        arguments: [
            ("2015-01-02T15:04:35Z", "2015-01-02T15:04:35Z"), ("2015-01-02T15:04:35.250Z", "2015-01-02T15:04:35.25Z"),
            ("2015-01-02T15:04:35.000000001+02:00", "2015-01-02T13:04:35.000000001Z"),
            ("1960-02-29T00:00:00.5Z", "1960-02-29T00:00:00.5Z"), ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z"),
        ]
    )
    func reads(_ text: String, _ expected: String) throws {
        #expect(try #require(Timestamp(text)).description == expected)
    }

    @Test(
        "Everything else is refused",
        arguments: [
            "", "242233", "2015-01-02", "2015-02-30T00:00:00Z", "2015-01-02T15:04:60Z", "2015-01-02T15:04:35",
            "2015-01-02T15:04:35.Z", "2015-13-02T15:04:35Z", "0000-01-01T00:00:00Z", "0001-01-01T00:00:00+01:00",
        ]
    )
    func refuses(_ text: String) { #expect(Timestamp(text) == nil) }
}
