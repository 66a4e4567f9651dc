internal import KubernetesAPI

/// How what an attribute generator found out becomes attributes: an expression over its output for each.
///
/// - `attribute_bindings`: from attributes to expressions such as `$out.source_labels | emptyStringMap()`. In them
///   `$out.NAME` or `output.NAME` is a part of the output; attributes of the request are not known there.
struct AttributeBindings: Sendable {
    private struct Binding: Sendable {
        var slot: Int
        var expression: CompiledExpression
    }

    private let output: AttributeVocabulary
    private let bindings: [Binding]

    init(
        _ bindings: JSONValue?,
        schema: TemplateSchema,
        vocabulary: AttributeVocabulary,
        report: (_ field: String, _ message: String) -> Void
    ) {
        self.output = AttributeVocabulary(
            Dictionary(uniqueKeysWithValues: schema.output.map { (Self.prefix + $0.key, $0.value) })
        )
        var compiled: [Binding] = []
        let members = bindings?.object ?? [:]
        if let bindings, !bindings.isNull, bindings.object == nil {
            report("", "is a \(bindings.typeName), not an object")
        }
        for (name, value) in members.sorted(by: { $0.key < $1.key }) {
            guard let slot = vocabulary.slot(of: name), let type = vocabulary.type(of: name) else {
                report("[\(name)]", "there is no attribute `\(name)`; \(ExpressionError.undefinedAttribute)")
                continue
            }
            let source = (value.string ?? value.text()).replacing("$out.", with: Self.prefix)
            do throws(ExpressionError) {
                let expression = try CompiledExpression(source, vocabulary: self.output, wanted: type)
                compiled.append(Binding(slot: slot, expression: expression))
            } catch {
                report("[\(name)]", "\(error); in: \(source)")
            }
        }
        self.bindings = compiled
    }

    private static let prefix = "output."

    /// The attributes that `output` has values for, by slot. What the generator did not find is not among them.
    func attributes(from output: [String: AttributeValue]) -> [(slot: Int, value: AttributeValue)] {
        var bag = AttributeBag(self.output)
        for (name, value) in output {
            if let slot = self.output.slot(of: Self.prefix + name) { bag[slot] = value }
        }
        var evaluation = Evaluation(bag)
        var attributes: [(slot: Int, value: AttributeValue)] = []
        for binding in self.bindings {
            do throws(EvaluationError) {
                attributes.append((binding.slot, try binding.expression.evaluate(&evaluation)))
            } catch {
                // Without a default it is an attribute that is not there, which rules can tell.
                continue
            }
        }
        return attributes
    }
}
