import Foundation
import Glibc
import LocalPlatform
import Testing

@Suite struct ClusterLockTests {
    /// Whether somebody else could lock the file now.
    private static func isFree(_ file: String) throws -> Bool {
        let descriptor = open(file, O_RDWR)
        try #require(descriptor >= 0)
        defer { close(descriptor) }
        return flock(descriptor, LOCK_EX | LOCK_NB) == 0
    }

    @Test("A second one that wants a number waits until the first has written its own down")
    func excludes() throws {
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("lock-\(UUID())").path
        defer { try? FileManager.default.removeItem(atPath: file) }

        let lock = try ClusterLock(file: file)
        #expect(try !Self.isFree(file))
        lock.release()

        #expect(try Self.isFree(file))
    }

    @Test("A place where no file can be is told")
    func noFile() {
        #expect(throws: PlatformError.self) { _ = try ClusterLock(file: "/no/such/folder/lock") }
    }
}
