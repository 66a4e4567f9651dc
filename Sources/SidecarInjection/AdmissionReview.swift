import Foundation
package import KubernetesAPI

/// What an admission webhook is asked and answers (`admission.k8s.io/v1`).
package struct AdmissionReview: Sendable {
    package struct Malformed: Error, Sendable, CustomStringConvertible {
        package var description: String
    }

    package var uid: String
    package var namespace: String
    package var object: JSONValue

    package init(json: JSONValue) throws(Malformed) {
        guard json["kind"]?.string == "AdmissionReview", let request = json["request"] else {
            throw Malformed(description: "not an AdmissionReview with a request")
        }
        guard let uid = request["uid"]?.string, !uid.isEmpty else {
            throw Malformed(description: "AdmissionReview without request.uid")
        }
        guard let object = request["object"], object.object != nil else {
            throw Malformed(description: "AdmissionReview \(uid) without request.object")
        }
        self.uid = uid
        self.object = object
        self.namespace =
            request["namespace"]?.string ?? object[path: "metadata", "namespace"]?.string ?? "default"
    }

    /// The answer that lets the object pass, changed if `patched` is given.
    package func answer(patched: JSONValue?) -> JSONValue {
        var response: JSONValue = ["uid": .string(self.uid), "allowed": true]
        if let patched, patched != self.object {
            let patch = JSONPatch.difference(from: self.object, to: patched)
            response["patchType"] = "JSONPatch"
            response["patch"] = .string(Data(patch.json.serialize()).base64EncodedString())
        }
        return ["apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response]
    }
}

extension AdmissionReview {
    /// The answer that says whether the object may be stored as it is.
    ///
    /// - Parameters:
    ///   - objections: why it may not; none: it may.
    ///   - warnings: what `kubectl` prints in any case.
    /// - Returns: the review to send back.
    package func answer(objections: [String], warnings: [String]) -> JSONValue {
        var response: JSONValue = ["uid": .string(self.uid), "allowed": .bool(objections.isEmpty)]
        if !objections.isEmpty {
            let message = "configuration is invalid: \(objections.joined(separator: "; "))"
            response["status"] = ["status": "Failure", "code": 400, "message": .string(message)]
        }
        if !warnings.isEmpty { response["warnings"] = JSONValue(warnings) }
        return ["apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "response": response]
    }
}

extension SidecarInjector {
    /// Answers a review of a pod: with a sidecar where one belongs, unchanged otherwise.
    package func answer(
        _ review: AdmissionReview,
        namespaceLabels: [String: String]
    ) -> (answer: JSONValue, decision: InjectionDecision) {
        let decision = self.decision(
            pod: review.object,
            namespace: review.namespace,
            namespaceLabels: namespaceLabels
        )
        switch decision {
        case .inject: return (review.answer(patched: self.inject(review.object)), decision)
        case .skip: return (review.answer(patched: nil), decision)
        }
    }
}
