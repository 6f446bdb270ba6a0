import { SCRIPTS, type Mutant } from './mutant.js';

const MACHINE_LUA = 'lib/store/redis/scripts/_machine.lua';

/** Bugs of the scripts; the copy embeds them again. */
export const scriptMutants: readonly Mutant[] = [
  {
    bug: 'a failing PUBLISH is taken for a count of 0',
    file: MACHINE_LUA,
    text: "return heard ~= 0 or countable ~= '1'",
    becomes: "return (type(heard) == 'number' and heard > 0) or countable ~= '1'",
    specs: ['test/locks/publish-denied.spec.ts'],
  },
  {
    bug: 'the fence is a counter, in Redis',
    file: MACHINE_LUA,
    text: 'local from = math.max(fence + 1, now)',
    becomes: 'local from = fence + 1',
    specs: SCRIPTS,
  },
  {
    bug: 'a waiter is granted and stays in the queue, in Redis',
    file: MACHINE_LUA,
    text: '        dequeue(head)\n        if head.id == caller then',
    becomes: '        if head.id ~= caller then dequeue(head) end\n        if head.id == caller then',
    specs: ['test/store/scripts-property.spec.ts'],
  },
  {
    bug: 'a hand-off lasts for the ttl instead of the claim window, in Redis',
    file: MACHINE_LUA,
    text: 'local span = math.min(CLAIM_WINDOW, w.ttl)',
    becomes: 'local span = w.ttl',
    specs: SCRIPTS,
  },
  {
    bug: 'a record lives as long as its holder, whoever waits, in Redis',
    file: MACHINE_LUA,
    text: 'latest = math.max(latest, alive)',
    becomes: 'latest = latest',
    specs: [...SCRIPTS, 'test/store/scripts-property.spec.ts'],
  },
];
