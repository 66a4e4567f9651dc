// Expressions of the policy engine: nothing traps parser, checker or evaluation; parentheses change nothing; what is
// shown of a value reads as that value.

import MeshModel
import PolicyEngine

private let vocabulary = AttributeVocabulary([
    "s": .string, "t": .string, "i": .int64, "d": .double, "b": .bool, "m": .stringMap, "n": .stringMap,
    "ip.a": .ipAddress,
    "time": .timestamp, "wait": .duration, "mail": .emailAddress, "name": .dnsName, "uri.a": .uri, "a.b.c": .string,
])

private let request: AttributeBag = {
    var bag = AttributeBag(vocabulary)
    let values: [String: AttributeValue] = [
        "s": .string("/api/v1"), "i": .int64(.max), "d": .double(0.5), "b": .bool(true), "m": .stringMap(["k": "v"]),
        "ip.a": .ipAddress(.v4(1)), "wait": .duration(.seconds(3)), "mail": .emailAddress("a@b.c"),
        "name": .dnsName("A.b."), "uri.a": .uri("http://a:80/%20?b#c"), "a.b.c": .string("é"),
    ]
    for (name, value) in values {
        if let slot = vocabulary.slot(of: name) { bag[slot] = value }
    }
    return bag
}()

private func result(_ source: String) -> Result<AttributeValue, EvaluationError>? {
    let expression: CompiledExpression
    do throws(ExpressionError) {
        expression = try CompiledExpression(source, vocabulary: vocabulary)
    } catch {
        invariant(error.column >= 1 && error.column <= source.unicodeScalars.count + 1, "no such column: \(error)")
        return nil
    }
    var evaluation = Evaluation(request)
    do throws(EvaluationError) {
        let value = try expression.evaluate(&evaluation)
        invariant(value.type == expression.type, "\(value) is no \(expression.type)")
        return .success(value)
    } catch {
        return .failure(error)
    }
}

@_cdecl("LLVMFuzzerTestOneInput")
public func fuzz(_ data: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let source = String(decoding: UnsafeRawBufferPointer(start: data, count: count), as: UTF8.self)
    guard let first = result(source) else { return 0 }
    if let second = result("(\(source))") {
        let isNaN = if case .success(.double(let value)) = first { value.isNaN } else { false }
        // A lone "0" is a text, and so it is in parentheses.
        invariant(isNaN || second == first, "parentheses have changed \(first) to \(second)")
    }
    guard case .success(let value) = first else { return 0 }
    switch value {
    case .string(let text):
        // A text that reads as a duration is one, on its own.
        if DurationText.parse(text) == nil { invariant(result("\(value)") == first, "\(value) reads otherwise") }
    case .int64, .bool: invariant(result("\(value)") == first, "\(value) reads otherwise")
    case .duration(let duration):
        invariant(DurationText.parse(DurationText.text(duration)) == duration, "\(value) reads otherwise")
    case .timestamp(let moment): invariant(Timestamp("\(moment)") == moment, "\(value) reads otherwise")
    case .ipAddress(let address): invariant(IPAddress("\(address)") == address, "\(value) reads otherwise")
    case .double, .emailAddress, .dnsName, .uri, .stringMap: ()
    }
    return 0
}
