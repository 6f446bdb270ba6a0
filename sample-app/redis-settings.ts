import type { LockServiceOptions } from 'nestjs-distributed-lock';

/**
 * Which Redis the environment names: REDIS_URL for one server, REDIS_SENTINELS (`host:port,host:port`) with
 * REDIS_MASTER, or REDIS_CLUSTER (`host:port,host:port`).
 */
export function redisSettings(env: NodeJS.ProcessEnv): LockServiceOptions['redis'] {
  const {
    REDIS_URL: url,
    REDIS_SENTINELS: sentinels,
    REDIS_MASTER: name = 'mymaster',
    REDIS_CLUSTER: cluster,
  } = env;
  if (sentinels) return { sentinels: addressesIn(sentinels), name };
  if (cluster) return { cluster: addressesIn(cluster) };
  return url;
}

function addressesIn(text: string): { host: string; port: number }[] {
  return text.split(',').map((address) => {
    const [, host = '', port = ''] = /^(.+):(\d+)$/.exec(address.trim()) ?? [];
    if (host === '') throw new Error(`'${address}' is no address like 'localhost:6379'.`);
    return { host, port: Number(port) };
  });
}
