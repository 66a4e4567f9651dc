internal import KubernetesAPI

/// The parameters of an instance for an adapter outside, checked against its template and ready to be written.
package struct OutsideInstance: Sendable {
    /// `NAME.instance.NAMESPACE`, as adapters of Mixer know them.
    package let name: String
    private let plan: EncodingPlan
    /// The types of its dynamic fields, in the form of the template's `Type`; `nil` if the template has none.
    package let inferredType: [UInt8]?

    /// `report` is told every mistake, with its path below the parameters.
    init(
        name: String,
        namespace: String,
        template: OutsideTemplate,
        params: JSONValue,
        vocabulary: AttributeVocabulary,
        report: (_ path: String, _ message: String) -> Void
    ) {
        var planner = EncodingPlanner(template.descriptors, leaves: .expressions(vocabulary))
        let planned = planner.plan(params, as: template.instance)
        for mistake in planner.mistakes { report(mistake.path, mistake.message) }
        self.name = "\(name).instance.\(namespace)"
        var writer = WireWriter()
        writer.field(EncodingPlanner.instanceNameNumber, self.name.utf8)
        // The number is larger than those of all fields that people write.
        self.plan = EncodingPlan(parts: planned.parts + [.encoded(writer.bytes)])
        self.inferredType = template.typeMessage.flatMap {
            EncodingPlan.constant(.object(planned.types), as: $0, in: template.descriptors)
        }
    }

    /// The InstanceMsg for the evaluation's request.
    func encode(_ evaluation: inout Evaluation) throws(EvaluationError) -> [UInt8] {
        try self.plan.encode(&evaluation)
    }

    /// What its expressions are for the evaluation's request, by expression: for people.
    func values(_ evaluation: inout Evaluation) -> [String: String] {
        var values: [String: String] = [:]
        for expression in self.plan.expressions {
            do throws(EvaluationError) {
                values[expression.source] = try expression.evaluate(&evaluation).description
            } catch {
                values[expression.source] = "(\(error.message))"
            }
        }
        return values
    }
}

extension EncodingPlan {
    /// What can be said of an object in a message's form; members that the form lacks are left out.
    fileprivate static func constant(
        _ object: JSONValue,
        as message: String,
        in descriptors: DescriptorSet
    ) -> [UInt8]? {
        var planner = EncodingPlanner(descriptors, leaves: .constants, ignoresUnknown: true)
        let planned = planner.plan(object, as: message)
        return try? EncodingPlan(parts: planned.parts).encodeConstants()  // Too large: then nothing is said of it.
    }
}
