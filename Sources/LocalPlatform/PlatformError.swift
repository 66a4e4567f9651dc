/// Why the platform cannot do what it was told; the message names the thing and the cure.
package struct PlatformError: Error, CustomStringConvertible {
    package var message: String

    package init(_ message: String) { self.message = message }

    package var description: String { self.message }
}
