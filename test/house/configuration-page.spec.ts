import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { OPTIONS } from '../../lib/locks/option-table.js';
import { configurationPage } from '../../tools/document-options.js';

const page = readFileSync(join(import.meta.dirname, '../../docs/configuration.md'), 'utf8');

describe('docs/configuration.md', () => {
  it('is what the table of options and the docstrings say (npm run configuration)', async () => {
    const { now, wanted } = await configurationPage();
    expect(now).toBe(wanted);
  });

  it('has every option, with its range and its default', () => {
    for (const [name, { takes, otherwise }] of Object.entries(OPTIONS)) {
      const row = page.split('\n').find((line) => line.startsWith(`| [\`${name}\`]`));
      expect(row?.split('|').map((cell) => cell.trim())).toEqual(
        expect.arrayContaining([`[\`${name}\`](#${name.toLowerCase()})`, takes, otherwise]),
      );
      expect(page).toContain(`\n### ${name}\n`);
    }
  });
});
