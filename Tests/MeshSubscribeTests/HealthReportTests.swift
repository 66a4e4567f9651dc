import MeshSubscribe
import Testing
import XDSAPI

@Suite struct HealthReportTests {
    @Test("A report has the type that Istio gave it, and an error only if something is wrong")
    func wire() {
        let well = HealthReport(isHealthy: true).wireMessage
        #expect(well.typeURL == "type.googleapis.com/istio.v1.HealthInformation")
        #expect(!well.hasErrorDetail)
        let ill = HealthReport(isHealthy: false, message: "refused").wireMessage
        #expect(ill.typeURL == well.typeURL)
        #expect(ill.errorDetail.message == "refused")
    }

    @Test("A workload that is not well without a reason is still not well")
    func withoutReason() {
        #expect(HealthReport(isHealthy: false).wireMessage.hasErrorDetail)
    }
}
