#!/usr/bin/env bash
# How the OpenTelemetry exporter for Prometheus names a histogram whose unit is seconds.
#
# Versions: @opentelemetry/exporter-prometheus 0.223.0, @opentelemetry/sdk-metrics 2.12.1
# Guess:    The unit becomes a suffix, as OpenTelemetry's rules for Prometheus say and as its collector
#           does: lock_acquire_duration_seconds_sum. Counters end with _total.
# Seen:     The unit is left out; counters do end with _total. A dashboard that is written for the
#           collector's names has empty panels beside this exporter, and the other way round.
# Output:   lock_acquire_duration_bucket lock_acquire_duration_count lock_acquire_duration_sum lock_lost_total
set -euo pipefail
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
npm install --prefix "$dir" --no-audit --no-fund --silent --ignore-scripts \
  @opentelemetry/exporter-prometheus@0.223.0 @opentelemetry/sdk-metrics@2.12.1 @opentelemetry/api@1.9.1
cat > "$dir/run.cjs" <<'JS'
const { PrometheusExporter, PrometheusSerializer } = require('@opentelemetry/exporter-prometheus');
const { MeterProvider } = require('@opentelemetry/sdk-metrics');
const EXPECTED = 'lock_acquire_duration_bucket lock_acquire_duration_count lock_acquire_duration_sum lock_lost_total';

(async () => {
  const reader = new PrometheusExporter({ preventServerStart: true });
  const meter = new MeterProvider({ readers: [reader] }).getMeter('example');
  meter.createHistogram('lock.acquire.duration', { unit: 's' }).record(0.2);
  meter.createCounter('lock.lost').add(1);
  const { resourceMetrics } = await reader.collect();
  const text = new PrometheusSerializer().serialize(resourceMetrics);
  const names = [...new Set([...text.matchAll(/^(lock_\w+)/gm)].map(([, name]) => name))].sort().join(' ');
  console.log(names);
  process.exit(names === EXPECTED ? 0 : 1);
})();
JS
timeout 60 node "$dir/run.cjs" && echo 'as found' || { echo 'CHANGED'; exit 1; }
