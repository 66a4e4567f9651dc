/// STRING_MAP: whole maps, and single keys of them.
extension ExpressionCompiler {
    func stringMap(_ node: ExpressionNode) throws(ExpressionError) -> Code<MapView> {
        switch node.kind {
        case .call("emptyStringMap", _, _): return Code(constant: MapView(entries: [:], slot: nil))
        case .attribute(let name):
            guard let slot = self.checker.vocabulary.slot(of: name) else {
                throw self.checker.error(node, "unknown attribute `\(name)`")
            }
            // Unlike other attributes the map does not count as read yet: what is read are its keys.
            let optional: Code<MapView>.Run<MapView?> = {
                (evaluation: inout Evaluation) throws(EvaluationError) -> MapView? in
                guard let value = evaluation.bag.values[slot] else {
                    evaluation.references.note(slot, .absent)
                    return nil
                }
                guard case .stringMap(let entries) = value else { throw Self.otherType(name, .stringMap, value) }
                return MapView(entries: entries, slot: slot)
            }
            return Code(
                { (evaluation: inout Evaluation) throws(EvaluationError) -> MapView in
                    guard let map = try optional(&evaluation) else { throw Self.missing(name) }
                    return map
                },
                orNil: optional
            )
        default: return try self.general(node, self.stringMap) { _ in nil }
        }
    }

    /// `map[key]`. On the left of `|` a missing map, a missing key and a missing name of a key are all the same.
    func index(_ map: ExpressionNode, _ key: ExpressionNode) throws(ExpressionError) -> Code<String> {
        let name = try self.string(key)
        if case .attribute(let attribute) = map.kind, let key = name.constant {
            return try self.index(attribute, map, key)
        }
        let entries = try self.stringMap(map)
        let what = map.text
        let look: @Sendable (MapView, String, inout Evaluation) -> String? = { map, name, evaluation in
            let value = map.entries[name]
            if let slot = map.slot {
                evaluation.references.note(key: name, of: slot, value == nil ? .absent : .exact)
            }
            return value
        }
        return Code(
            { (evaluation: inout Evaluation) throws(EvaluationError) -> String in
                let map = try entries.value(&evaluation)
                let name = try name.value(&evaluation)
                guard let value = look(map, name, &evaluation) else { throw Self.missing(key: name, of: what) }
                return value
            },
            orNil: { (evaluation: inout Evaluation) throws(EvaluationError) -> String? in
                guard let map = try entries.optional(&evaluation), let name = try name.optional(&evaluation) else {
                    return nil
                }
                return look(map, name, &evaluation)
            }
        )
    }

    /// A literal key of an attribute: what nearly all expressions that look into maps do.
    private func index(
        _ attribute: String,
        _ node: ExpressionNode,
        _ key: String
    ) throws(ExpressionError) -> Code<String> {
        guard let slot = self.checker.vocabulary.slot(of: attribute) else {
            throw self.checker.error(node, "unknown attribute `\(attribute)`")
        }
        let optional: Code<String>.Run<String?> = {
            (evaluation: inout Evaluation) throws(EvaluationError) -> String? in
            guard let value = evaluation.bag.values[slot] else {
                evaluation.references.note(slot, .absent)
                return nil
            }
            guard case .stringMap(let entries) = value else { throw Self.otherType(attribute, .stringMap, value) }
            let entry = entries[key]
            evaluation.references.note(key: key, of: slot, entry == nil ? .absent : .exact)
            return entry
        }
        return Code(
            { (evaluation: inout Evaluation) throws(EvaluationError) -> String in
                if let value = try optional(&evaluation) { return value }
                guard evaluation.bag.values[slot] != nil else { throw Self.missing(attribute) }
                throw Self.missing(key: key, of: attribute)
            },
            orNil: optional
        )
    }

    private static func missing(key: String, of map: String) -> EvaluationError {
        EvaluationError(
            code: .missingKey,
            message: "`\(map)` has no key \(AttributeValue.quoted(String(key.prefix(100)))); `|` would give a default"
        )
    }

    func size(_ node: ExpressionNode) throws(ExpressionError) -> Code<Int64> {
        if try self.checker.choice(of: node).fits(.string) {
            let text = try self.string(node)
            return Code { (evaluation: inout Evaluation) throws(EvaluationError) -> Int64 in
                Int64(try text.value(&evaluation).utf8.count)
            }
        }
        let map = try self.stringMap(node)
        return Code { (evaluation: inout Evaluation) throws(EvaluationError) -> Int64 in
            let map = try map.value(&evaluation)
            if let slot = map.slot { evaluation.references.note(slot, .exact) }
            return Int64(map.entries.count)
        }
    }
}
