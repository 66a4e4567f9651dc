internal import Foundation
internal import TrafficEngine

/// JSON of a token or key set.
struct ClaimJSON: Decodable {
    let value: ClaimValue

    /// Reads an object; `nil` for anything else.
    static func object(_ bytes: [UInt8]) -> ClaimValue? {
        // Why it is no JSON tells nobody anything.
        guard let decoded = try? JSONDecoder().decode(ClaimJSON.self, from: Data(bytes)),
            case .object = decoded.value
        else { return nil }
        return decoded.value
    }

    init(from decoder: any Decoder) throws {
        let container = try decoder.singleValueContainer()
        if container.decodeNil() {
            self.value = .null
        } else if let flag = try? container.decode(Bool.self) {  // another type, as are the next ones
            self.value = .flag(flag)
        } else if let number = try? container.decode(Double.self) {
            self.value = .number(number)
        } else if let text = try? container.decode(String.self) {
            self.value = .text(text)
        } else if let list = try? container.decode([ClaimJSON].self) {
            self.value = .list(list.map(\.value))
        } else {
            self.value = .object(try container.decode([String: ClaimJSON].self).mapValues(\.value))
        }
    }
}

extension ClaimValue {
    func text(_ name: String) -> String? {
        if case .text(let text)? = self.value(at: [name]) { text } else { nil }
    }

    /// Seconds since 1970 (RFC 7519 section 2, NumericDate); `.some(nil)`: it is there and is none.
    func seconds(_ name: String) -> Int64?? {
        switch self.value(at: [name]) {
        case nil: return .none
        case .number(let number)? where number.magnitude < 1e15: return .some(Int64(number))
        case .text?, .number?, .flag?, .list?, .object?, .null?: return .some(nil)
        }
    }
}
