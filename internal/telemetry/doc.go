// Package telemetry measures what the program does: metrics in Prometheus's text format, traces sent over OTLP, the log of slow calls. It
// is written by hand because a cold start is a budget: prometheus/client_golang brings protobuf, OpenTelemetry's SDK costs each start
// 0.14 ms, VictoriaMetrics' package has no histograms with fixed bounds in the version that was at hand. Nothing is measured where
// nobody asked: a nil *T does nothing.
package telemetry
