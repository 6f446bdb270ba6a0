import { FORGED, SIMULATION, UNSURE, type Mutant } from './mutant.js';

/** Bugs of the client: what it believes, and what it forgets to say. */
export const lineMutants: readonly Mutant[] = [
  {
    bug: 'the deadline counts from the time at which the answer was received',
    file: 'lib/line/attempt.ts',
    text: 'const deadline = leaseDeadline(answer.sentAt, this.terms.ttl);',
    becomes: 'const deadline = leaseDeadline(answer.receivedAt, this.terms.ttl);',
    specs: SIMULATION,
  },
  {
    bug: 'the wall clock alone tells the time',
    file: 'lib/base/clock.ts',
    text: 'return elapsed + this.jumped;',
    becomes: 'return this.wall();',
    specs: ['test/redis/frozen-server.spec.ts', 'test/redis/holder-in-trouble.spec.ts'],
    tests: 'wall clock|frozen while held',
  },
  {
    bug: 'an unknown outcome of a renewal is taken for success',
    file: 'lib/line/hold.ts',
    text: '// Unknown is neither',
    becomes:
      'this.deadline = Math.max(this.deadline, leaseDeadline(this.setup.clock.now(), ttl));\n      // Unknown is neither',
    specs: SIMULATION,
  },
  {
    bug: 'who waits hears a notice or never asks',
    file: 'lib/line/attempt.ts',
    text: 'this.later(askAgainIn(dueIn,',
    becomes: 'if (!store.subscribed) this.later(askAgainIn(dueIn,',
    specs: SIMULATION,
  },
  {
    bug: 'whoever gives up ignores a grant that is under way',
    file: 'lib/line/attempt.ts',
    text: 'private depart(): void {',
    becomes: "private depart(): void {\n    if (this.phase === 'over') return;",
    specs: UNSURE,
  },
  {
    bug: 'a push is believed without a sample of the server’s clock',
    file: 'lib/store/server-clock.ts',
    text: 'if (!sample) return undefined;',
    becomes: 'if (!sample) return leaseDeadline(receivedAt, notice.span / 1_000);',
    specs: ['test/unit/store/server-clock.spec.ts'],
  },
  {
    bug: 'a push is believed without the seal of its attempt',
    file: 'lib/line/attempt.ts',
    text: 'notice.seal === this.command.seal && ',
    becomes: '',
    specs: FORGED,
  },
  {
    bug: 'a notice that overtakes the answer that grants is forgotten',
    file: 'lib/line/attempt.ts',
    text: 'return void (this.early ??= new Map()).set(notice.kind, notice);',
    becomes: 'return;',
    specs: ['test/unit/line/turn-news.spec.ts'],
  },
  {
    bug: 'whoever publishes a revocation takes the lease away',
    file: 'lib/line/hold.ts',
    text: 'this.heardReason = notice.reason;',
    becomes: "this.lose('revoked');",
    specs: FORGED,
  },
  {
    bug: 'a downgraded lease stops being exclusive only at the answer',
    file: 'lib/line/lease.ts',
    text: "    this.ended ??= { at: owner.clock.now(), reason: 'released' };\n    const lease",
    becomes:
      "    const end = () => (this.ended ??= { at: owner.clock.now(), reason: 'released' });\n" +
      '    queueMicrotask(() => void done.then(end));\n    const lease',
    specs: UNSURE,
  },
  {
    bug: 'a stale `queued` demotes a pushed grant',
    file: 'lib/line/attempt.ts',
    text: "if (this.phase === 'waiting') this.decide(answer);",
    becomes: "if (this.phase !== 'over') this.decide(answer);",
    specs: SIMULATION,
  },
  {
    bug: '`late` is taken for lost',
    file: 'lib/line/hold.ts',
    text: "if (answer.outcome === 'late') throw new",
    becomes: "if (answer.outcome === 'late') return { outcome: 'lost' };\n    if (ttl < 0) throw new",
    specs: UNSURE,
  },
  {
    bug: 'an id whose acquire was not answered is released only once',
    file: 'lib/line/pending-releases.ts',
    text: 'if (now > doubt || this.closed) return this.over();',
    becomes: 'if (now > 0) return this.over();',
    specs: UNSURE,
  },
];
