internal import KubernetesAPI

/// Adapters and templates that objects define, and who means which.
extension ConfigurationWork {
    mutating func readOutsideTemplates(_ objects: [KubernetesObject]) {
        for object in objects where object.kind == "template" {
            let name = Self.name(object)
            // Whoever names it hears that it has a mistake.
            self.outsideTemplates[name] = .some(nil)
            guard let text = object.spec["descriptor"]?.string, !text.isEmpty else {
                self.diagnose(object, "spec.descriptor", "is missing: a FileDescriptorSet in base64")
                continue
            }
            do throws(DescriptorSet.Mistake) {
                self.outsideTemplates[name] = try OutsideTemplate(
                    DescriptorSet(base64: text),
                    name: name.name,
                    namespace: name.namespace
                )
            } catch {
                self.diagnose(object, "spec.descriptor", error.description)
            }
        }
    }

    mutating func readOutsideAdapters(_ objects: [KubernetesObject]) {
        for object in objects where object.kind == "adapter" {
            let name = Self.name(object)
            self.outsideAdapters[name] = .some(nil)
            let mistakesBefore = self.diagnoses.count
            var templates: [OutsideTemplate] = []
            for (index, value) in (object.spec["templates"]?.array ?? []).enumerated() {
                let text = value.string ?? value.text()
                switch self.template(text, from: name.namespace) {
                case .some(.some(let template)): templates.append(template)
                case .some(.none):
                    self.diagnose(object, "spec.templates[\(index)]", "\(text) has a mistake in it", cause: .others)
                case .none:
                    self.diagnose(
                        object,
                        "spec.templates[\(index)]",
                        "there is no template \(text)\(Self.advice(text, self.outsideTemplates.keys))",
                        cause: .others
                    )
                }
            }
            do throws(DescriptorSet.Mistake) {
                let text = object.spec["config"]?.string ?? ""
                let form = try OutsideAdapterForm(
                    name: name.name,
                    namespace: name.namespace,
                    isSessionBased: object.spec.member("sessionBased")?.bool ?? false,
                    templates: templates,
                    descriptors: text.isEmpty ? nil : DescriptorSet(base64: text)
                )
                if self.diagnoses.count == mistakesBefore { self.outsideAdapters[name] = .outside(form) }
            } catch {
                self.diagnose(object, "spec.config", error.description)
            }
        }
    }

    private static func name(_ object: KubernetesObject) -> HandlerName {
        HandlerName(name: object.name, namespace: object.namespace ?? "default")
    }

    /// `nil`: there is no such object.
    private func template(_ text: String, from namespace: String) -> OutsideTemplate?? {
        let reference = ObjectReference(text, from: namespace)
        return self.outsideTemplates.first {
            reference.matches(name: $0.key.name, namespace: $0.key.namespace, kinds: ["template"])
        }.map(\.value)
    }

    /// The template of an instance: an object's, or one of the engine.
    mutating func schema(_ object: KubernetesObject) -> TemplateSchema? {
        let compiled = object.spec.member("compiledTemplate")
        guard let name = (compiled ?? object.spec["template"])?.string else {
            self.diagnose(object, "spec.compiledTemplate", "is missing: the template's name")
            return nil
        }
        if compiled == nil, let outside = self.template(name, from: object.namespace ?? "default") {
            if outside == nil {
                self.diagnose(object, "spec.template", "the template \(name) has a mistake in it", cause: .others)
            }
            return outside?.schema
        }
        if let schema = self.settings.templates[name] { return schema }
        let names = self.settings.templates.keys.sorted().joined(separator: ", ")
        self.diagnose(
            object,
            compiled == nil ? "spec.template" : "spec.compiledTemplate",
            "there is no template \(name)\(Self.advice(name, self.outsideTemplates.keys)); there are \(names)",
            cause: compiled == nil ? .others : .object
        )
        return nil
    }

    /// The adapter of a handler, its settings and where they stand.
    mutating func adapter(_ object: KubernetesObject) -> (adapter: AdapterKind, settings: JSONValue, path: String)? {
        let compiled = object.spec.member("compiledAdapter")
        guard let name = (compiled ?? object.spec["adapter"])?.string else {
            self.diagnose(object, "spec.compiledAdapter", "is missing: the adapter's name")
            return nil
        }
        if compiled == nil {
            let reference = ObjectReference(name, from: object.namespace ?? "default")
            let outside = self.outsideAdapters.first {
                reference.matches(name: $0.key.name, namespace: $0.key.namespace, kinds: ["adapter"])
            }
            if let outside {
                guard let adapter = outside.value else {
                    self.diagnose(object, "spec.adapter", "the adapter \(name) has a mistake in it", cause: .others)
                    return nil
                }
                let settings: JSONValue = [
                    "connection": object.spec["connection"] ?? .null, "params": object.spec["params"] ?? .null,
                ]
                return (adapter, settings, "spec")
            }
        }
        if let adapter = self.settings.adapters[name] {
            return (adapter, object.spec["params"] ?? .null, "spec.params")
        }
        let names = self.settings.adapters.keys.sorted().joined(separator: ", ")
        self.diagnose(
            object,
            compiled == nil ? "spec.adapter" : "spec.compiledAdapter",
            "there is no adapter \(name)\(Self.advice(name, self.outsideAdapters.keys)); there are \(names)",
            cause: compiled == nil ? .others : .object
        )
        return nil
    }

    /// One of that name elsewhere is named with its namespace.
    private static func advice(_ text: String, _ names: some Collection<HandlerName>) -> String {
        let name = text.split(separator: ".").first.map(String.init) ?? text
        let others = names.filter { $0.name == name }.map(\.description).sorted()
        return others.isEmpty ? "" : " here, but \(others.joined(separator: ", "))"
    }
}
