import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { chromium, type Browser } from 'playwright-core';

/** Starts CHROMIUM, or the Chromium or Chrome of PATH; undefined when there is none. */
export async function startBrowser(): Promise<Browser | undefined> {
  const given = process.env.CHROMIUM ?? '';
  const executablePath =
    given === '' ? ['chromium', 'chromium-browser', 'google-chrome'].map(onPath).find(Boolean) : given;
  if (executablePath === undefined) return undefined;
  // Chromium refuses to run as root with its sandbox.
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  return chromium.launch({ executablePath, args });
}

function onPath(name: string): string | undefined {
  return (process.env.PATH ?? '')
    .split(delimiter)
    .map((folder) => join(folder, name))
    .find((path) => {
      try {
        accessSync(path, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}
