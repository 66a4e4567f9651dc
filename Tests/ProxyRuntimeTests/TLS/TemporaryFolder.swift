import Foundation

/// A folder of a test's own.
struct TemporaryFolder {
    private let url: URL

    init() throws {
        self.url = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
        try FileManager.default.createDirectory(at: self.url, withIntermediateDirectories: true)
    }

    func path(_ name: String) -> String { self.url.appendingPathComponent(name).path }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        try Data(bytes).write(to: self.url.appendingPathComponent(name), options: .atomic)
    }

    func remove() throws { try FileManager.default.removeItem(at: self.url) }
}
