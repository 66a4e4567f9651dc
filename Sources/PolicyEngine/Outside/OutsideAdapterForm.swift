package import KubernetesAPI

/// An `adapter` object: which templates an adapter outside takes, and the form of its settings.
package struct OutsideAdapterForm: Sendable, Hashable {
    /// Settings are the last message of this name, as in Mixer.
    private static let settingsName = "Params"

    package let name: String
    package let namespace: String
    package let isSessionBased: Bool
    package let templates: [String: OutsideTemplate]
    /// `nil`: it has no settings.
    private let descriptors: DescriptorSet?
    private let settings: String?

    package init(
        name: String,
        namespace: String,
        isSessionBased: Bool,
        templates: [OutsideTemplate],
        descriptors: DescriptorSet?
    ) throws(DescriptorSet.Mistake) {
        self.name = name
        self.namespace = namespace
        self.isSessionBased = isSessionBased
        self.templates = Dictionary(templates.map { ($0.name, $0) }, uniquingKeysWith: { $1 })
        self.descriptors = descriptors
        let messages = descriptors?.files.flatMap(\.messages) ?? []
        self.settings = messages.last { $0.split(separator: ".").last.map(String.init) == Self.settingsName }
        guard let descriptors else { return }
        guard let settings else {
            throw DescriptorSet.Mistake(description: "has no message \(Self.settingsName)")
        }
        try descriptors.requireTypes(below: settings)
    }

    /// A handler's settings as a `google.protobuf.Any`; `nil` if the adapter has none. `report` is told every mistake.
    package func encode(_ params: JSONValue, report: (_ path: String, _ message: String) -> Void) -> [UInt8]? {
        guard let descriptors, let settings else {
            if let members = params.object, !members.isEmpty {
                report("", "are not taken: the adapter's spec.config, which describes them, is missing")
            }
            return nil
        }
        var planner = EncodingPlanner(descriptors, leaves: .constants)
        let planned = planner.plan(params, as: settings)
        for mistake in planner.mistakes { report(mistake.path, mistake.message) }
        do throws(EvaluationError) {
            let content = try EncodingPlan(parts: planned.parts).encodeConstants()
            return AnyMessage.bytes(url: "type.googleapis.com/\(settings.dropFirst())", content)
        } catch {
            report("", error.message)
            return nil
        }
    }
}

/// `google.protobuf.Any` around a message that is encoded already.
enum AnyMessage {
    static func bytes(url: String, _ content: some Collection<UInt8>) -> [UInt8] {
        var writer = WireWriter()
        writer.text(1, url)
        if !content.isEmpty { writer.field(2, content) }
        return writer.bytes
    }

    /// Under this URL adapters find the name of their session (mixer/adapter/model/v1beta1, `adapter_config`).
    static func session(_ id: String) -> [UInt8] { self.bytes(url: "google.protobuf.Any.type_url", id.utf8) }
}
