import Foundation
import KubernetesAPI
import Logging

/// What others learn of the pod: its status, and events.
extension PodWorker {
    static func restore(_ slots: inout [Slot], from status: PodStatus) {
        let now = ClockText.nowSeconds()
        let statuses = status.containerStatuses + status.initContainerStatuses
        let isFinished = ["Succeeded", "Failed"].contains(status.phase)
        for index in slots.indices {
            guard let status = statuses.first(where: { $0.name == slots[index].record.name }) else { continue }
            slots[index].record.restore(status, now: now)
            // The network namespace is made anew, so what init containers did in it must be done again.
            if !isFinished, slots[index].record.role == .initializer {
                slots[index].record.last = slots[index].record.termination
                slots[index].record.state = .waiting(reason: "PodInitializing", message: nil)
            }
        }
    }

    func writeStatus() async {
        guard !self.isGone else { return }
        let status = self.statusBuilder.status(
            previous: self.writtenStatus ?? self.object.status,
            now: ClockText.nowSeconds()
        )
        guard status != self.writtenStatus else { return }
        do {
            let written = try await self.services.client.patch(
                .pods,
                namespace: self.object.namespace,
                name: self.object.name,
                subresource: "status",
                .merge(["metadata": ["uid": .string(self.uid)], "status": status])
            )
            self.writtenStatus = status
            self.services.mirror.wrote(written, of: .pods)
        } catch let error as KubernetesError where error.isNotFound || error.isConflict {
            self.logger.debug("status not written", metadata: ["error": "\(error)"])
        } catch {
            self.logger.warning("cannot write the pod's status", metadata: ["error": "\(error)"])
            self.retryAt = .now + .seconds(1)
        }
    }

    func wakeUp() { self.wake.yield() }

    func field(_ index: Int) -> String {
        let list = self.slots[index].record.role == .main ? "containers" : "initContainers"
        return "spec.\(list){\(self.slots[index].record.name)}"
    }

    func event(_ kind: EventRecorder.Kind, _ field: String?, _ reason: String, _ message: String) async {
        await self.services.events.record(kind, about: self.object, field: field, reason: reason, message: message)
    }

    /// A warning that is told once until it changes.
    func complain(_ reason: String, _ message: String, field: String? = nil) async {
        let key = reason + (field ?? "")
        guard self.lastComplaint[key] != message else { return }
        self.lastComplaint[key] = message
        self.logger.info("pod is held up", metadata: ["reason": "\(reason)", "message": "\(message)"])
        await self.event(.warning, field, reason, message)
    }
}
