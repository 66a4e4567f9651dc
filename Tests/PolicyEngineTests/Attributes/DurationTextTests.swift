import PolicyEngine
import Testing

@Suite struct DurationTextTests {
    @Test(
        "Durations are numbers with units",
        arguments: [
            ("0", Duration.zero), ("5s", .seconds(5)), ("1.5s", .milliseconds(1500)), ("1h30m", .seconds(5400)),
            ("-3s", .seconds(-3)), ("+2ms", .milliseconds(2)), (".5m", .seconds(30)), ("100us", .microseconds(100)),
            ("100µs", .microseconds(100)), ("1ns", .nanoseconds(1)), ("1.s", .seconds(1)),
        ]
    )
    func reads(_ text: String, _ expected: Duration) { #expect(DurationText.parse(text) == expected) }

    @Test(
        "Everything else is none",
        arguments: ["", "5", "s", "5 s", "5d", "1e3s", "--5s", "5s5", ".s", "9999999999h", "1h 2m", "٣s", "-"]
    )
    func refuses(_ text: String) { #expect(DurationText.parse(text) == nil) }

    @Test(
        "They are written in the shortest form",
        arguments: [
            (Duration.zero, "0s"), (.milliseconds(20), "20ms"), (.microseconds(1500), "1.5ms"),
            (.nanoseconds(7), "7ns"),
            (.nanoseconds(1100), "1.1µs"), (.seconds(90), "1m30s"), (.seconds(3600), "1h0m0s"),
            (.milliseconds(-1500), "-1.5s"), (.seconds(59), "59s"),
        ]
    )
    func writes(_ duration: Duration, _ expected: String) { #expect(DurationText.text(duration) == expected) }
}
