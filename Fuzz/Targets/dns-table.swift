// The JSON of a name table: nothing traps, and what stands in it for a name is cut out whole.

import DNSProxy
import MeshModel

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = Array(UnsafeRawBufferPointer(start: data, count: count))
    var file = NameTableFile()
    var names: Set<String> = []
    do {
        let change = try file.read(bytes) { (piece: NameTableFile.Piece) throws(NameTableText.Fault) in
            for member in piece.text.members(of: piece.range) {
                invariant(piece.range.contains(member.start), "a member begins outside of its object")
                invariant(piece.range.clamped(to: member.value) == member.value, "a value stands outside of its object")
            }
            names.insert(piece.name)
            return DNSHost(name: piece.name, addresses: [.v4(UInt32(piece.range.count))])
        }
        invariant(change.changed.count == names.count && file.count == names.count, "names lost")
        // Tables can be made of whatever names there are, and taken apart again.
        let table = DNSTable().updating(changed: change.changed)
        invariant(table.updating(removed: change.changed.map(\.name)).count == 0, "hosts left over")
        // The same again is no change.
        let again = try file.read(bytes) { (piece: NameTableFile.Piece) throws(NameTableText.Fault) in
            DNSHost(name: piece.name, addresses: [])
        }
        invariant(again.removed.isEmpty, "names gone")
    } catch {
        invariant(error.line >= 1 && error.column >= 1, "a mistake without a place")
    }
    return 0
}
