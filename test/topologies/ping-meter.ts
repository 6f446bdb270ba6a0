import type { ServerProcess } from '../../tools/redis/server-process.js';
import { monotonic, type HistoryFile } from '../proof/faults/harness/history.js';

const EVERY = 25;

/** How late servers answer while nothing is done to them: what every time bound of a run must allow. */
export class PingMeter {
  private worst = 0;
  private stopped = false;
  private readonly timer = setInterval(() => this.ask(), EVERY);

  constructor(
    private readonly history: HistoryFile,
    private readonly servers: readonly ServerProcess[],
  ) {}

  stop(): void {
    this.stopped = true; // answers may be under way
    clearInterval(this.timer);
  }

  private ask(): void {
    for (const server of this.servers) {
      if (server.admin.status !== 'ready') continue;
      const { disturbances } = server;
      const sent = monotonic();
      void server.admin.ping().then(
        () => {
          const ms = monotonic() - sent;
          if (this.stopped || server.disturbances !== disturbances || ms < this.worst + 2) return;
          this.worst = ms;
          this.history.add({ type: 'ping', ms });
        },
        () => undefined,
      );
    }
  }
}
