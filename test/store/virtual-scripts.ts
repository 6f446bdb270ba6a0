import type { Redis } from 'ioredis';
import type { AnswerTo, LockOperation } from '../../lib/store/lock-operation.js';
import { decodeAnswer, encodeOperation } from '../../lib/store/redis/operation-codec.js';
import { SCRIPTS } from '../../lib/store/redis/scripts.gen.js';

/** The scripts as they are, but for the clock: what they read as the server's TIME is an argument. */
export class VirtualScripts {
  private readonly digests = new Map<string, string>();

  constructor(private readonly client: Redis) {}

  async load(): Promise<void> {
    for (const [name, code] of Object.entries(SCRIPTS)) {
      const parts = code.split("redis.call('TIME')");
      if (parts.length !== 2) throw new Error(`${name} does not read the clock once`);
      const digest = await this.client.script('LOAD', parts.join('{ 0, tonumber(ARGV[#ARGV]) }'));
      this.digests.set(name, String(digest));
    }
  }

  /** Executes an operation at a time, and tells what the record is afterwards. */
  async execute<O extends LockOperation>(
    key: string,
    common: readonly (string | number)[],
    operation: O,
    now: number,
  ): Promise<{ answer: AnswerTo<O>; record: Record<string, string>; expiry: number }> {
    const args = [...common, ...encodeOperation(operation), now];
    const [reply, record, expiry] = await Promise.all([
      this.client.evalsha(this.digests.get(operation.kind) ?? '', 1, key, ...args),
      this.client.hgetall(key),
      this.client.pexpiretime(key),
    ]);
    return { answer: decodeAnswer(operation, reply), record, expiry };
  }
}
