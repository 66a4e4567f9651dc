import ArgumentParser

/// Prints the version.
struct Version: ParsableCommand {
    static let text = "0.1.0"

    static let configuration = CommandConfiguration(abstract: "Print the version.")

    func run() { print("lateen \(Self.text)") }
}
