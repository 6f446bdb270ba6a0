import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** The end of the value in RESP that begins at `at`; -1 when it has not arrived as a whole. */
function endOf(text: string, at: number): number {
  const line = text.indexOf('\r\n', at);
  if (line < 0) return -1;
  const [kind, size, body] = [text[at], Number(text.slice(at + 1, line)), line + 2];
  if (kind === '$') {
    const end = size < 0 ? body : body + size + 2;
    return end <= text.length ? end : -1;
  }
  let end = body;
  for (let left = kind === '*' ? size : 0; left > 0 && end >= 0; left -= 1) end = endOf(text, end);
  return end;
}

/** Calls `each` with every whole value that arrives. */
function values(socket: Socket, each: (value: string) => void): void {
  let text = '';
  socket.on('error', () => undefined);
  socket.on('data', (data) => {
    text += data.toString('latin1');
    for (let end = text && endOf(text, 0); typeof end === 'number' && end > 0; end = text && endOf(text, 0)) {
      each(text.slice(0, end));
      text = text.slice(end);
    }
  });
}

/** The words of a command. */
function wordsOf(command: string): string[] {
  const words: string[] = [];
  for (let at = command.indexOf('\r\n') + 2; at < command.length;) {
    const line = command.indexOf('\r\n', at);
    const size = Number(command.slice(at + 1, line));
    words.push(command.slice(line + 2, line + 2 + size));
    at = line + 2 + size + 2;
  }
  return words;
}

/** Which of two servers has a key. */
export function shardOf(key: string): 0 | 1 {
  return ([...key].reduce((sum, letter) => sum + letter.charCodeAt(0), 0) % 2) as 0 | 1;
}

/** Two servers behind one address: what names a key goes to the server of its first key; it knows few other commands. */
export class ShardingProxy {
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static start(ports: readonly [number, number]): Promise<ShardingProxy> {
    const server = createServer();
    const proxy = new ShardingProxy(server);
    server.on('connection', (client) => proxy.serve(client, ports));
    return new Promise((resolve) => server.listen(0, '127.0.0.1', () => resolve(proxy)));
  }

  get port(): number {
    return (this.server.address() as AddressInfo).port;
  }

  close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    return new Promise((resolve) => this.server.close(() => resolve()));
  }

  private serve(client: Socket, ports: readonly [number, number]): void {
    const shards = ports.map((port) => {
      const socket = connect(port, '127.0.0.1');
      const waiting: ((reply: string) => void)[] = [];
      values(socket, (reply) => waiting.shift()?.(reply));
      const ask = (command: string): Promise<string> => {
        socket.write(Buffer.from(command, 'latin1'));
        return new Promise((resolve) => waiting.push(resolve));
      };
      return { socket, ask };
    });
    for (const socket of [client, ...shards.map((shard) => shard.socket)]) this.sockets.add(socket);
    client.on('close', () => shards.forEach(({ socket }) => socket.destroy()));
    let order: Promise<unknown> = Promise.resolve();
    values(client, (command) => {
      const [verb = '', ...args] = wordsOf(command);
      const key = /^eval(sha)?$/i.test(verb) ? args[2] : /^del$/i.test(verb) ? args[0] : undefined;
      const shard = key === undefined ? (/^time$/i.test(verb) ? 0 : undefined) : shardOf(key);
      const reply = shard === undefined ? `-ERR unknown command '${verb}'\r\n` : shards[shard]?.ask(command);
      order = order.then(async () => client.write(Buffer.from((await reply) ?? '', 'latin1')));
    });
  }
}
