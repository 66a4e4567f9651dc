internal import MeshModel

/// A compiled expression of one type: closures inside closures, each of which does one step.
struct Code<Value: Sendable>: Sendable {
    typealias Run<Result> = @Sendable (inout Evaluation) throws(EvaluationError) -> Result

    /// Evaluates; what is missing is an error.
    let value: Run<Value>
    /// Evaluates on the left of `|`; what is missing is `nil`.
    ///
    /// Only attributes, keys of maps and `|` itself can be missing: a call or comparison in front of `|` has a value
    /// or fails, as in Mixer.
    let optional: Run<Value?>
    /// The value, if it is always the same.
    let constant: Value?

    init(_ value: @escaping Run<Value>) {
        self.value = value
        self.optional = { (evaluation: inout Evaluation) throws(EvaluationError) -> Value? in try value(&evaluation) }
        self.constant = nil
    }

    init(_ value: @escaping Run<Value>, orNil optional: @escaping Run<Value?>) {
        self.value = value
        self.optional = optional
        self.constant = nil
    }

    init(constant: Value) {
        self.value = { (_: inout Evaluation) throws(EvaluationError) -> Value in constant }
        self.optional = { (_: inout Evaluation) throws(EvaluationError) -> Value? in constant }
        self.constant = constant
    }
}

/// Code by the type of what it gives.
enum TypedCode: Sendable {
    case string(Code<String>)
    case int64(Code<Int64>)
    case double(Code<Double>)
    case bool(Code<Bool>)
    case timestamp(Code<Timestamp>)
    case duration(Code<Duration>)
    case ipAddress(Code<IPAddress>)
    case emailAddress(Code<String>)
    case dnsName(Code<String>)
    case uri(Code<String>)
    case stringMap(Code<MapView>)
}
