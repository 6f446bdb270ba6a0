import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const TESTS = join(import.meta.dirname, '..');

/** The titles of tests, or of tables of tests, by their file. */
type Shown = Readonly<Record<string, readonly string[]>>;

/** What was seen to go wrong in other packages for locks, and the tests that show that it does not here. */
const FAILURES: Readonly<Record<string, Shown>> = {
  'the reply to a command is lost, and the key stays taken or a grant counts twice': {
    'redis/lost-replies.spec.ts': [
      'the grant’s reply is lost: the attempt is granted when it asks again, with the same fence',
      'the grant’s reply is lost for a caller who asks once: the same question over the next connection is the answer',
      'the grant’s reply is lost twice for a caller who asks once: the key is free within a round trip',
      'the release’s reply is lost: it is sent again and has the same answer',
      'the renewal’s reply is lost: that is no loss',
    ],
  },
  'acquire gives up while its command is in flight, and the late grant is left behind': {
    'redis/frozen-server.spec.ts': [
      'acquire gives up while its command is in flight: the late grant is released',
    ],
    'redis/lost-replies.spec.ts': [
      'acquire gives up while its answer is on the way: the key is free when the answer is here',
      'an answer later than the lease is no grant',
    ],
  },
  'the server is frozen, and acquire rejects neither in time nor at an abort': {
    'redis/frozen-server.spec.ts': [
      'frozen server: acquire rejects within its wait, and says that the store did not answer',
      'frozen server: tryAcquire rejects in time, also when others wait behind it',
      'frozen server: an abort rejects at once',
      'frozen server: several names reject within their wait, though the first one is held already',
    ],
  },
  'the server is frozen while a lock is held, and the holder is told too late': {
    'redis/frozen-server.spec.ts': [
      'frozen while held: the signal comes by the deadline, and the lease is free soon after',
      'frozen while held: the signal comes by the deadline when the wall clock steps %s',
    ],
  },
  'the event loop is blocked past the renewal point, and a lease that is still proven is lost': {
    'redis/holder-in-trouble.spec.ts': [
      'event loop blocked past the renewal point, not past the lease: still held',
    ],
  },
  'the event loop is blocked past the end of the lease, and the holder does not notice': {
    'redis/holder-in-trouble.spec.ts': [
      'blocked past the lease: assertHeld() throws at the first chance, before any timer has run',
    ],
  },
  'the work has returned when its lease is lost, and the result is masked, or comes late': {
    'redis/holder-in-trouble.spec.ts': [
      'the work returned, the lease is lost: LockLostError with the result, at once',
    ],
  },
  'the work has thrown when its lease is lost, and its error is masked': {
    'redis/holder-in-trouble.spec.ts': ['the work threw, the lease is lost: the work’s error is the cause'],
  },
  'a renewal fails, and that is an unhandled rejection': {
    'redis/lost-replies.spec.ts': [
      'the renewals fail until the deadline: the signal says so, and nothing is rejected unheard',
      'the connection is lost under a renewal: it is sent again over the next one',
    ],
  },
  'a renewal is in flight at the end, and the process does not exit': {
    'redis/killed-processes.spec.ts': [
      'a renewal is in flight at the end: the process exits, and says only that it took the lease away',
    ],
  },
  'the ttl is short, and renewals are without bound': {
    'redis/holder-in-trouble.spec.ts': [
      'shortest ttl: at most one renewal in a third of it; too short a ttl is refused',
    ],
  },
  'a stale holder releases, renews or dequeues its successor': {
    'redis/holder-in-trouble.spec.ts': [
      'a stale holder cannot release, renew or dequeue its successor',
      'the store itself lets a stale id neither release, renew nor dequeue a successor',
    ],
  },
  'callers share one instance, and more get in than there are permits': {
    'contract/kinds/semaphore.ts': [
      'lets as many in as it has permits, over 20 callers of one shared instance',
    ],
  },
  'a second release, a release after a loss or a renewal after a release does something undefined': {
    'redis/holder-in-trouble.spec.ts': [
      'release twice, release after loss, renew after release: each has its answer',
    ],
  },
  'wall clocks differ, and somebody is let in early or thought dead': {
    'redis/holder-in-trouble.spec.ts': [
      'wall clocks 11 s apart: nobody is let in early, nobody is thought dead',
    ],
  },
  'fences do not grow over expiry, release or revocation': {
    'redis/holder-in-trouble.spec.ts': [
      'fences strictly increase over expiry, release, revoke, FLUSHALL and DEL',
    ],
  },
  'the holder dies, and the next one waits for much longer than the lease': {
    'redis/killed-processes.spec.ts': ['the holder dies: the next one has the lock within ttl + guard'],
  },
  'one waiter gives up, and others are not woken': {
    'redis/waiting.spec.ts': ['one waiter gives up: the others still wake'],
  },
  'the lock is released between the try and the subscription, and a waiter sleeps until the lease ends': {
    'redis/waiting.spec.ts': [
      'the lock is released between the try and the subscription: nobody sleeps until the lease ends',
    ],
  },
  'many callers wait in one process: commands without bound, a warning of a leak, no order': {
    'redis/killed-processes.spec.ts': [
      'a hundred callers share one abort signal in a process: no warning of a leak',
    ],
    'redis/waiting.spec.ts': [
      'a hundred local waiters: one place in the queue, a bounded number of commands, first come first served',
    ],
  },
  'the head of the queue is killed, and the queue stands still': {
    'redis/killed-processes.spec.ts': ['the head of the queue is killed: the queue moves'],
  },
  'the connection of the subscriber drops, and nobody is served any more': {
    'redis/waiting.spec.ts': [
      'the subscriber’s connection drops, with keyPrefix %p: the next one is served all the same',
      'the subscriber’s connection goes silent: the waiter notices, and is served by notices again',
    ],
  },
  'SCRIPT FLUSH, a failover or a restart stops all locks': {
    'redis/changed-server.spec.ts': [
      'SCRIPT FLUSH: holders, waiters and newcomers are served',
      'the server restarts empty: the holder learns it, waiters go on, fences grow',
      'failover to a replica that has the grant: the holder goes on, the waiter keeps its place',
    ],
  },
  'the names of a call lie in several slots of a cluster': {
    'redis/cluster-contract.spec.ts': ["'several names'"],
    'contract/locks/several.ts': ['are all taken or none'],
    'redis/cluster-changes.spec.ts': [
      'serves four hundred calls of two processes without an error while a slot is half-way',
    ],
    'redis/one-key-scripts.spec.ts': ['each script names one key, and touches no other'],
  },
  'a foreign value under the key of a lock is overwritten, or an error without a name': {
    'redis/changed-server.spec.ts': [
      'a foreign value under our key, %s: a named error at once, and the value is left alone',
      'a foreign value that replaces a held lock: the holder learns it at its next renewal',
      'a foreign value that replaces a held lock is left alone by the release, which is not repeated',
    ],
  },
  'a client on another db, with a key prefix, or closed by its owner': {
    'redis/changed-server.spec.ts': [
      'a client of ioredis %s on db 3, with a keyPrefix: its locks are there, it is not used and not closed',
      'a db that the server does not have: nothing is locked in another one',
      'the application closes its client first: leases are still released',
    ],
  },
  'names that differ collide, and what is no name becomes one': {
    'unit/locks/names.spec.ts': [
      'parts that differ make names that differ, and parts that are none are refused',
    ],
  },
  'a decorator hides the metadata of others, above or below it': {
    'nest/locked-metadata.spec.ts': [
      'works %s @Get, @HttpCode and @UseGuards',
      'works %s pipes, interceptors and filters, and what they know of a parameter',
      'above a transactional decorator loses no update, and below it may lose one',
      'works %s @OnEvent',
      'works %s @Cron',
      'keeps all metadata of %s above and below',
      'keeps metadata, name, length, kind and properties of the method',
    ],
    'consumers/app/sums.spec.ts': ['works %s @MessagePattern, and is locked', 'works %s @ApiOperation'],
  },
  'the own HttpException of a method is changed': {
    'nest/lock-exception-filter.spec.ts': ['lets the own HttpException of a locked method pass untouched'],
    'nest/locked.spec.ts': ['passes the own error of a method on untouched'],
  },
  'the lock of a stream or generator ends before its last value': {
    'nest/return-kinds.spec.ts': [
      'is held until the response of kind %s was sent, in the scope %s',
      'is free when a client leaves the %s',
    ],
    'unit/nest/locked-stream.spec.ts': [
      'locks nothing before somebody subscribes, and holds the lock until the source completes',
      'ends the source and then releases when the consumer unsubscribes',
    ],
    'unit/nest/locked-generator.spec.ts': [
      'releases when the consumer leaves, after the generator has cleaned up',
      'releases when the generator throws, and passes its error on',
    ],
    'unit/nest/locked-misuse.spec.ts': [
      'a stream, also inside a promise, with the remedy, and does not begin it',
    ],
  },
  'an override that calls super waits for itself': {
    'nest/locked.spec.ts': ['locks an override and the inherited method that it calls once'],
  },
  'the module is missing or not ready, and the method runs without the lock': {
    'nest/distributed-lock-module.spec.ts': [
      'fails the start of an application with @Locked methods',
      'fails the start when the store does not answer',
      'is ready, and has filled instances made by factories, before other modules are initialised',
    ],
    'nest/fail-closed.spec.ts': ['in the scope %s, and the client is told no name', 'for %s'],
    'nest/locked.spec.ts': ['never runs unlocked on an instance that Nest did not make'],
  },
  'two applications of one process share what they should not': {
    'nest/locked.spec.ts': ['keeps two applications of one process apart'],
    'nest/two-applications.spec.ts': [
      'is busy there, in its status, and free in the three others',
      'are closed one by one',
    ],
  },
  'the application is closed while a handler runs': {
    'nest/distributed-lock-module.spec.ts': ['lets a running handler keep its lease, and answers at once'],
  },
  'a minified bundle has other keys, or no scripts': {
    'consumers/corners.mjs': ['a minified bundle of esbuild locks, beside the installed package'],
  },
  'the packed tarball does not work with require, with import, or with a version of Nest': {
    'consumers/corners.mjs': [
      "'Nest 11': { nest: '^11.0.0'",
      "'Nest 12': { nest: '^12.0.0'",
      'it boots and locks on Redis',
      'require and import give one class',
    ],
  },
  'memory grows with every name that was ever used': {
    'unit/locks/names.spec.ts': ['100 000 distinct names in memory: the memory of the process does not grow'],
    'redis/many-names.spec.ts': ['100 000 distinct names in Redis: the memory of the process does not grow'],
  },
};

describe('the failures seen in other packages', () => {
  it.each(Object.entries(FAILURES))('have a test: %s', (_failure, shown) => {
    for (const [file, titles] of Object.entries(shown)) {
      const text = readFileSync(join(TESTS, file), 'utf8');
      for (const title of titles) expect([file, title, text.includes(title)]).toEqual([file, title, true]);
    }
  });
});
