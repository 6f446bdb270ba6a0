import { SCRIPTS, type Mutant } from './mutant.js';

const RULES = 'lib/store/redis/scripts/rules.lua';
const RECORD = 'lib/store/redis/scripts/record.lua';
const TAKE_OVER = 'lib/store/redis/scripts/calls/take-over.lua';
const PROPERTY = ['test/redis/scripts-property.spec.ts'] as const;

/** Bugs of the scripts; the copy embeds them again. */
export const scriptMutants: readonly Mutant[] = [
  {
    bug: 'a failing PUBLISH is taken for a count of 0',
    file: RULES,
    text: "return heard ~= 0 or countable ~= '1'",
    becomes: "return (type(heard) == 'number' and heard > 0) or countable ~= '1'",
    specs: ['test/redis/publish-denied.spec.ts'],
  },
  {
    bug: 'the first waiter does not tell the holder',
    file: RECORD,
    text: "  told(holder, 'c ')\n",
    becomes: '',
    specs: PROPERTY,
  },
  {
    bug: 'the first waiter takes its hand-off for one that lasts for the ttl',
    file: RECORD,
    text: 'local claim = math.min(CLAIM_WINDOW, ttl)',
    becomes: 'local claim = ttl',
    specs: PROPERTY,
  },
  {
    bug: 'the fence is a counter, in Redis',
    file: RULES,
    text: 'local from = math.max(fence + 1, now)',
    becomes: 'local from = fence + 1',
    specs: PROPERTY,
  },
  {
    bug: 'a waiter is granted and stays in the queue, in Redis',
    file: RULES,
    text: '        dequeue(head)\n        if head.id == caller then',
    becomes: '        if head.id ~= caller then dequeue(head) end\n        if head.id == caller then',
    specs: PROPERTY,
  },
  {
    bug: 'a hand-off lasts for the ttl instead of the claim window, in Redis',
    file: RECORD,
    text: 'local span = math.min(CLAIM_WINDOW, w.ttl)',
    becomes: 'local span = w.ttl',
    specs: SCRIPTS,
  },
  {
    bug: 'a record lives as long as its holder, whoever waits, in Redis',
    file: RECORD,
    text: 'latest = math.max(latest, alive)',
    becomes: 'latest = latest',
    specs: [...SCRIPTS, ...PROPERTY],
  },
  {
    bug: 'the common hand-off goes to a waiter whose time is over, in Redis',
    file: RECORD,
    text: 'if not head or finish + 0 <= now then',
    becomes: 'if not head then',
    specs: PROPERTY,
    tests: 'agree that a hand-off',
  },
  {
    bug: 'the common hand-off leaves one at the head whose time is over, in Redis',
    file: RECORD,
    text: 'if finish_ + 0 <= now or alive - now > SIGN_OF_LIFE then',
    becomes: 'if false then',
    specs: PROPERTY,
    tests: 'agree that a hand-off',
  },
  {
    bug: 'the common hand-off stands though nobody heard of it, in Redis',
    file: RECORD,
    text: "if heard == 0 and countable == '1' then",
    becomes: "if heard == 0 and countable == '2' then",
    specs: PROPERTY,
    tests: 'agree that a hand-off',
  },
  {
    bug: 'the common hand-off gives a fence that was used, in Redis',
    file: RECORD,
    text: 'if used + 0 >= now or string.byte(record, share) ~= STAR',
    becomes: 'if string.byte(record, share) ~= STAR',
    specs: PROPERTY,
    tests: 'agree that a hand-off',
  },
  {
    bug: 'a take-over gives out fences that the holder before has used, in Redis',
    file: TAKE_OVER,
    text: 'giveBack(from, lastUsed)',
    becomes: 'giveBack(from, 0)',
    specs: PROPERTY,
    tests: 'goes on under another id',
  },
  {
    bug: 'a second process may resume what was resumed already, in Redis',
    file: TAKE_OVER,
    text: 'local own, before = holders[id], holders[from]\n',
    becomes:
      'local own, before = holders[id], holders[from]\n' +
      '  if not own and not before then for k in pairs(holders) do before, from = holders[k], k end end\n',
    specs: ['test/redis/handed-over.spec.ts'],
  },
  {
    bug: 'a copy of a take-over that is read late is a new one, in Redis',
    file: TAKE_OVER,
    text: '    released = from\n',
    becomes: '',
    specs: PROPERTY,
    tests: 'goes on under another id',
  },
  {
    bug: 'who waits is forgotten when a compact record has no more room, in Redis',
    file: RECORD,
    text: '      writeWaiter(w)\n    end\n    waiters = {}',
    becomes: '    end\n    waiters = {}',
    specs: PROPERTY,
    tests: 'agree that a hand-off',
  },
  {
    bug: 'a holder that works and knows that others wait is told that its name is wanted, in Redis',
    file: 'lib/store/redis/scripts/calls/acquire.lua',
    text: 'and not (holder.contended or holder.revoked or holder.kept)',
    becomes: 'and not (holder.revoked or holder.kept)',
    specs: PROPERTY,
  },
];
