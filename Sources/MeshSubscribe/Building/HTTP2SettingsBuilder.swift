internal import SwiftProtobuf
internal import TrafficEngine
internal import XDSAPI

/// Limits of HTTP/2 out of `Http2ProtocolOptions`.
enum HTTP2SettingsBuilder {
    typealias Message = Envoy_Config_Core_V3_Http2ProtocolOptions

    /// RFC 9113 section 6.9: what a window may be; Envoy refuses less than the initial size.
    private static let windowSizes: ClosedRange<UInt32> = 65_535...0x7FFF_FFFF

    /// For connections from clients: what is not said keeps our defaults, which bound what a client can make us hold.
    static func downstream(_ message: Message, at path: String, _ findings: inout Findings) -> HTTP2Settings {
        Self.build(message, at: path, &findings)
    }

    /// For connections to endpoints.
    static func upstream(_ message: Message, at path: String, _ findings: inout Findings) -> HTTP2Settings {
        Self.build(message, at: path, &findings)
    }

    private static func build(_ message: Message, at path: String, _ findings: inout Findings) -> HTTP2Settings {
        var settings = HTTP2Settings()
        if message.hasMaxConcurrentStreams {
            let value = message.maxConcurrentStreams.value
            if value == 0 { findings.add("\(path).max_concurrent_streams", "must be more than 0") }
            settings.concurrentStreamsMax = min(max(1, value), 0x7FFF_FFFF)
        }
        if message.hasInitialStreamWindowSize {
            settings.streamWindow = Self.window(
                message.initialStreamWindowSize.value,
                at: "\(path).initial_stream_window_size",
                &findings
            )
        }
        if message.hasInitialConnectionWindowSize {
            settings.connectionWindow = Self.window(
                message.initialConnectionWindowSize.value,
                at: "\(path).initial_connection_window_size",
                &findings
            )
        }
        return settings
    }

    private static func window(_ value: UInt32, at path: String, _ findings: inout Findings) -> UInt32 {
        if !Self.windowSizes.contains(value) {
            findings.add(
                path,
                "\(value) is not between \(Self.windowSizes.lowerBound) and \(Self.windowSizes.upperBound)"
            )
        }
        return min(max(value, Self.windowSizes.lowerBound), Self.windowSizes.upperBound)
    }
}
