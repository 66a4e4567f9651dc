import Foundation
import Glibc
import KubernetesAPI
import Logging

/// The end of a pod, and of a container that is started again.
extension PodWorker {
    /// Asks all containers to end, then makes them, then removes what is left.
    func end() async -> ContinuousClock.Instant? {
        let grace =
            self.isGone
            ? 0
            : self.object.json[path: "metadata", "deletionGracePeriodSeconds"]?.int
                ?? self.pod.spec.terminationGracePeriodSeconds ?? 30
        for index in self.slots.indices {
            guard let run = self.slots[index].run else { continue }
            if self.slots[index].killReason == nil {
                self.slots[index].killReason = "deleted"
                self.slots[index].killAt = .now + .seconds(grace)
                await self.event(
                    .normal,
                    self.field(index),
                    "Killing",
                    "Stopping container \(self.slots[index].record.name)"
                )
                run.terminate()
            }
            let killAt = min(self.slots[index].killAt ?? .now, .now + .seconds(grace))
            self.slots[index].killAt = killAt
            if killAt <= .now {
                run.kill9()
                self.slots[index].killAt = .now + .seconds(1)
            }
        }
        if self.slots.contains(where: { $0.run != nil }) {
            await self.writeStatus()
            return self.nextDeadline()
        }
        await self.cleanUp()
        return nil
    }

    private func cleanUp() async {
        await self.link?.remove()
        try? FileManager.default.removeItem(at: self.folder)
        try? FileManager.default.removeItem(at: self.logFolder)
        if !self.isGone {
            let path = ResourceType.pods.path(namespace: self.object.namespace, name: self.object.name)
            let options: JSONValue = [
                "apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0,
                "preconditions": ["uid": .string(self.uid)],
            ]
            do {
                _ = try await self.services.client.send(.DELETE, path, body: options)
            } catch let error as KubernetesError where error.isNotFound || error.isConflict {
            } catch {
                self.logger.warning("cannot delete the pod's object", metadata: ["error": "\(error)"])
                self.retryAt = .now + .seconds(1)
                return
            }
        }
        await self.services.addresses.release(self.uid)
        self.hasCleanedUp = true
        self.wake.yield()
    }

    func stopSidecars() async {
        for slot in self.slots where slot.record.role == .sidecar { slot.run?.terminate() }
    }

    /// Ends a container so that it starts anew, as after a failed liveness probe.
    func restart(_ index: Int, _ run: ContainerRun) async {
        guard self.slots[index].run === run else { return }
        run.terminate()
        let grace = self.pod.spec.terminationGracePeriodSeconds ?? 30
        try? await Task.sleep(for: .seconds(grace))
        run.kill9()
    }
}
