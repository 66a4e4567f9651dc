/// What a proxy has to know of gRPC over HTTP/2.
package enum GRPC {
    /// A value of `grpc-timeout`: up to eight digits and a unit; `nil`: malformed.
    package static func timeout(_ value: UnsafeRawBufferPointer) -> Duration? {
        guard (2...9).contains(value.count), let unit = value.last else { return nil }
        var number: Int64 = 0
        for byte in value.dropLast() {
            guard Bytes.isDigit(byte) else { return nil }
            number = number * 10 + Int64(byte - 48)
        }
        return switch unit {
        case UInt8(ascii: "H"): .seconds(number * 3600)
        case UInt8(ascii: "M"): .seconds(number * 60)
        case UInt8(ascii: "S"): .seconds(number)
        case UInt8(ascii: "m"): .milliseconds(number)
        case UInt8(ascii: "u"): .microseconds(number)
        case UInt8(ascii: "n"): .nanoseconds(number)
        default: nil
        }
    }

    /// The status that stands for an answer of HTTP, in Envoy's mapping (and gRPC's own, for clients).
    package static func status(of status: Int) -> Int {
        switch status {
        case 400: 13
        case 401: 16
        case 403: 7
        case 404: 12
        case 429, 502, 503, 504: 14
        default: 2
        }
    }

    /// A message as `grpc-message` carries it: bytes outside of printable ASCII, and `%`, as `%XX`.
    package static func message(_ text: [UInt8]) -> [UInt8] {
        var message: [UInt8] = []
        for byte in text {
            if (0x20...0x7E).contains(byte), byte != UInt8(ascii: "%") {
                message.append(byte)
            } else {
                let digits = Array("0123456789ABCDEF".utf8)
                message += [UInt8(ascii: "%"), digits[Int(byte >> 4)], digits[Int(byte & 15)]]
            }
        }
        return message
    }
}
