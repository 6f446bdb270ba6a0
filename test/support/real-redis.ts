import { serverBinary } from '../../tools/redis/server-binary.js';

/** Whether a real server can be had without asking: by REDIS_URL, or started. */
export const HAS_REAL_REDIS = Boolean(process.env['REDIS_URL']) || serverBinary() !== undefined;

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
