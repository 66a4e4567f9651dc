import ProxyRuntime
import Testing

@Suite struct LogFormatTests {
    @Test(
        "Known operators compile",
        arguments: [
            "", LogFormat.defaultText, "%%", "no operator", "%REQ(X?Y):10%", "%RESP(X)%",
            "[%START_TIME%] \"%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% "
                + "%RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "
                + "\"%UPSTREAM_TRANSPORT_FAILURE_REASON%\" %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
                + "%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \"%UPSTREAM_HOST%\" %UPSTREAM_CLUSTER_RAW% "
                + "%UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_REMOTE_ADDRESS% "
                + "%REQUESTED_SERVER_NAME% %ROUTE_NAME%\n",
        ]
    )
    func compiles(_ format: String) throws { _ = try LogFormat(format) }

    @Test(
        "What cannot be compiled is named",
        arguments: [
            ("%NOPE%", "%NOPE%"), ("a %REQ(X% b", "%REQ(X% b"), ("%DURATION", "%DURATION"),
            ("%REQ(X):a%", "%REQ(X):a%"),
            ("%REQ(A?B?C)%", "%REQ(A?B?C)%"), ("%REQ()%", "%REQ()%"),
        ]
    )
    func namesFaults(_ format: String, _ named: String) {
        let fault = #expect(throws: LogFormat.Fault.self) { try LogFormat(format) }
        #expect(fault?.operatorText == named)
    }
}
