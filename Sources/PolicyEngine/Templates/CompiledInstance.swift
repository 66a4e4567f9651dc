package import KubernetesAPI

/// An `instance` object whose expressions were checked and compiled.
package struct CompiledInstance: Sendable {
    package let name: String
    package let namespace: String
    package let schema: TemplateSchema
    /// What becomes of the output, if the template has one.
    let bindings: AttributeBindings?
    private let values: [(path: String, expression: CompiledExpression)]
    private let maps: [(path: String, entries: [(key: String, expression: CompiledExpression)])]
    /// What adapters outside get; then there are no values and maps.
    let outside: OutsideInstance?
    /// What it was compiled of.
    private let source: (params: JSONValue, bindings: JSONValue?)

    /// The type of each field of type Value, for handlers that must know it beforehand.
    package var types: [String: ValueType] {
        Dictionary(uniqueKeysWithValues: self.values.map { ($0.path, $0.expression.type) })
    }

    /// The types of the entries of each map.
    package var mapTypes: [String: [String: ValueType]] {
        Dictionary(
            uniqueKeysWithValues: self.maps.map { map in
                (map.path, Dictionary(uniqueKeysWithValues: map.entries.map { ($0.key, $0.expression.type) }))
            }
        )
    }

    /// Compiles `params` for `schema`; every mistake becomes a diagnosis with its field. Of a template with an output
    /// `bindings` says what becomes of it.
    package init(
        name: String,
        namespace: String,
        schema: TemplateSchema,
        params: JSONValue,
        bindings: JSONValue? = nil,
        vocabulary: AttributeVocabulary,
        report: (_ field: String, _ message: String) -> Void
    ) {
        self.source = (params, bindings)
        var params = params
        if schema.variety == .attributes, params.object != nil {
            // In the older form they stand among the parameters.
            params["attributeBindings"] = nil
            params["attribute_bindings"] = nil
        }
        var builder = InstanceBuilder(vocabulary: vocabulary)
        if let template = schema.outside {
            self.outside = OutsideInstance(
                name: name,
                namespace: namespace,
                template: template,
                params: params,
                vocabulary: vocabulary
            ) { path, message in report(path.isEmpty ? "params" : "params.\(path)", message) }
        } else {
            self.outside = nil
            builder.add(params, schema.fields, below: "", report)
        }
        self.name = name
        self.namespace = namespace
        self.schema = schema
        self.bindings =
            schema.variety == .attributes
            ? AttributeBindings(bindings, schema: schema, vocabulary: vocabulary) {
                report("attribute_bindings\($0)", $1)
            } : nil
        self.values = builder.values
        self.maps = builder.maps
    }

    /// The same for another vocabulary; `nil` if that does not have what it names.
    func compiled(for vocabulary: AttributeVocabulary) -> CompiledInstance? {
        var isBroken = false
        let instance = CompiledInstance(
            name: self.name,
            namespace: self.namespace,
            schema: self.schema,
            params: self.source.params,
            bindings: self.source.bindings,
            vocabulary: vocabulary
        ) { _, _ in isBroken = true }
        return isBroken ? nil : instance
    }

    /// The instance for the evaluation's request.
    package func evaluate(_ evaluation: inout Evaluation) throws(EvaluationError) -> InstanceData {
        var data = InstanceData(name: self.name, namespace: self.namespace, template: self.schema.name)
        if let outside {
            do throws(EvaluationError) {
                data.encoded = try outside.encode(&evaluation)
            } catch {
                throw self.error(error, "params")
            }
            return data
        }
        for (path, expression) in self.values { data.values[path] = try self.value(expression, path, &evaluation) }
        for (path, entries) in self.maps {
            var map: [String: AttributeValue] = [:]
            map.reserveCapacity(entries.count)
            for (key, expression) in entries {
                map[key] = try self.value(expression, "\(path)[\(key)]", &evaluation)
            }
            data.maps[path] = map
        }
        return data
    }

    private func value(
        _ expression: CompiledExpression,
        _ path: String,
        _ evaluation: inout Evaluation
    ) throws(EvaluationError) -> AttributeValue {
        do throws(EvaluationError) {
            return try expression.evaluate(&evaluation)
        } catch {
            throw self.error(error, path)
        }
    }

    private func error(_ error: EvaluationError, _ path: String) -> EvaluationError {
        EvaluationError(
            code: error.code,
            message: "instance \(self.namespace)/\(self.name): \(path): \(error.message)"
        )
    }
}

/// Walks the parameters of an instance along its template.
private struct InstanceBuilder {
    let vocabulary: AttributeVocabulary
    /// What was read already: a field may be spelled in several ways.
    var paths: Set<String> = []
    var values: [(path: String, expression: CompiledExpression)] = []
    var maps: [(path: String, entries: [(key: String, expression: CompiledExpression)])] = []

    mutating func add(
        _ params: JSONValue,
        _ fields: [TemplateSchema.Field],
        below prefix: String,
        _ report: (_ field: String, _ message: String) -> Void
    ) {
        guard !params.isNull else { return }
        guard let members = params.object else {
            report("params\(prefix.isEmpty ? "" : ".\(prefix)")", "is a \(params.typeName), not an object")
            return
        }
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            guard let field = fields.first(where: { Self.names($0.name, key) }) else {
                let names = fields.map(\.name).joined(separator: ", ")
                report("params.\(prefix)\(key)", fields.isEmpty ? "the template has no fields" : "there are \(names)")
                continue
            }
            let path = prefix + field.name
            guard self.paths.insert(path).inserted else {
                report("params.\(prefix)\(key)", "is \(field.name) in another spelling, which is there, too")
                continue
            }
            switch field.kind {
            case .typed(let type):
                if let expression = self.compile(value, type, path, report) { self.values.append((path, expression)) }
            case .oneOf(let types):
                if let expression = self.compile(value, oneOf: types, path, report) {
                    self.values.append((path, expression))
                }
            case .value:
                if let expression = self.compile(value, nil, path, report) { self.values.append((path, expression)) }
            case .valueMap: self.addMap(value, path, report)
            case .message(let fields): self.add(value, fields, below: path + ".", report)
            }
        }
    }

    /// `source_uid` is written `sourceUid`, too.
    private static func names(_ field: String, _ key: String) -> Bool {
        field == key || field.filter { $0 != "_" } == key.lowercased().filter { $0 != "_" }
    }

    private mutating func addMap(
        _ value: JSONValue,
        _ path: String,
        _ report: (_ field: String, _ message: String) -> Void
    ) {
        guard !value.isNull else { return }
        guard let members = value.object else {
            report("params.\(path)", "is a \(value.typeName), not an object")
            return
        }
        var entries: [(key: String, expression: CompiledExpression)] = []
        for (key, value) in members.sorted(by: { $0.key < $1.key }) {
            if let expression = self.compile(value, nil, "\(path)[\(key)]", report) {
                entries.append((key, expression))
            }
        }
        self.maps.append((path, entries))
    }

    private func compile(
        _ value: JSONValue,
        _ type: ValueType?,
        _ path: String,
        _ report: (_ field: String, _ message: String) -> Void
    ) -> CompiledExpression? {
        do throws(CompiledExpression.MemberMistake) {
            return try CompiledExpression.member(value, vocabulary: self.vocabulary, wanted: type)
        } catch {
            report("params.\(path)", error.message)
            return nil
        }
    }

    private func compile(
        _ value: JSONValue,
        oneOf types: [ValueType],
        _ path: String,
        _ report: (_ field: String, _ message: String) -> Void
    ) -> CompiledExpression? {
        guard let expression = self.compile(value, nil, path, report) else { return nil }
        if types.contains(expression.type) { return expression }
        for type in types {
            // A literal may be of another type than the one that it has by itself.
            do throws(CompiledExpression.MemberMistake) {
                return try CompiledExpression.member(value, vocabulary: self.vocabulary, wanted: type)
            } catch {
                continue
            }
        }
        let names = types.map(\.rawValue).joined(separator: " or ")
        let source = expression.source
        report(
            "params.\(path)",
            "type error: column 1: the field needs \(names), `\(source)` is \(expression.type); in: \(source)"
        )
        return nil
    }
}
