// A locked command of nest-commander, in memory: node command-app.cjs. The command runs under its lock; when the lock is
// busy it does not run. Without a serviceErrorHandler nest-commander prints the error, and the process ends well.
require('reflect-metadata');
const assert = require('node:assert/strict');
const { Module } = require('@nestjs/common');
const { Command, CommandFactory, CommandRunner, CommandRunnerService } = require('nest-commander');
const { DistributedLockModule, Locked, LockService } = require('nestjs-distributed-lock');

const ran = [];

class Count extends CommandRunner {
  async run() {
    ran.push('count');
  }
}
const descriptor = Object.getOwnPropertyDescriptor(Count.prototype, 'run');
Locked('count', { wait: 0 })(Count.prototype, 'run', descriptor);
Object.defineProperty(Count.prototype, 'run', descriptor);
Command({ name: 'count' })(Count);

class AppModule {}
Module({ imports: [DistributedLockModule.forRoot({ redis: 'memory' })], providers: [Count] })(AppModule);

async function main() {
  const errors = [];
  const serviceErrorHandler = (error) => errors.push(error.code);
  const app = await CommandFactory.createWithoutRunning(AppModule, { logger: false, serviceErrorHandler });
  const command = app.get(CommandRunnerService);
  const lease = await app.get(LockService).acquire('count');
  await command.run(['node', 'app', 'count']);
  assert.deepEqual([ran, errors], [[], ['LOCK_BUSY']]);
  await lease.release();
  await command.run(['node', 'app', 'count']);
  assert.deepEqual([ran, errors], [['count'], ['LOCK_BUSY']]);
  await app.close();
}
void main();
