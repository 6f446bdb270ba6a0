import { MACHINE, NATIVE, NATIVE_SIMULATION, type Mutant } from './mutant.js';

/** Bugs of the reference machine. */
export const machineMutants: readonly Mutant[] = [
  {
    bug: 'a place in the queue keeps the ttl of who came first',
    file: 'lib/store/lock-machine.ts',
    text: '({ ttl: waiter.ttl, guard: waiter.guard, block: waiter.block, identity: waiter.identity } = op);',
    becomes: 'void op;',
    specs: MACHINE,
  },
  {
    bug: 'a release does not look whose lock it is',
    file: 'lib/store/lock-machine.ts',
    text: "function leave(state: LockState, op: ReleaseOperation, now: number): ReleaseAnswer['outcome'] {\n  const holder = find(state, op.id);",
    becomes:
      "function leave(state: LockState, op: ReleaseOperation, now: number): ReleaseAnswer['outcome'] {\n  const holder = state.holders[0];",
    specs: MACHINE,
  },
  {
    bug: 'a renewal creates a hold',
    file: 'lib/store/lock-machine.ts',
    text: 'if (!holder || holder.kept) return ended(state, op.id, now);',
    becomes:
      "if (holder?.kept) return { outcome: 'lost', now };\n  if (!holder) return { outcome: 'renewed', last: op.used + op.block, contended: false, now };",
    specs: MACHINE,
  },
  {
    bug: 'a waiter is granted and stays in the queue',
    file: 'lib/store/lock-machine.ts',
    text: 'else grantByNotice(state, head, now, push);',
    becomes:
      'else {\n      grantByNotice(state, head, now, push);\n' +
      '      state.queue.push(head);\n      return;\n    }',
    specs: MACHINE,
  },
  {
    bug: 'the fence is a counter',
    file: 'lib/store/lock-machine.ts',
    text: 'const first = Math.max(state.fence + 1, now);',
    becomes: 'const first = state.fence + 1;',
    specs: MACHINE,
  },
  {
    bug: 'a notice goes out before the change that it announces',
    file: 'lib/store/lock-machine.ts',
    text:
      "if (push({ kind: 'granted', id, first, last, until: now + span, span, contended, done, seal, ...said }))\n    return;\n" +
      '  state.holders.pop();',
    becomes:
      'const holder = state.holders.pop();\n' +
      "  if (push({ kind: 'granted', id, first, last, until: now + span, span, contended, done, seal, ...said }))\n" +
      '    return void state.holders.push(holder as Holder);',
    specs: ['test/unit/store/notice-order.spec.ts'],
  },
  {
    bug: 'a hand-off lasts for the ttl instead of the claim window',
    file: 'lib/store/lock-machine.ts',
    text: 'const span = Math.min(CLAIM_WINDOW, head.ttl);',
    becomes: 'const span = head.ttl;',
    specs: MACHINE,
  },
  {
    bug: 'an acquire that is sent again is a new one',
    file: 'lib/store/lock-machine.ts',
    text: 'if (holder) return repeated(state, holder, op, now);',
    becomes: '',
    specs: MACHINE,
  },
  {
    bug: 'a repeated acquire is answered with the old deadline',
    file: 'lib/store/lock-machine.ts',
    text: 'extend(holder, op.ttl + op.guard, now);\n  return granted(state, holder, now);',
    becomes: 'return granted(state, holder, now);',
    specs: MACHINE,
  },
  {
    bug: 'a pushed grant carries the deadline with the guard',
    file: 'lib/store/lock-machine.ts',
    text: 'id, first, last, until: now + span, span,',
    becomes: 'id, first, last, until: now + span + head.guard, span,',
    specs: MACHINE,
  },
  {
    bug: 'the rest of a block of fences is not given back',
    file: 'lib/store/lock-machine.ts',
    text: 'if (state.fence === holder.last) state.fence = last;',
    becomes: '',
    specs: MACHINE,
  },
  {
    bug: 'a second revocation by force forgets the reason of the first',
    file: 'lib/store/lock-machine.ts',
    text: '  if (op.force) {\n    state.holders.splice',
    becomes: '  if (op.force) {\n    state.forced.length = 0;\n    state.holders.splice',
    specs: MACHINE,
  },
  {
    bug: 'a hold that was ended by force comes back when its process asks again',
    file: 'lib/store/lock-machine.ts',
    text: 'if (op.id === state.released || forcedEnd(state, op.id))',
    becomes: 'if (op.id === state.released)',
    specs: MACHINE,
  },
  {
    bug: 'a copy of an acquire that is read after its release takes effect',
    file: 'lib/store/lock-machine.ts',
    text: 'if (op.id === state.released || forcedEnd(state, op.id))',
    becomes: 'if (forcedEnd(state, op.id))',
    specs: MACHINE,
  },
  {
    bug: 'a hold is taken over, and its holder keeps it',
    file: 'lib/store/lock-machine.ts',
    text: '    state.holders.splice(state.holders.indexOf(before), 1);\n    state.released = before.id;\n',
    becomes: '    state.released = before.id;\n',
    specs: MACHINE,
  },
  {
    bug: 'a take-over gives out fences that the holder before has used',
    file: 'lib/store/lock-machine.ts',
    text: 'giveBack(state, before, op.used);',
    becomes: 'giveBack(state, before, 0);',
    specs: MACHINE,
  },
  {
    bug: 'a second process may resume what was resumed already',
    file: 'lib/store/lock-machine.ts',
    text: 'const before = own ? undefined : find(state, op.from);',
    becomes: 'const before = own ? undefined : (find(state, op.from) ?? state.holders[0]);',
    specs: ['test/proof/simulation/mutex.spec.ts'],
  },
  {
    bug: 'a take-over that is read too late has an effect',
    file: 'lib/store/lock-machine.ts',
    text: "function takeOver(state: LockState, op: TakeOverOperation, now: number, push: Push): TakeOverAnswer {\n  if (op.notAfter !== undefined && now > op.notAfter) return { outcome: 'late', now };\n",
    becomes:
      'function takeOver(state: LockState, op: TakeOverOperation, now: number, push: Push): TakeOverAnswer {\n',
    specs: MACHINE,
  },
  {
    bug: 'a late copy of an older note replaces the newer one',
    file: 'lib/store/lock-machine.ts',
    text: '(last?.by !== op.id || last.turn < op.turn)',
    becomes: '(last?.by !== op.id || last.turn > 0)',
    specs: MACHINE,
  },
  {
    bug: 'a record lives as long as its holder, whoever waits',
    file: 'lib/store/lock-machine.ts',
    text: 'if (state.queue.length > 0) latest = Math.max(latest, state.alive);',
    becomes: '',
    specs: ['test/unit/store/lock-machine.spec.ts', 'test/unit/store/lock-machine-property.spec.ts'],
  },
  {
    bug: 'a hold that its owner dates begins before the server may write it',
    file: 'lib/store/native-grant.ts',
    text: 'Math.ceil(time + (at - sentAt) * (1 + DRIFT) * 1_000)',
    becomes: 'Math.ceil(time + (at - sentAt) * (1 - DRIFT) * 1_000 - 1_000)',
    specs: [...NATIVE_SIMULATION, 'test/unit/store/native-grant.spec.ts'],
  },
  {
    bug: 'a hold is believed that was written after the clock has stepped forward',
    file: 'lib/store/native-grant.ts',
    text: 'if (now > latest || now > last)',
    becomes: 'if (now > last)',
    specs: ['test/unit/store/native-grant.spec.ts'],
  },
  {
    bug: 'a hold whose fence nobody knows is asked for again by its id',
    file: 'lib/store/redis/native-commands.ts',
    text: "operation.kind === 'acquire' && this.open.has(operation.id)",
    becomes: "operation.kind === 'acquire' && this.open.has('')",
    specs: ['test/unit/store/redis/native-commands.spec.ts'],
  },
  {
    bug: 'a lock is taken by what the server reads from a connection that was lost',
    file: 'lib/store/redis/native-path.ts',
    text: 'else if (present && !this.left.includes(present)) this.left.push(present);',
    becomes: '',
    specs: NATIVE,
  },
  {
    bug: 'whoever has given up asks again, behind its own release',
    file: 'lib/store/redis/native-path.ts',
    text: 'if (command.givenUp) outcome.replied(new NativeReply(undefined));\n      else outcome.otherwise();',
    becomes: 'outcome.otherwise();',
    specs: NATIVE,
  },
];
