import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface, type Interface } from 'node:readline';

/** Callers of one new process who want one name; the same for programs in every language. */
export interface CrowdJob {
  /** Whose lock it is: an entrant, a rival, or `bare` for the sections one after another without any. */
  readonly entrant: string;
  /** The server of the lock, and that of the data. */
  readonly url: string;
  readonly data: string;
  readonly name: string;
  readonly callers: number;
  readonly section: 'empty' | 'rmw';
  /** Milliseconds of the same before anything is counted; 0 for a process that has done nothing yet. */
  readonly warmUp: number;
  /** For how many milliseconds each caller comes again and again; 0: each caller comes once. */
  readonly ms: number;
  /** What is measured begins with the first call, on connections that are up, or with the opening of the lock. */
  readonly from: 'call' | 'opening';
}

/** What came of it. */
export interface CrowdOutcome {
  readonly sections: number;
  /** From the beginning to the last release. */
  readonly ms: number;
  readonly longest: number;
}

/** How a program is started; it takes the job as its last argument. */
export type CrowdCommand = readonly [string, ...string[]];

/** The program for whatever runs on Node. */
export const NODE: CrowdCommand = [process.execPath, join(import.meta.dirname, 'crowd-process.js')];

/** A program that says `ready`, waits for a line, and answers with a {@link CrowdOutcome} as JSON. */
export class CrowdProcess {
  private readonly lines: AsyncIterator<string>;
  private readonly reader: Interface;

  private constructor(private readonly child: ChildProcess) {
    this.reader = createInterface({ input: child.stdout! });
    this.lines = this.reader[Symbol.asyncIterator]();
  }

  /** @throws for a program that ended before it was ready */
  static async start([file, ...args]: CrowdCommand, job: CrowdJob): Promise<CrowdProcess> {
    const child = spawn(file, [...args, JSON.stringify(job)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const started = new CrowdProcess(child);
    const said = await started.next();
    if (said !== 'ready')
      throw new Error(`${file} for ${job.entrant} said '${said}' instead of being ready.`);
    return started;
  }

  /** Begins what is measured, and resolves with its outcome once the process has ended. */
  async run(): Promise<CrowdOutcome> {
    const exited = once(this.child, 'exit');
    this.child.stdin?.end('go\n');
    const outcome = JSON.parse(await this.next()) as CrowdOutcome;
    await exited;
    this.reader.close();
    return outcome;
  }

  private async next(): Promise<string> {
    const { value, done } = await this.lines.next();
    return done === true ? 'nothing' : value;
  }
}
