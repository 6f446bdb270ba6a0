// Each sub-path loads alone, as CommonJS and as an ES module, and copies of the package tell over the same channels.
const assert = require('node:assert/strict');

void (async () => {
  const { instrumentLocks } = require('nestjs-distributed-lock/opentelemetry');
  // ioredis must not be loaded by it: the OpenTelemetry SDK instruments only what is loaded after its start.
  assert.deepEqual(
    Object.keys(require.cache).filter((path) => /ioredis|@nestjs/.test(path)),
    [],
  );
  assert.equal(typeof (await import('nestjs-distributed-lock/opentelemetry')).instrumentLocks, 'function');

  const names = [];
  const startSpan = (name) => {
    names.push(name);
    return { setAttribute() {}, setAttributes() {}, setStatus() {}, end() {}, spanContext: () => ({}) };
  };
  const stop = instrumentLocks({ tracer: { startSpan } });
  for (const entry of [
    require('nestjs-distributed-lock/plain'),
    await import('nestjs-distributed-lock/plain'),
  ]) {
    const locks = entry.createLockService({ redis: 'memory' });
    await locks.using('name', () => undefined);
    await locks.close();
  }
  stop();
  assert.deepEqual(names, ['lock.wait', 'lock.hold', 'lock.wait', 'lock.hold']);

  const { LockHealthIndicator } = process.features.require_module
    ? require('nestjs-distributed-lock/terminus')
    : await import('nestjs-distributed-lock/terminus');
  assert.equal(typeof LockHealthIndicator, 'function');
  assert.equal(typeof (await import('nestjs-distributed-lock/terminus')).LockHealthIndicator, 'function');
})();
