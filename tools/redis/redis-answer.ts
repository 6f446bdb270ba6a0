import { connect } from 'node:net';

/**
 * What the server at the port says to `INFO server`, or undefined when nobody answers within 500 ms.
 * A server that asks for a password has answered, too.
 */
export function redisAnswer(port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    let text = '';
    const socket = connect(port, '127.0.0.1', () => socket.write('INFO server\r\n'));
    const end = (answer: string | undefined) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(answer);
    };
    const timer = setTimeout(() => end(undefined), 500);
    socket.on('error', () => end(undefined));
    socket.on('close', () => end(undefined));
    socket.on('data', (chunk) => {
      text += chunk.toString();
      if (text.startsWith('-LOADING')) end(undefined);
      else if (text.startsWith('-') || /process_id:\d+\r\n/.test(text)) end(text);
    });
  });
}
