// Writes the code of docs/recipes/*.ts into the pages beside it, behind the comment that names the file.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const dir = fileURLToPath(new URL('../docs/recipes/', import.meta.url));

/** The page with the code of its file; `language` is ts where the type check of the pages can resolve all imports. */
export function withCode(page, file, code, language) {
  const place = new RegExp(`<!-- ${file} -->\\n(?:\\n\`\`\`\\w+\\n[^]*?\\n\`\`\`\\n)?`);
  if (!place.test(page)) throw new Error(`No page shows ${file}: it needs the comment <!-- ${file} -->`);
  return page.replace(place, () => `<!-- ${file} -->\n\n\`\`\`${language}\n${code.trimEnd()}\n\`\`\`\n`);
}

/** Recipes over packages that only their test installs. */
export const INSTALLED_ON_THE_FLY = ['typeorm.ts', 'prisma.ts'];

/** Each page as it should be: its path, what it says now, and what it should say. */
export function pagesOfRecipes() {
  return readdirSync(dir)
    .filter((file) => file.endsWith('.ts'))
    .map((file) => {
      const path = join(dir, file.replace(/ts$/, 'md'));
      const now = readFileSync(path, 'utf8');
      const language = INSTALLED_ON_THE_FLY.includes(file) ? 'typescript' : 'ts';
      return { path, now, wanted: withCode(now, file, readFileSync(join(dir, file), 'utf8'), language) };
    });
}

if (process.argv[1] === fileURLToPath(import.meta.url))
  for (const { path, wanted } of pagesOfRecipes()) writeFileSync(path, wanted);
