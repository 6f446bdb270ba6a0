import { Child } from './child.js';

/** By how many bytes a name the memory of a process grows that uses so many names once, in memory or at a server. */
export async function bytesPerName(count: number, ...url: string[]): Promise<number> {
  const child = new Child('test/support/many-names.ts', String(count), ...url);
  expect(await child.exited).toBe(0);
  return Number(/grown by (\S+) bytes/.exec(child.said)?.[1]);
}
