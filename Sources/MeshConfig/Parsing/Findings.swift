import KubernetesAPI
import MeshModel

/// Collects what is wrong with one object while it is read.
///
/// An `error` says that the object, or the part of it that the field names, is left out; the API should refuse such an
/// object. A `warning` says that it works, perhaps not as its author thinks.
struct Findings {
    let object: ObjectReference
    private(set) var diagnoses: [Diagnosis] = []

    init(_ object: ObjectReference) { self.object = object }

    init(_ kind: String, _ object: KubernetesObject) {
        self.init(ObjectReference(kind: kind, id: ObjectID(object)))
    }

    var hasErrors: Bool { self.errorCount > 0 }

    /// Grows with each error: whether a part had any shows from before and after.
    var errorCount: Int { self.diagnoses.count { $0.severity == .error } }

    mutating func error(_ field: String, _ message: String) {
        self.diagnoses.append(Diagnosis(severity: .error, object: self.object, field: field, message: message))
    }

    mutating func warning(_ field: String, _ message: String) {
        self.diagnoses.append(Diagnosis(severity: .warning, object: self.object, field: field, message: message))
    }
}

/// An object in the mesh's own words; `nil` where it cannot be used.
struct Parsed<Value: Hashable & Sendable>: Sendable {
    var uid: String
    var resourceVersion: String
    var value: Value?
    var diagnoses: [Diagnosis]
    /// The value is that of an earlier state of the object.
    private(set) var isKept = false

    init(_ object: KubernetesObject, value: Value?, diagnoses: [Diagnosis] = []) {
        self.uid = object.uid
        self.resourceVersion = object.resourceVersion
        self.value = value
        self.diagnoses = diagnoses
    }

    /// Takes the value of the state before, if this state has a mistake and that one had none.
    ///
    /// For kinds that say who may come in: a typing error must neither open nor close a mesh that works.
    mutating func keepLastGood(of old: Parsed) {
        guard self.hasErrors, old.uid == self.uid, old.isKept || !old.hasErrors, let value = old.value else { return }
        self.value = value
        self.isKept = true
    }

    private var hasErrors: Bool { self.diagnoses.contains { $0.severity == .error } }

    /// Whether this was read from this very state of the object.
    func isCurrent(for object: KubernetesObject) -> Bool {
        !self.resourceVersion.isEmpty && self.resourceVersion == object.resourceVersion && self.uid == object.uid
    }

    func says(sameAs other: Parsed?) -> Bool {
        self.value == other?.value && self.diagnoses == other?.diagnoses ?? []
    }
}

extension ObjectID {
    init(_ object: KubernetesObject) {
        self.init(namespace: object.namespace ?? "", name: object.name)
    }
}
