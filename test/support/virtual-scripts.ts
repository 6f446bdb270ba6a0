import type { Redis } from 'ioredis';
import type { AnswerTo, LockOperation } from '../../lib/store/lock-operation.js';
import { decodeAnswer, encodeOperation, encodeTerms } from '../../lib/store/redis/operation-codec.js';
import type { StoredRecord } from '../../lib/store/redis/state-codec.js';
import { storedExpiry, storedRecord } from './stored-record.js';
import { SCRIPTS } from '../../lib/store/redis/run-script.js';

// What a script sees as the server: the real one, with a clock of the test.
const SERVER = `
local server, clock = redis, tonumber(ARGV[#ARGV])
local function virtual(call, name, ...)
  if name == 'TIME' then
    local seconds = math.floor(clock / 1000000)
    return { string.format('%.0f', seconds), string.format('%.0f', clock - seconds * 1000000) }
  end
  local key, value, unit, milliseconds, mode = ...
  if name ~= 'SET' or unit ~= 'PX' then return call(name, ...) end
  local set = mode and call('SET', key, value, mode) or not mode and call('SET', key, value)
  if not set then return set end
  call('PEXPIREAT', key, string.format('%.0f', math.floor(clock / 1000) + milliseconds))
  return set
end
local redis = {
  call = function(...) return virtual(server.call, ...) end,
  pcall = function(...) return virtual(server.pcall, ...) end,
  error_reply = server.error_reply,
}
`;

/** The scripts as they are, but for the clock: the server's time is an argument. */
export class VirtualScripts {
  private readonly digests = new Map<string, string>();

  constructor(
    private readonly client: Redis,
    private readonly channelPrefix: string,
  ) {}

  /** Without the lean paths the general path does all, except that it finds nothing late. */
  async load({ lean = true } = {}): Promise<void> {
    for (const [name, code] of Object.entries(SCRIPTS)) {
      const used = lean ? code : code.replace(/(local reply = )lean\(.*/, '$1false');
      this.digests.set(name, String(await this.client.script('LOAD', SERVER + used)));
    }
  }

  /** Executes an operation at a time, and tells what the record is afterwards. */
  async execute<O extends LockOperation>(
    key: string,
    { fenceMemory, counted }: { fenceMemory: number; counted: boolean },
    operation: O,
    now: number,
  ): Promise<{ answer: AnswerTo<O>; record: StoredRecord; expiry: number | undefined }> {
    const terms = encodeTerms(fenceMemory, this.channelPrefix, counted);
    const args = [terms, ...encodeOperation(operation, fenceMemory), now];
    const [replies, record, expiry] = await Promise.all([
      this.client.evalsha(this.digests.get(operation.kind) ?? '', 1, key, ...args),
      storedRecord(this.client, key),
      storedExpiry(this.client, key),
    ]);
    return { answer: decodeAnswer(operation, Array.isArray(replies) ? replies[0] : replies), record, expiry };
  }
}
