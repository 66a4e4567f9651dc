/// Counts of what a proxy asks the policy engine and tells it.
package struct MixerStatistics: Sendable, Hashable {
    /// Requests that the engine decides about, whether it is asked or an earlier answer holds.
    package var checks = 0
    package var cachedAccepts = 0
    package var cachedDenials = 0
    package var calls = 0
    /// Of these, those for answers that still held.
    package var renewals = 0
    package var accepts = 0
    package var denials = 0
    /// Calls that came to nothing: no verdict, but the wire's failure.
    package var callFailures = 0
    /// Requests that have a quota to pay.
    package var quotaChecks = 0
    /// Of these, those that were paid out of what was granted before.
    package var quotaHits = 0
    package var quotaDenials = 0
    package var reports = 0
    package var reportCalls = 0
    package var reportCallFailures = 0
    /// Reports that the engine never got.
    package var reportsDropped = 0

    package init() {}

    /// The numbers under Istio's names (`http_mixer_filter.…`, `tcp_mixer_filter.…`), and where it has none, under such as it might have.
    package var all: [Statistic] {
        [
            Statistic("total_check_calls", .counter, self.checks),
            Statistic("total_check_cache_hits", .counter, self.cachedAccepts + self.cachedDenials),
            Statistic("total_check_cache_misses", .counter, self.calls - self.renewals),
            Statistic("total_check_cache_hit_accepts", .counter, self.cachedAccepts),
            Statistic("total_check_cache_hit_denies", .counter, self.cachedDenials),
            Statistic("total_remote_check_calls", .counter, self.calls),
            Statistic("total_remote_check_accepts", .counter, self.accepts),
            Statistic("total_remote_check_denies", .counter, self.denials),
            Statistic("total_remote_call_successes", .counter, self.accepts + self.denials),
            Statistic("total_remote_call_other_errors", .counter, self.callFailures),
            Statistic("total_quota_calls", .counter, self.quotaChecks),
            Statistic("total_quota_cache_hits", .counter, self.quotaHits),
            Statistic("total_quota_denies", .counter, self.quotaDenials),
            Statistic("total_report_calls", .counter, self.reports),
            Statistic("total_remote_report_calls", .counter, self.reportCalls),
            Statistic("total_remote_report_other_errors", .counter, self.reportCallFailures),
            Statistic("total_reports_dropped", .counter, self.reportsDropped),
        ]
    }

    func adding(_ other: MixerStatistics) -> MixerStatistics {
        var sum = self
        sum.checks += other.checks
        sum.cachedAccepts += other.cachedAccepts
        sum.cachedDenials += other.cachedDenials
        sum.calls += other.calls
        sum.renewals += other.renewals
        sum.accepts += other.accepts
        sum.denials += other.denials
        sum.callFailures += other.callFailures
        sum.quotaChecks += other.quotaChecks
        sum.quotaHits += other.quotaHits
        sum.quotaDenials += other.quotaDenials
        sum.reports += other.reports
        sum.reportCalls += other.reportCalls
        sum.reportCallFailures += other.reportCallFailures
        sum.reportsDropped += other.reportsDropped
        return sum
    }
}
