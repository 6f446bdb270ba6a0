import { channel } from 'node:diagnostics_channel';
import { Command, type Redis } from 'ioredis';

type Argument = string | number;

// Where ioredis tells of commands, if anybody listens.
const TRACES = ['start', 'end', 'asyncStart', 'asyncEnd', 'error'].map((on) =>
  channel(`tracing:ioredis:command:${on}`),
);

/**
 * A command for one name, as a client of ioredis sends it. It has what the client asks a command for, and nothing else: the
 * promise, the closures and the copies of a {@link Command} of ioredis take its sender twice as long as everything else
 * that is done for such a command, and a node of a cluster is sent one for each name.
 */
class LeanCommand {
  readonly promise = undefined;
  isTraced = false;
  inTransaction = false;
  isResolved = false;
  isSettled = false;

  constructor(
    readonly name: string,
    // Numbers are written as they are.
    readonly args: readonly Argument[],
    /** Fields, not methods: instrumentations put functions of their own in their place. */
    readonly resolve: (reply: unknown) => void,
    readonly reject: (error: Error) => void,
  ) {}

  setReplyContext(): void {
    // What it is replied is the same in both versions of the protocol.
  }

  toWritable(): string {
    const { name, args } = this;
    const head = `*${args.length + 1}\r\n$${name.length}\r\n${name}\r\n`;
    let text = head;
    for (let index = 0; index < args.length; index += 1) {
      const arg = String(args[index]);
      text += `$${arg.length}\r\n${arg}\r\n`;
    }
    // One look at all of it: to count the bytes of each part takes longer than the rest.
    return Buffer.byteLength(text) === text.length ? text : head + args.map(counted).join('');
  }
}

// What a later version of the client asks a command for besides, it finds in its own class.
Object.setPrototypeOf(LeanCommand.prototype, Command.prototype);

function counted(arg: Argument): string {
  const text = String(arg);
  return `$${Buffer.byteLength(text)}\r\n${text}\r\n`;
}

/** Sends a command; the reply is told as soon as it is read, a failure in a later microtask. */
export function sendLean(
  client: Redis,
  name: string,
  args: readonly Argument[],
  answered: (reply: unknown) => void,
  failed: (error: Error) => void,
): void {
  // Whoever traces commands waits for their promises, and Node 26 fails where there is none.
  if (TRACES.some(({ hasSubscribers }) => hasSubscribers)) {
    const command = new Command(name, [...args], { replyEncoding: 'utf8' });
    client.sendCommand(command);
    return void command.promise.then(answered, failed);
  }
  const command = new LeanCommand(
    name,
    args,
    (reply) => answered(textsIn(reply)),
    // The client fails all that it has in a loop, and whoever is told may send the next.
    (error) => queueMicrotask(() => failed(error)),
  );
  client.sendCommand(command as unknown as Command);
}

/** The parser leaves strings as bytes. */
function textsIn(reply: unknown): unknown {
  if (reply instanceof Buffer) return reply.toString();
  return Array.isArray(reply) ? reply.map(textsIn) : reply;
}
