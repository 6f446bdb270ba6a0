import { Command, type Redis } from 'ioredis';
import { sendLean } from '../../../../lib/store/redis/lean-command.js';

describe('a command for one name', () => {
  interface Sent {
    name: string;
    args: readonly unknown[];
    resolve(reply: unknown): void;
    reject(error: Error): void;
    toWritable(): string;
  }

  function sent(args: readonly (string | number)[], heard: unknown[] = []): Sent {
    let command: Sent | undefined;
    const client = { sendCommand: (given: Sent) => void (command = given) } as unknown as Redis;
    sendLean(
      client,
      'evalsha',
      args,
      (reply) => heard.push(reply),
      (error) => heard.push(error.message),
    );
    return command as Sent;
  }

  it.each([
    ['of plain letters', ['digest', 1, 'lock:a', '60000 1 lock:session:', 'x y', '']],
    ['of any letters', ['digest', 1, 'lock:größe 🔒', '60000 1 lock:session:', 'é', 17]],
  ])('is written as ioredis writes it: %s', (_, args) => {
    expect(sent(args).toWritable()).toBe(new Command('evalsha', [...args]).toWritable({}));
  });

  it('is for ioredis and for whoever traces commands a command like others', () => {
    const command = sent(['digest', 1, 'lock:a']);
    expect(command).toBeInstanceOf(Command);
    expect([command.name, command.args]).toEqual(['evalsha', ['digest', 1, 'lock:a']]);
    const heard: unknown[] = [];
    const traced = sent(['digest', 1, 'lock:a'], heard);
    const { resolve } = traced;
    traced.resolve = (reply) => resolve(reply);
    traced.resolve(Buffer.from('1764000000000000'));
    expect(heard).toEqual(['1764000000000000']);
  });

  it('tells a reply with its strings, and the errors in it', () => {
    const heard: unknown[] = [];
    const error = new Error('ERR one of them');
    sent([], heard).resolve([[Buffer.from('busy'), 5, Buffer.from('größe')], error, 7]);
    expect(heard).toEqual([[['busy', 5, 'größe'], error, 7]]);
  });

  it('tells a failure when the client has failed all that it had', async () => {
    const heard: unknown[] = [];
    sent([], heard).reject(new Error('Connection is closed.'));
    expect(heard).toEqual([]);
    await Promise.resolve();
    expect(heard).toEqual(['Connection is closed.']);
  });
});
