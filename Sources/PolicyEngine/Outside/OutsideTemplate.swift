/// A `template` object: which instances adapters outside take, and the call that hands them over.
package struct OutsideTemplate: Sendable, Hashable {
    /// What `template_variety` says, with the numbers of `istio.mixer.adapter.model.v1beta1.TemplateVariety`.
    package enum Variety: UInt64, Sendable, Hashable {
        case check = 0
        case report = 1
        case quota = 2
        case attributeGenerator = 3
        case checkWithOutput = 4
    }

    /// The message of a call's answer.
    package enum Answer: Sendable, Hashable {
        /// `CheckResult`, `QuotaResult` or `ReportResult` itself.
        case plain
        /// A message with the CheckResult and an output, by their numbers and the output's type.
        case withOutput(result: Int, output: Int, type: String)
    }

    /// `NAME.NAMESPACE` of the object.
    package let name: String
    package let variety: Variety
    package let descriptors: DescriptorSet
    /// The type of instances, `.package.InstanceMsg`.
    package let instance: String
    /// The type that tells the types of an instance's fields, `.package.Type`; `nil` if there is none.
    package let typeMessage: String?
    /// `package.Handle…Service` and `Handle…`.
    package let service: String
    package let method: String
    package let answer: Answer

    /// Reads the descriptor set of a template called `name` (`metadata.name`).
    package init(_ descriptors: DescriptorSet, name: String, namespace: String) throws(DescriptorSet.Mistake) {
        let marked = descriptors.files.filter { $0.variety != nil }
        guard let file = marked.last, let number = file.variety else {
            throw DescriptorSet.Mistake(description: "has no file with the option template_variety")
        }
        guard let variety = Variety(rawValue: number) else {
            throw DescriptorSet.Mistake(description: "\(file.name): there is no template_variety \(number)")
        }
        if variety == .attributeGenerator {
            throw DescriptorSet.Mistake(
                description: "\(file.name): attributes are made by adapters of the engine, not by those outside"
            )
        }
        let scope = file.package.isEmpty ? "" : ".\(file.package)"
        // What mixgen makes of a template has InstanceMsg; the template as it was written has Template, whose fields
        // have the same names and numbers.
        let candidates = ["\(scope).InstanceMsg", "\(scope).Template"]
        guard let instance = candidates.first(where: { descriptors.messages[$0] != nil }) else {
            throw DescriptorSet.Mistake(description: "\(file.name): there is no message InstanceMsg or Template")
        }
        try descriptors.requireTypes(below: instance)
        let title = name.prefix(1).uppercased() + name.dropFirst()
        let service = file.services.first { $0.name.hasPrefix("Handle") && $0.name.hasSuffix("Service") }
        let method = service?.methods.first { $0.name.hasPrefix("Handle") }
        let prefix = file.package.isEmpty ? "" : "\(file.package)."
        self.name = "\(name).\(namespace)"
        self.variety = variety
        self.descriptors = descriptors
        self.instance = instance
        self.typeMessage = descriptors.messages["\(scope).Type"]?.name
        self.service = prefix + (service?.name ?? "Handle\(title)Service")
        self.method = method?.name ?? "Handle\(title)"
        self.answer = variety == .checkWithOutput ? try Self.answer(method?.output, descriptors) : .plain
    }

    private static func answer(
        _ type: String?,
        _ descriptors: DescriptorSet
    ) throws(DescriptorSet.Mistake) -> Answer {
        guard let type, let form = descriptors.messages[type],
            let result = form.fields.first(where: { $0.kind == .message(Self.checkResult) }),
            let output = form.field("output"), case .message(let outputType) = output.kind
        else {
            throw DescriptorSet.Mistake(
                description: "its method does not answer with a message of a CheckResult and an `output`"
            )
        }
        try descriptors.requireTypes(below: outputType)
        return .withOutput(result: result.number, output: output.number, type: outputType)
    }

    private static let checkResult = ".istio.mixer.adapter.model.v1beta1.CheckResult"

    /// The template as all parts of the engine know it.
    package var schema: TemplateSchema {
        let variety: TemplateSchema.Variety =
            switch self.variety {
            case .check, .checkWithOutput: .check
            case .report: .report
            case .quota: .quota
            case .attributeGenerator: .attributes
            }
        return TemplateSchema(self.name, variety, [], outside: self)
    }
}
