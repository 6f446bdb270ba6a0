// Both loaders get one class where Node can require an ES module; else `instanceof` and injection would split.
const assert = require('node:assert/strict');

const required = require('nestjs-distributed-lock');
const requiredPlain = require('nestjs-distributed-lock/plain');
const requiredTesting = require('nestjs-distributed-lock/testing');

void (async () => {
  const imported = await import('nestjs-distributed-lock');
  const importedTesting = await import('nestjs-distributed-lock/testing');
  assert.equal(typeof required.LockService, 'function');
  assert.equal(requiredPlain.LockService, required.LockService);
  assert.equal((await import('nestjs-distributed-lock/plain')).LockService, imported.LockService);
  assert.deepEqual(
    Object.keys(required).sort(),
    Object.keys(imported)
      .filter((key) => key !== 'module.exports')
      .sort(),
  );
  if (process.features.require_module) {
    assert.equal(required.LockService, imported.LockService);
    assert.equal(requiredTesting.DistributedLockTestingModule, importedTesting.DistributedLockTestingModule);
  } else {
    console.log(`Node ${process.version} cannot require ES modules: require and import are two copies here`);
  }
})();
