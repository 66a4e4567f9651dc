internal import Foundation

/// A folder that is there while `body` runs and gone afterwards, however `body` ends.
///
/// - Parameters:
///   - isolation: where `body` runs.
///   - body: gets the folder's path, without a trailing slash.
/// - Returns: what `body` returns.
/// - Throws: what `body` throws, or that no folder could be made.
package func withTemporaryDirectory<Result>(
    isolation: isolated (any Actor)? = #isolation,
    _ body: (String) async throws -> Result
) async throws -> Result {
    var template = Array("/tmp/lateen-test-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else { throw TemporaryDirectoryError(code: errno) }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    // What cannot be removed shows under `/tmp`; the test's own result matters more.
    defer { try? FileManager.default.removeItem(atPath: path) }
    return try await body(path)
}

/// The system refused to make a folder.
package struct TemporaryDirectoryError: Error {
    package var code: Int32
}
