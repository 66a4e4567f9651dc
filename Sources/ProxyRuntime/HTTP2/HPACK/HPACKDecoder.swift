/// Takes header blocks apart (RFC 7541).
package struct HPACKDecoder {
    /// A string longer than this is not decoded; no head that we take could hold it.
    package static let stringBytesMax = 64 * 1024

    package private(set) var table = HPACKTable()
    private let huffman = HuffmanCode.standard
    private var nameScratch: [UInt8] = []
    private var valueScratch: [UInt8] = []

    package init() {}

    /// Calls `body` with each field in order.
    ///
    /// - Returns: why the block cannot be read; what comes later on the connection cannot be read either then.
    package mutating func decode(
        _ block: UnsafeRawBufferPointer,
        _ body: (_ name: UnsafeRawBufferPointer, _ value: UnsafeRawBufferPointer) -> Void
    ) -> ErrorCode? {
        var offset = 0
        var sawField = false
        while offset < block.count {
            let first = block[offset]
            if first & 0x80 != 0 {
                guard let index = Self.integer(block, &offset, prefix: 7),
                    self.table.withEntry(index, body) != nil
                else { return .compression }
                sawField = true
            } else if first & 0xE0 == 0x20 {
                // A change of size only before the first field (RFC 7541 4.2), and never over what we announced.
                guard !sawField, let limit = Self.integer(block, &offset, prefix: 5), limit <= HPACKTable.sizeMax else {
                    return .compression
                }
                self.table.resize(to: limit)
            } else {
                let isIndexed = first & 0xC0 == 0x40
                guard self.literal(block, &offset, prefix: isIndexed ? 6 : 4, isIndexed: isIndexed, body) else {
                    return .compression
                }
                sawField = true
            }
        }
        return nil
    }

    private mutating func literal(
        _ block: UnsafeRawBufferPointer,
        _ offset: inout Int,
        prefix: UInt8,
        isIndexed: Bool,
        _ body: (UnsafeRawBufferPointer, UnsafeRawBufferPointer) -> Void
    ) -> Bool {
        guard let index = Self.integer(block, &offset, prefix: prefix) else { return false }
        // Moved out, so that the table can be changed while they are looked at.
        var names: [UInt8] = []
        var values: [UInt8] = []
        swap(&names, &self.nameScratch)
        swap(&values, &self.valueScratch)
        defer {
            swap(&names, &self.nameScratch)
            swap(&values, &self.valueScratch)
        }
        let name: Source
        if index == 0 {
            guard let found = self.string(block, &offset, &names) else { return false }
            name = found
        } else {
            let isKnown: Void? = self.table.withEntry(index) { entry, _ in
                names.removeAll(keepingCapacity: true)
                names.append(contentsOf: entry)
            }
            guard isKnown != nil else { return false }
            name = .scratch
        }
        guard let value = self.string(block, &offset, &values) else { return false }
        names.withUnsafeBytes { names in
            values.withUnsafeBytes { values in
                let nameBytes = name.bytes(block, names)
                let valueBytes = value.bytes(block, values)
                body(nameBytes, valueBytes)
                if isIndexed { self.table.insert(nameBytes, valueBytes) }
            }
        }
        return true
    }

    /// Where a string stands.
    private enum Source {
        case block(Range<Int>)
        case scratch

        func bytes(_ block: UnsafeRawBufferPointer, _ scratch: UnsafeRawBufferPointer) -> UnsafeRawBufferPointer {
            switch self {
            case .block(let range): UnsafeRawBufferPointer(rebasing: block[range])
            case .scratch: scratch
            }
        }
    }

    private func string(
        _ block: UnsafeRawBufferPointer,
        _ offset: inout Int,
        _ scratch: inout [UInt8]
    ) -> Source? {
        guard offset < block.count else { return nil }
        let isHuffman = block[offset] & 0x80 != 0
        guard let count = Self.integer(block, &offset, prefix: 7), count <= block.count - offset,
            count <= Self.stringBytesMax
        else { return nil }
        let range = offset..<(offset + count)
        offset += count
        guard isHuffman else { return .block(range) }
        let room = count * 8 / 5 + 1
        let huffman = self.huffman
        var isValid = false
        scratch = [UInt8](unsafeUninitializedCapacity: room) { target, written in
            let result = huffman.decode(
                UnsafeRawBufferPointer(rebasing: block[range]),
                to: UnsafeMutableRawBufferPointer(target)
            )
            isValid = result != nil
            written = result ?? 0
        }
        return isValid ? .scratch : nil
    }

    /// RFC 7541 5.1; `nil`: it does not end, or is larger than anything we count.
    static func integer(_ block: UnsafeRawBufferPointer, _ offset: inout Int, prefix: UInt8) -> Int? {
        guard offset < block.count else { return nil }
        let mask = UInt8(truncatingIfNeeded: 1 << Int(prefix) - 1)
        var value = Int(block[offset] & mask)
        offset += 1
        guard value == Int(mask) else { return value }
        var shift = 0
        while offset < block.count {
            let byte = block[offset]
            offset += 1
            // Four more bytes say up to 2^28, which is plenty.
            guard shift <= 21 else { return nil }
            value += Int(byte & 0x7F) << shift
            if byte & 0x80 == 0 { return value }
            shift += 7
        }
        return nil
    }
}
