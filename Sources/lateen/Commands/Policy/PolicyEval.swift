import ArgumentParser
import Foundation
import KubernetesAPI
import PolicyEngine

/// Evaluates one expression, without a cluster.
struct PolicyEval: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "eval",
        abstract: "Evaluate an expression of the policy language and print its type and value.",
        discussion: """
            Works offline. Prints one line, the type and the value; texts stand in quotes:

              $ lateen policy eval '"a" + "b"'
              STRING "ab"
              $ lateen policy eval --attributes request.json 'response.code >= 400 || request.headers["x"] == "y"'
              BOOL true
              $ lateen policy eval '(request.auth.principal | "nobody")'
              STRING "nobody"

            request.json holds an object from names to values; YAML is read as well:

              {"request.path": "/x", "request.headers": {"x": "y"}, "response.code": 200,
               "request.time": "2020-01-01T00:00:00Z", "response.duration": "3s", "source.ip": "10.0.0.1"}

            Operators, loosest first: ||, &&, == != < <= > >=, | (the right side if the left is missing) and +, [].
            Functions: conditional, conditionalString, dnsName, email, emptyStringMap, endsWith, ip, match, matches,
            size, startsWith, timestamp, toLower, uri. A text such as "5s" is a DURATION where one is needed.

            Exit code: 0 with a value, 1 if the evaluation failed (a missing attribute), 2 for an expression, manifest
            or file that is wrong; the reason goes to standard error.
            """
    )

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @Option(
        help: ArgumentHelp(
            "attributemanifest objects that name attributes beside those that proxies send; may be repeated.",
            valueName: "file"
        )
    )
    var manifest: [String] = []

    @Option(help: ArgumentHelp("The request's attributes; '-' reads standard input.", valueName: "file"))
    var attributes: String?

    @Flag(help: "Print which attributes were read or missed, too: what a proxy's cache would key the answer by.")
    var references = false

    @Option(name: .shortAndLong, help: "text or json.")
    var output = Format.text

    @Argument(help: ArgumentHelp("What to evaluate.", valueName: "expression"))
    var expression: String

    func run() throws {
        let vocabulary = try Self.vocabulary(self.manifest)
        let compiled: CompiledExpression
        do throws(ExpressionError) {
            compiled = try CompiledExpression(self.expression, vocabulary: vocabulary)
        } catch {
            throw AttributeFile.ended(2, "\(error)")
        }
        var evaluation = Evaluation(try Self.bag(self.attributes, vocabulary))
        let value: AttributeValue
        do throws(EvaluationError) {
            value = try compiled.evaluate(&evaluation)
        } catch {
            throw AttributeFile.ended(1, "\(error)")
        }
        let references = evaluation.references.all.map { (vocabulary.attributes[$0.slot].name, $0) }
        switch self.output {
        case .text:
            print("\(value.type) \(value)")
            guard self.references else { return }
            for (name, reference) in references {
                let key = reference.key.map { "[\(AttributeValue.quoted($0))]" } ?? ""
                print("\(reference.condition == .exact ? "read" : "missed") \(name)\(key)")
            }
        case .json:
            var page: JSONValue = ["type": .string(value.type.rawValue), "value": Self.json(value)]
            if self.references {
                page["references"] = .array(
                    references.map { name, reference in
                        var entry: JSONValue = [
                            "attribute": .string(name),
                            "condition": .string(reference.condition == .exact ? "EXACT" : "ABSENCE"),
                        ]
                        if let key = reference.key { entry["key"] = .string(key) }
                        return entry
                    }
                )
            }
            print(page.text(pretty: true))
        }
    }

    private static func json(_ value: AttributeValue) -> JSONValue {
        switch value {
        case .string(let text), .emailAddress(let text), .dnsName(let text), .uri(let text): .string(text)
        case .int64(let number): .integer(number)
        case .double(let number): number.isFinite ? .number(number) : .string("\(number)")
        case .bool(let truth): .bool(truth)
        case .timestamp, .duration, .ipAddress: .string("\(value)")
        case .stringMap(let entries): JSONValue(entries)
        }
    }

    /// What proxies send and what the manifests define, as in the engine.
    private static func vocabulary(_ files: [String]) throws -> AttributeVocabulary {
        if files.isEmpty { return .standard }
        var reader = ManifestReader()
        var count = 0
        for file in files {
            let text = try AttributeFile.text(file)
            do throws(YAMLError) {
                for document in try YAML.documents(text, file: file) {
                    // A List is what `kubectl get -o yaml` prints.
                    let items =
                        document.value["kind"]?.string?.hasSuffix("List") == true ? document.value["items"] : nil
                    for value in items?.array ?? [document.value] {
                        let object = KubernetesObject(json: value)
                        guard ManifestReader.isManifest(object) else { continue }
                        reader.add(object)
                        count += 1
                    }
                }
            } catch {
                throw AttributeFile.ended(2, "\(error)")
            }
        }
        guard reader.diagnoses.isEmpty else {
            throw AttributeFile.ended(2, reader.diagnoses.map(\.description).joined(separator: "\n"))
        }
        guard count > 0 else {
            throw AttributeFile.ended(
                2,
                "\(files.joined(separator: ", ")): no attributemanifest in it (apiVersion config.istio.io/v1alpha2)"
            )
        }
        return reader.vocabulary
    }

    private static func bag(_ file: String?, _ vocabulary: AttributeVocabulary) throws -> AttributeBag {
        guard let file else { return AttributeBag(vocabulary) }
        let value = try AttributeFile.value(file)
        let document: AttributeDocument
        do throws(AttributeDocument.Mistake) {
            document = try AttributeDocument(value.isNull ? [:] : value, vocabulary: vocabulary)
        } catch {
            throw AttributeFile.ended(2, "\(file): \(error)")
        }
        if !document.unknown.isEmpty {
            let names = document.unknown.joined(separator: ", ")
            FileHandle.standardError.write(Data("warning: \(file): no attributemanifest defines \(names)\n".utf8))
        }
        return document.bag
    }
}
