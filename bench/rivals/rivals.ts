import type { CrowdCommand } from '../workers/crowd.js';
import { NODE } from '../workers/crowd.js';
import { goProgram } from './go-program.js';
import { javaProgram } from './java-program.js';
import { PostgresServer } from './postgres-server.js';
import { Missing } from './toolchain.js';

/** A lock of another ecosystem, and the program that uses it. */
export interface Rival {
  readonly id: string;
  readonly label: string;
  readonly command: CrowdCommand;
  /** The server that its locks live in; undefined for the one of the run. */
  readonly url?: string;
  /** Who runs the bare sections in the same language: `bare` in its program. */
  readonly language: 'node' | 'go' | 'java';
}

/** The rivals that this machine can run, and why it cannot run the others. */
export class Rivals {
  private constructor(
    readonly present: readonly Rival[],
    /** One line each. */
    readonly skipped: readonly string[],
    private readonly postgres: PostgresServer | undefined,
  ) {}

  static async open(): Promise<Rivals> {
    const present: Rival[] = [];
    const skipped: string[] = [];
    let postgres: PostgresServer | undefined;
    const add = async (who: string, rivals: () => Promise<Rival[]>): Promise<void> => {
      try {
        present.push(...(await rivals()));
      } catch (error) {
        if (!(error instanceof Missing)) throw error;
        skipped.push(`${who}: skipped, since ${error.message}.`);
      }
    };
    await add('rueidislock', async () => {
      const command = await goProgram();
      return [{ id: 'rueidislock', label: 'rueidislock 1.0.79 (Go)', command, language: 'go' }];
    });
    await add('Redisson', async () => {
      const command = await javaProgram();
      const label = (lock: string): string => `Redisson 4.7.0, ${lock} (Java)`;
      return [
        { id: 'redisson', label: label('RLock'), command, language: 'java' },
        { id: 'redisson-fair', label: label('fair lock'), command, language: 'java' },
        { id: 'redisson-spin', label: label('spin lock'), command, language: 'java' },
      ];
    });
    await add('PostgreSQL', async () => {
      postgres = await PostgresServer.start();
      const label = `advisory locks of PostgreSQL ${postgres.version} (Node, pg)`;
      return [{ id: 'postgres', label, command: NODE, url: postgres.url, language: 'node' }];
    });
    return new Rivals(present, skipped, postgres);
  }

  async close(): Promise<void> {
    await this.postgres?.stop();
  }
}
