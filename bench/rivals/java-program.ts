import { delimiter, join } from 'node:path';
import type { CrowdCommand } from '../workers/crowd.js';
import { Missing, run, workshop } from './toolchain.js';

const OLDEST = 17;

/** Redisson, at the version of pom.xml. @throws Missing without a JDK, Maven or its repository */
export async function javaProgram(): Promise<CrowdCommand> {
  const version = await run('javac', ['-version']);
  if (Number(/javac (\d+)/.exec(version)?.[1]) < OLDEST)
    throw new Missing(`the JDK is older than ${OLDEST} (${version.trim()})`);
  const folder = workshop('java');
  const jars = join(folder, 'jars');
  const copy = ['-DoutputDirectory=jars', '-DincludeScope=runtime'];
  await run('mvn', ['-q', '-B', 'dependency:copy-dependencies', ...copy], folder);
  await run('javac', ['-cp', join(jars, '*'), '-d', 'classes', 'Crowd.java'], folder);
  const path = [join(folder, 'classes'), join(jars, '*')].join(delimiter);
  return ['java', '-cp', path, 'Crowd'];
}
