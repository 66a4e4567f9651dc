import ProxyRuntime
import Testing

@Suite struct ResponseScannerTests {
    private static func scan(_ text: String) -> (ResponseScanner, ScanProgress) {
        var scanner = ResponseScanner()
        let progress = Array(text.utf8).withUnsafeBytes { scanner.scan($0) }
        return (scanner, progress)
    }

    @Test(
        "A valid head is read, wherever it is cut",
        arguments: [
            ("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200), ("HTTP/1.1 404\r\n\r\n", 404),
            ("HTTP/1.1 204 \r\n\r\n", 204), ("HTTP/1.0 500 Very \u{e4} bad\r\nX: y\r\n\r\n", 500),
            ("HTTP/1.1 100 Continue\r\n\r\n", 100),
        ]
    )
    func acceptsGoodHeads(_ head: String, _ status: Int) {
        let bytes = Array(head.utf8)
        for cut in 0..<bytes.count {
            var scanner = ResponseScanner()
            let first = bytes[..<cut].withUnsafeBytes { scanner.scan($0) }
            let second = bytes.withUnsafeBytes { scanner.scan($0) }
            #expect(first == .needsMore, "cut at \(cut)")
            #expect(second == .complete)
            #expect(scanner.status == status)
            #expect(scanner.headCount == bytes.count)
        }
    }

    @Test(
        "A malformed head is refused",
        arguments: [
            ("HTTP/2.0 200 OK\r\n\r\n", HeadFault.versionUnsupported), ("HTTP/1.1  200 OK\r\n\r\n", .badStatus),
            ("HTTP/1.1 2x0 OK\r\n\r\n", .badStatus), ("HTTP/1.1 099 OK\r\n\r\n", .badStatus),
            ("HTTP/1.1 600 OK\r\n\r\n", .badStatus), ("HTTP/1.1 2000 OK\r\n\r\n", .badStatus),
            ("HTTP/1.1 200 OK\n\r\n", .bareLF), ("HTTP/1.1 200 O\u{0}K\r\n\r\n", .badStartLine),
            ("hello", .badVersion), ("HTTP/1.1 200 OK\r\nX : y\r\n\r\n", .spaceBeforeColon),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", .repeatedLength),
            ("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .lengthAndEncoding),
            ("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n", .unknownEncoding),
            ("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", .encodingInOldVersion),
        ]
    )
    func refusesBadHeads(_ head: String, _ fault: HeadFault) {
        #expect(Self.scan(head).1 == .failed(fault))
    }
}
