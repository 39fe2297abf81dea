/** The reference that `npm run docs:api` makes of doc comments. */
import { execFileSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

test('everything public is documented, and every link in it leads somewhere', () => {
  const typedoc = createRequire(import.meta.url).resolve('typedoc');
  const said = execFileSync(process.execPath, [fileURLToPath(new URL('../bin/typedoc', `file://${typedoc}`)), '--emit', 'none'], { cwd: fileURLToPath(new URL('../..', import.meta.url)), encoding: 'utf8' });
  // A warning is an error, by typedoc.json.
  expect(said).not.toMatch(/warning|error/);
});
