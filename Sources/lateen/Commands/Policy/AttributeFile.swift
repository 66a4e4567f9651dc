import ArgumentParser
import Foundation
import KubernetesAPI

/// A file with a request's attributes, or with objects; `-` is standard input.
enum AttributeFile {
    static func text(_ file: String) throws -> String {
        let data: Data
        if file == "-" {
            data = try FileHandle.standardInput.readToEnd() ?? Data()
        } else {
            guard let content = FileManager.default.contents(atPath: file) else {
                throw Self.ended(2, "cannot read \(file): is there such a file?")
            }
            data = content
        }
        guard let text = String(data: data, encoding: .utf8) else { throw Self.ended(2, "\(file) is not UTF-8") }
        return text
    }

    /// The document in it, JSON or YAML.
    static func value(_ file: String) throws -> JSONValue {
        let text = try self.text(file)
        do throws(JSONParseError) {
            return try JSONValue.parse(text)
        } catch let jsonError {
            // It may be YAML; if it looks like JSON, what JSON's parser says is of more use.
            let looksLikeJSON = text.first { !$0.isWhitespace } == "{"
            do throws(YAMLError) {
                return try YAML.parse(text, file: file)
            } catch {
                throw Self.ended(2, looksLikeJSON ? "\(file): \(jsonError)" : "\(error)")
            }
        }
    }

    /// Says what is wrong; to be thrown.
    static func ended(_ code: Int32, _ message: String) -> ExitCode {
        FileHandle.standardError.write(Data((message + "\n").utf8))
        return ExitCode(code)
    }
}
