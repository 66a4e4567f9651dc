import Glibc
import KubernetesAPI

/// The moments that are written into objects and logs.
enum ClockText {
    /// `2018-07-01T10:00:00.000000001Z`
    static func text(seconds: Int64, nanoseconds: Int64) -> String {
        let digits = String(nanoseconds)
        return KubernetesTime.text(seconds: seconds).dropLast() + "."
            + String(repeating: "0", count: max(0, 9 - digits.count)) + digits + "Z"
    }

    /// Now, in whole seconds, as objects carry it.
    static func now() -> String { KubernetesTime.text(seconds: Self.nowSeconds()) }

    static func nowSeconds() -> Int64 { Int64(time(nil)) }
}
