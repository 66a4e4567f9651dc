import DNSProxy
import DNSWire
import Logging

/// Writes a line for each question, for somebody who looks for a mistake; it costs more than the answers do.
enum DNSQueryLog {
    static func lines(to logger: Logger) -> DNSQueryLine.Log {
        { line in
            logger.info(
                "dns query",
                metadata: [
                    "name": "\(line.question.name)", "type": "\(line.question.type)",
                    "outcome": "\(line.outcome.rawValue)", "code": "\(line.code)", "answers": "\(line.answers)",
                    "transport": "\(line.overTCP ? "tcp" : "udp")", "truncated": "\(line.isTruncated)",
                    "microseconds": "\(Int(line.duration / .microseconds(1)))",
                ]
            )
        }
    }
}
