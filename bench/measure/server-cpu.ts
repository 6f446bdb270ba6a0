import type { Redis } from 'ioredis';

/** Seconds of processor time that a server has used so far. */
export async function cpuOf(admin: Redis): Promise<number> {
  const info = await admin.info('cpu');
  const used = (name: string) => Number(new RegExp(`^${name}:(.+)$`, 'm').exec(info)?.[1]);
  return used('used_cpu_user') + used('used_cpu_sys');
}
