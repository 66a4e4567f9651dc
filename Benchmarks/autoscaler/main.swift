// How long one tick of the autoscaler takes, and the memory it needs: `main [REVISIONS]`, 10,000 by default.

import Foundation
import MeshModel
import RequestReports
import Serverless

let count = CommandLine.arguments.dropFirst().first.flatMap { Int($0) } ?? 10_000
let revisions = (0..<count).map { ObjectID(namespace: "namespace-\($0 % 100)", name: "revision-\($0)-00001") }
var autoscaler = Autoscaler()
for (index, revision) in revisions.enumerated() {
    var settings = ScalingSettings()
    settings.target = Double(1 + index % 50)
    autoscaler.configure(
        revision,
        settings: settings,
        pods: .init(ready: 1 + index % 4, replicas: 1 + index % 4),
        activation: Activation(phase: .active(since: .zero), isInitialized: true),
        at: .zero
    )
}

let clock = ContinuousClock()
var ticks: [Duration] = []
var reports: [Duration] = []
// Two minutes: the stable window is full for the second of them.
for second in 1...120 as ClosedRange<Int64> {
    var messages: [StatMessage] = []
    for (index, revision) in revisions.enumerated() {
        let stat = Stat(podName: "activator", averageConcurrentRequests: Double((index + Int(second)) % 90))
        messages.append(StatMessage(revision: revision, stat: stat))
    }
    reports.append(clock.measure { _ = autoscaler.record(messages, at: .seconds(second)) })
    if second.isMultiple(of: 2) { ticks.append(clock.measure { _ = autoscaler.tick(at: .seconds(second)) }) }
}
ticks.sort()
reports.sort()

func milliseconds(_ duration: Duration) -> String {
    let microseconds = duration.components.attoseconds / 1_000_000_000_000 + duration.components.seconds * 1_000_000
    return "\(Double(microseconds) / 1000) ms"
}
/// The most that the process has had in memory at once, as the kernel counts it.
func memoryPeak() -> String {
    // Only Linux has it; elsewhere the other numbers are still of use.
    guard let status = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
        let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") }),
        let kilobytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap({ Int($0) })
    else { return "unknown" }
    return "\(kilobytes / 1024) MB"
}
print("revisions          \(count)")
print("tick, median       \(milliseconds(ticks[ticks.count / 2]))")
print("tick, slowest      \(milliseconds(ticks[ticks.count - 1]))")
print("a report of each   \(milliseconds(reports[reports.count / 2]))")
print("memory, at most    \(memoryPeak())")
