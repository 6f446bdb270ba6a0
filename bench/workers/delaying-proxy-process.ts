// Arguments: port of the server, milliseconds of a round trip. Sends its own port; ends with its parent.
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

const [port, ms] = process.argv.slice(2).map(Number) as [number, number];

/** What the server says is passed on late: all of a round trip in one direction, since timers are coarse. */
function late(from: Socket, to: Socket): void {
  from.on('data', (data) => void setTimeout(() => to.write(data), ms));
  from.on('close', () => void setTimeout(() => to.destroy(), ms));
}

const proxy = createServer((client) => {
  const server = connect(port, '127.0.0.1');
  for (const socket of [client, server]) {
    socket.setNoDelay(true);
    socket.on('error', () => undefined);
  }
  client.on('data', (data) => server.write(data));
  client.on('close', () => server.destroy());
  late(server, client);
});
proxy.listen(0, '127.0.0.1', () => process.send?.((proxy.address() as AddressInfo).port));
process.on('disconnect', () => process.exit());
