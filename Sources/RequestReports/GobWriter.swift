/// Writes what a stat message in Go's `encoding/gob` is made of.
struct GobWriter {
    private(set) var bytes: [UInt8] = []

    mutating func uint(_ value: UInt64) {
        guard value >= 0x80 else {
            self.bytes.append(UInt8(value))
            return
        }
        let count = (71 - value.leadingZeroBitCount) / 8
        self.bytes.append(UInt8(256 - count))
        for index in (0..<count).reversed() { self.bytes.append(UInt8(truncatingIfNeeded: value >> (8 * index))) }
    }

    mutating func int(_ value: Int64) {
        self.uint(value < 0 ? UInt64(bitPattern: ~value) << 1 | 1 : UInt64(value) << 1)
    }

    mutating func float(_ value: Double) { self.uint(value.bitPattern.byteSwapped) }

    mutating func text(_ text: String) {
        self.uint(UInt64(text.utf8.count))
        self.bytes += text.utf8
    }

    /// A message: its length, then `body`.
    mutating func message(_ body: (inout GobWriter) -> Void) {
        var inner = GobWriter()
        body(&inner)
        self.uint(UInt64(inner.bytes.count))
        self.bytes += inner.bytes
    }

    /// A structure: its fields, those that are zero left out, and a zero byte.
    mutating func structure(_ body: (inout Fields) -> Void) {
        var fields = Fields(writer: self)
        body(&fields)
        self = fields.writer
        self.uint(0)
    }

    /// The definition of a structure `name` with the type id `id`.
    mutating func definition(_ name: String, id: Int64, fields: [(name: String, type: Int64)]) {
        self.message { message in
            message.int(-id)
            message.structure { wireType in
                wireType.field(3) { writer in
                    writer.structure { structType in
                        structType.field(1) { writer in
                            writer.structure { commonType in
                                commonType.field(1) { $0.text(name) }
                                commonType.field(2) { $0.int(id) }
                            }
                        }
                        structType.field(2) { writer in
                            writer.uint(UInt64(fields.count))
                            for field in fields {
                                writer.structure { fieldType in
                                    fieldType.field(1) { $0.text(field.name) }
                                    fieldType.field(2) { $0.int(field.type) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }

    /// Fields of a structure, in rising order: each is written behind its distance from the one before.
    struct Fields {
        fileprivate var writer: GobWriter
        private var last: UInt64 = 0

        fileprivate init(writer: GobWriter) { self.writer = writer }

        mutating func field(_ number: UInt64, _ body: (inout GobWriter) -> Void) {
            self.writer.uint(number - self.last)
            self.last = number
            body(&self.writer)
        }

        mutating func text(_ number: UInt64, _ text: String) {
            if !text.isEmpty { self.field(number) { $0.text(text) } }
        }

        mutating func float(_ number: UInt64, _ value: Double) {
            if value != 0 { self.field(number) { $0.float(value) } }
        }

        mutating func int(_ number: UInt64, _ value: Int64) {
            if value != 0 { self.field(number) { $0.int(value) } }
        }
    }
}
