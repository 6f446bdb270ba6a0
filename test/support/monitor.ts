import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Redis } from 'ioredis';

/**
 * Hears each command that a server runs, by MONITOR: its words, and who sent it (`lua` for one of a script).
 * A plain socket, since `monitor()` of ioredis fails while others write, and leaves a client behind that nobody can end.
 */
export class Monitor {
  private constructor(private readonly socket: Socket) {}

  /** Resolves when the server tells of all that comes from now on. */
  static async of({ options }: Redis, heard: (words: string[], source: string) => void): Promise<Monitor> {
    const { port = 6379, host = '127.0.0.1' } = options;
    const socket = connect(port, host);
    const lines = createInterface({ input: socket.setEncoding('latin1') });
    socket.write('MONITOR\r\n');
    const [answer] = (await once(lines, 'line')) as [string];
    if (answer !== '+OK') throw new Error(`MONITOR was answered with ${answer}`);
    lines.on('line', (line) => {
      const [, source = '', command = ''] = /^\+[\d.]+ \[\d+ (.*?)\] (.*)$/.exec(line) ?? [];
      heard(
        [...command.matchAll(/"((?:[^"\\]|\\.)*)"/g)].map(([, word = '']) => unescaped(word)),
        source,
      );
    });
    return new Monitor(socket);
  }

  async end(): Promise<void> {
    const closed = once(this.socket, 'close');
    this.socket.destroy();
    await closed;
  }
}

const ESCAPES: Record<string, string> = { n: '\n', r: '\r', t: '\t', a: '\x07', b: '\b' };

/** The server escapes each byte that does not print. */
function unescaped(word: string): string {
  const bytes = word.replace(/\\(x([0-9a-f]{2})|.)/g, (_, one: string, hex?: string) =>
    hex ? String.fromCharCode(parseInt(hex, 16)) : (ESCAPES[one] ?? one),
  );
  return Buffer.from(bytes, 'latin1').toString();
}
