import { spawn } from 'node:child_process';

/** A process of an example, or a server that it needs, with what it has said. */
export class Replica {
  said = '';
  #child;

  constructor(home, args, env = {}) {
    this.#child = spawn(process.execPath, args, {
      cwd: home,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, NODE_OPTIONS: '', NO_COLOR: '1', ...env },
    });
    for (const stream of [this.#child.stdout, this.#child.stderr])
      stream.on('data', (text) => (this.said += text));
    this.ended = new Promise((resolve) => this.#child.on('exit', (code, signal) => resolve(signal ?? code)));
  }

  get pid() {
    return this.#child.pid;
  }

  /** Resolves when it has said `words`. */
  async says(words, patience = 60_000) {
    let look, limit;
    await Promise.race([
      new Promise((resolve, reject) => {
        look = () => this.said.includes(words) && resolve();
        limit = setTimeout(() => reject(new Error(`It does not say '${words}': ${this.said}`)), patience);
        for (const stream of [this.#child.stdout, this.#child.stderr]) stream.on('data', look);
        look();
      }),
      this.ended.then((end) => {
        throw new Error(`It ended with ${end} before it said '${words}': ${this.said}`);
      }),
    ]).finally(() => {
      clearTimeout(limit);
      for (const stream of [this.#child.stdout, this.#child.stderr]) stream.off('data', look);
    });
  }

  /** Sends the signal; resolves with what the process ended with. One that does not end within 20 s is killed. */
  async end(signal = 'SIGTERM') {
    this.#child.kill(signal);
    const hurry = setTimeout(() => this.#child.kill('SIGKILL'), 20_000);
    return await this.ended.finally(() => clearTimeout(hurry));
  }
}
