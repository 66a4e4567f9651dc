internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// Access logs to a file or a standard stream.
enum AccessLogBuilder {
    static func build(
        _ messages: [Envoy_Config_Accesslog_V3_AccessLog],
        at path: String,
        _ findings: inout Findings
    ) -> [AccessLogConfiguration] {
        var logs: [AccessLogConfiguration] = []
        for (index, message) in messages.enumerated() {
            if let log = Self.log(message, at: "\(path)[\(index)]", &findings) { logs.append(log) }
        }
        return logs
    }

    private static func log(
        _ message: Envoy_Config_Accesslog_V3_AccessLog,
        at path: String,
        _ findings: inout Findings
    ) -> AccessLogConfiguration? {
        let any = message.typedConfig
        let inner = "\(path).typed_config"
        switch any.typeURL {
        case TypeURL.fileAccessLog:
            typealias File = Envoy_Extensions_AccessLoggers_File_V3_FileAccessLog
            guard let file = any.unpacked(File.self, at: inner, &findings) else { return nil }
            if file.path.isEmpty { findings.add("\(inner).path", "a path is needed") }
            switch file.accessLogFormat {
            case .format(let format): return AccessLogConfiguration(path: file.path, format: format)
            case .logFormat(let format):
                return AccessLogConfiguration(path: file.path, format: Self.text(format, at: inner, &findings))
            case .jsonFormat, .typedJsonFormat, nil: return AccessLogConfiguration(path: file.path)
            }
        case TypeURL.stdoutAccessLog:
            typealias Stdout = Envoy_Extensions_AccessLoggers_Stream_V3_StdoutAccessLog
            guard let stream = any.unpacked(Stdout.self, at: inner, &findings) else { return nil }
            return AccessLogConfiguration(
                path: "/dev/stdout",
                format: Self.text(stream.logFormat, at: inner, &findings)
            )
        case TypeURL.stderrAccessLog:
            typealias Stderr = Envoy_Extensions_AccessLoggers_Stream_V3_StderrAccessLog
            guard let stream = any.unpacked(Stderr.self, at: inner, &findings) else { return nil }
            return AccessLogConfiguration(
                path: "/dev/stderr",
                format: Self.text(stream.logFormat, at: inner, &findings)
            )
        default:
            findings.add(path, ExtensionPoint.accessLog.refusal(name: message.name, typeURL: any.typeURL))
            return nil
        }
    }

    private static func text(
        _ format: Envoy_Config_Core_V3_SubstitutionFormatString,
        at path: String,
        _ findings: inout Findings
    ) -> String {
        switch format.format {
        case .textFormat(let text): return text
        case .textFormatSource(let source):
            switch source.specifier {
            case .inlineString(let text): return text
            case .inlineBytes(let bytes): return String(decoding: bytes, as: UTF8.self)
            case .filename:
                findings.add("\(path).log_format.text_format_source.filename", "files are not supported here")
                return ""
            case .environmentVariable, nil: return ""
            }
        case .jsonFormat, nil: return ""
        }
    }
}
