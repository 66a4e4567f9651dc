import ProxyRuntime
import Testing
import TrafficEngine

@Suite struct RequestScannerTests {
    private static func scan(_ text: String, headBytesMax: Int = 60 * 1024) -> (RequestScanner, ScanProgress) {
        var scanner = RequestScanner(headBytesMax: headBytesMax)
        let progress = Array(text.utf8).withUnsafeBytes { scanner.scan($0) }
        return (scanner, progress)
    }

    private static func text(_ range: ByteRange, of source: String) -> String {
        String(decoding: Array(source.utf8)[Int(range.start)..<Int(range.start + range.count)], as: UTF8.self)
    }

    static let good: [(head: String, method: String, target: String, authority: String)] = [
        ("GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "a"),
        ("GET /a?b=c&d HTTP/1.1\r\nhost:a.test:8080\r\n\r\n", "GET", "/a?b=c&d", "a.test:8080"),
        ("POST / HTTP/1.1\r\nHOST: \t a \t\r\nContent-Length: 5\r\n\r\n", "POST", "/", "a"),
        ("M-SEARCH /x HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "M-SEARCH", "/x", "[2001:db8::1]:80"),
        ("GET http://b.test/x HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/x", "b.test"),
        ("GET HTTP://b.test:81 HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "b.test:81"),
        ("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "*", "a"),
        ("GET / HTTP/1.0\r\n\r\n", "GET", "/", ""),
        ("GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX: \u{e4}\u{f6} tab\there\r\n\r\n", "GET", "/", "a"),
        ("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\n\r\n", "GET", "/", "a"),
    ]

    @Test("A valid head is complete, and its parts are where they stand", arguments: 0..<10)
    func acceptsGoodHeads(_ index: Int) {
        let expected = Self.good[index]

        let (scanner, progress) = Self.scan(expected.head)

        #expect(progress == .complete)
        #expect(scanner.headCount == expected.head.utf8.count)
        #expect(Self.text(scanner.method, of: expected.head) == expected.method)
        #expect(Self.text(scanner.target, of: expected.head) == expected.target)
        #expect(Self.text(scanner.authority, of: expected.head) == expected.authority)
    }

    @Test("A head that comes in two parts is read like a whole one, wherever it is cut", arguments: 0..<10)
    func acceptsSplitHeads(_ index: Int) {
        let expected = Self.good[index]
        let bytes = Array(expected.head.utf8)
        for cut in 0..<bytes.count {
            var scanner = RequestScanner(headBytesMax: 60 * 1024)

            let first = bytes[..<cut].withUnsafeBytes { scanner.scan($0) }
            let second = bytes.withUnsafeBytes { scanner.scan($0) }

            #expect(first == .needsMore, "cut at \(cut)")
            #expect(second == .complete, "cut at \(cut)")
            #expect(Self.text(scanner.target, of: expected.head) == expected.target)
            #expect(Self.text(scanner.authority, of: expected.head) == expected.authority)
        }
    }

    @Test("A head that comes byte by byte is read like a whole one", arguments: 0..<10)
    func acceptsDrippingHeads(_ index: Int) {
        let bytes = Array(Self.good[index].head.utf8)
        var scanner = RequestScanner(headBytesMax: 60 * 1024)
        for count in 1..<bytes.count {
            let progress = bytes[..<count].withUnsafeBytes { scanner.scan($0) }
            #expect(progress == .needsMore)
        }
        let progress = bytes.withUnsafeBytes { scanner.scan($0) }
        #expect(progress == .complete)
    }

    static let bad: [(String, HeadFault)] = [
        (" GET / HTTP/1.1\r\nHost: a\r\n\r\n", .badMethod),
        ("\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", .badMethod),
        ("G@T / HTTP/1.1\r\nHost: a\r\n\r\n", .badMethod),
        ("GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n", .badMethod),
        ("GET  / HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
        ("GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", .badVersion),
        ("GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
        ("GET /\u{0}x HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
        ("GET a HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
        ("GET * HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
        ("GET ftp://a/ HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
        ("GET http://u@a/ HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
        ("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n", .badTarget),
        ("GET http://b.test::0/x HTTP/1.0\r\n\r\n", .badTarget),
        ("GET http:///x HTTP/1.0\r\n\r\n", .badTarget),
        ("GET /\r\nHost: a\r\n\r\n", .badVersion),
        ("GET / HTTP/1.1 \r\nHost: a\r\n\r\n", .badVersion),
        ("GET / http/1.1\r\nHost: a\r\n\r\n", .badVersion),
        ("GET / HTTP/11\r\nHost: a\r\n\r\n", .badVersion),
        ("GET / HTTP/2.0\r\nHost: a\r\n\r\n", .versionUnsupported),
        ("GET / HTTP/1.2\r\nHost: a\r\n\r\n", .versionUnsupported),
        ("GET / HTTP/1.1\nHost: a\r\n\r\n", .bareLF),
        ("GET / HTTP/1.1\rHost: a\r\n\r\n", .bareCR),
        ("GET / HTTP/1.1\r\nHost: a\n\r\n", .bareLF),
        ("GET / HTTP/1.1\r\nHost: a\r\n\n", .bareLF),
        ("GET / HTTP/1.1\r\nHost: a\rX: b\r\n\r\n", .bareCR),
        ("GET / HTTP/1.1\r\nHost: a\r\n\rX", .bareCR),
        ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", .leadingWhitespace),
        ("GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n", .folded),
        ("GET / HTTP/1.1\r\nHost: a\r\n\tfolded\r\n\r\n", .folded),
        ("GET / HTTP/1.1\r\nHost: a\r\n: b\r\n\r\n", .emptyName),
        ("GET / HTTP/1.1\r\nHost : a\r\n\r\n", .spaceBeforeColon),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\t: b\r\n\r\n", .spaceBeforeColon),
        ("GET / HTTP/1.1\r\nHost: a\r\nX(: b\r\n\r\n", .badNameByte),
        ("GET / HTTP/1.1\r\nHost: a\r\nX\u{0}: b\r\n\r\n", .badNameByte),
        ("GET / HTTP/1.1\r\nHost: a\r\nJustText\r\n\r\n", .missingColon),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\u{0}b\r\n\r\n", .badValueByte),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\u{1}b\r\n\r\n", .badValueByte),
        ("GET / HTTP/1.1\r\nHost: a\r\nX: a\u{7f}b\r\n\r\n", .badValueByte),
        ("GET / HTTP/1.1\r\nX: b\r\n\r\n", .missingHost),
        ("GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", .repeatedHost),
        ("GET / HTTP/1.1\r\nHost:\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: a:b\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: a:70000\r\n\r\n", .badHost),
        ("GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", .badHost),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 1\r\n\r\n", .repeatedLength),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", .repeatedLength),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1, 1\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +1\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x1\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999999999999\r\n\r\n", .badLength),
        ("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", .lengthAndEncoding),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", .lengthAndEncoding),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", .unknownEncoding),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", .unknownEncoding),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n", .unknownEncoding),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n", .unknownEncoding),
        ("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\r\n", .unknownEncoding),
        (
            "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
            .repeatedEncoding
        ),
        ("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", .encodingInOldVersion),
    ]

    @Test("A head that could be read in more than one way is refused", arguments: 0..<bad.count)
    func refusesBadHeads(_ index: Int) {
        let (head, fault) = Self.bad[index]

        let (_, progress) = Self.scan(head)

        #expect(progress == .failed(fault), "\(head.debugDescription)")
    }

    @Test("A bad head is refused as well when it comes byte by byte", arguments: 0..<bad.count)
    func refusesDrippingBadHeads(_ index: Int) {
        let (head, _) = Self.bad[index]
        let bytes = Array(head.utf8)
        var scanner = RequestScanner(headBytesMax: 60 * 1024)
        for count in 1...bytes.count {
            let progress = bytes[..<count].withUnsafeBytes { scanner.scan($0) }
            if case .failed = progress { return }
            #expect(progress == .needsMore, "\(head.debugDescription) after \(count)")
        }
        // What cannot end a line is looked at when the line ends.
        let progress = (bytes + [10]).withUnsafeBytes { scanner.scan($0) }
        #expect(progress != .complete && progress != .needsMore, "\(head.debugDescription)")
    }

    @Test("A head of the largest size is read, one byte more is too large")
    func limitsHeadSize() {
        let limit = 200
        func head(_ count: Int) -> String {
            let start = "GET / HTTP/1.1\r\nHost: a\r\nX: "
            return start + String(repeating: "x", count: count - start.utf8.count - 4) + "\r\n\r\n"
        }

        #expect(Self.scan(head(limit), headBytesMax: limit).1 == .complete)
        #expect(Self.scan(head(limit + 1), headBytesMax: limit).1 == .failed(.tooLarge))
        func start(_ count: Int) -> String { String(decoding: head(limit * 2).utf8.prefix(count), as: UTF8.self) }
        #expect(Self.scan(start(limit), headBytesMax: limit).1 == .failed(.tooLarge))
        #expect(Self.scan(start(limit - 1), headBytesMax: limit).1 == .needsMore)
    }

    @Test("So many headers as are allowed are read, one more is too many")
    func limitsFieldCount() {
        func head(_ count: Int) -> String {
            "GET / HTTP/1.1\r\nHost: a\r\n" + (1..<count).map { "X\($0): y\r\n" }.joined() + "\r\n"
        }

        #expect(Self.scan(head(HeadFields.countMax)).1 == .complete)
        #expect(Self.scan(head(HeadFields.countMax + 1)).1 == .failed(.tooManyFields))
    }

    @Test("One scanner reads request after request")
    func resets() {
        var scanner = RequestScanner(headBytesMax: 1024)
        for expected in Self.good {
            scanner.reset()
            let progress = Array(expected.head.utf8).withUnsafeBytes { scanner.scan($0) }
            #expect(progress == .complete)
            #expect(Self.text(scanner.authority, of: expected.head) == expected.authority)
        }
    }
}
