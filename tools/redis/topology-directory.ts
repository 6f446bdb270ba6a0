import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { guardAgainstOrphan } from '../orphan-guard.js';

/** A folder for the files of some servers, which is removed also when this process is killed. */
export class TopologyDirectory {
  readonly path = mkdtempSync(join(tmpdir(), 'lock-topology-'));
  private readonly disarm = guardAgainstOrphan(`sleep 1; rm -rf '${this.path}'`);

  remove(): void {
    rmSync(this.path, { recursive: true, force: true });
    this.disarm();
  }
}
