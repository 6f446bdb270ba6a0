import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Whether a real server can be had without asking: by REDIS_URL, or started from PATH. */
export const HAS_REAL_REDIS =
  Boolean(process.env['REDIS_URL']) || ['redis-server', 'valkey-server'].some(onPath);

/**
 * `describe` for tests that need a real server: skipped, and counted as such, without one. With
 * REQUIRE_REAL_REDIS=1 they run, and so fail.
 */
export const describeWithRealRedis =
  HAS_REAL_REDIS || process.env['REQUIRE_REAL_REDIS'] === '1' ? describe : describe.skip;

/**
 * `it` for a test that needs a real server: skipped, and counted as such, without one. With REQUIRE_REAL_REDIS=1 it
 * runs, and so fails.
 */
export const itWithRealRedis = HAS_REAL_REDIS || process.env['REQUIRE_REAL_REDIS'] === '1' ? it : it.skip;

function onPath(binary: string): boolean {
  return (process.env['PATH'] ?? '').split(delimiter).some((folder) => {
    try {
      accessSync(join(folder, binary), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}
