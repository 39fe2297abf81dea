/** The command line as it looks: golden outputs in a terminal of 80 and of 120 columns, and in a pipe. */
import { appendFileSync, truncateSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { rolloutPath } from '../../src/rollout/rollout-path.js';
import { hasTerminal, interruptedInTerminal, lastword, lastwordInTerminal, mutantCommand } from '../support/command-line.js';
import { IDS, plantKnown } from '../support/planted-threads.js';
import { temporaryFolder } from '../support/sidecars.js';

/** To be made again with `npx vitest run <this file> --update`, and looked at. */
const GOLDEN = fileURLToPath(new URL('../fixtures/command-line/', import.meta.url));
const CODEX = fileURLToPath(new URL('../fixtures/codex/begun-by-codex.jsonl', import.meta.url));
const CONTROLS = /\u001b(?:\[[\d?;]*[a-zA-Z]|[78])/g;

interface Scene { readonly name: string; readonly status: number; readonly args: (directory: string) => string[] }
const SCENES: readonly Scene[] = [
  { name: 'ls', status: 0, args: (directory) => ['ls', directory] },
  { name: 'ls-tree', status: 0, args: (directory) => ['ls', '--tree', directory] },
  { name: 'show', status: 0, args: (directory) => ['show', IDS.root, '--dir', directory] },
  { name: 'show-codex', status: 0, args: () => ['show', CODEX] },
  { name: 'help', status: 0, args: () => ['--help'] },
  { name: 'ls-help', status: 0, args: () => ['ls', '--help'] },
];

function known(): string {
  const directory = temporaryFolder();
  plantKnown(directory);
  return directory;
}

describe.skipIf(!hasTerminal())('in a terminal', () => {
  for (const columns of [80, 120]) {
    test.each(SCENES.map((scene) => [scene.name, scene] as const))(`of ${columns} columns, %s looks as it did`, async (name, { status, args }) => {
      const ran = lastwordInTerminal(args(known()), { columns });
      expect(ran.status).toBe(status);
      await expect(ran.output).toMatchFileSnapshot(`${GOLDEN}${name}-${columns}.txt`);
    });
  }

  test('verify draws a bar, which is gone at the end, with what is damaged in its place', async () => {
    const directory = known();
    appendFileSync(rolloutPath(directory, IDS.child), '{"half');
    const { status, output } = lastwordInTerminal(['verify', directory], { columns: 80 });
    expect(status).toBe(1);
    expect(output).toMatch(/verifying [=-]{40} \d\/6/);
    const [drawn = '', left = ''] = output.split(/\u001b\[1G\u001b\[2K(?=[^\u001b]*(?:\u001b\[31m)?damaged)/);
    expect(drawn).toContain('6/6');
    // Lines are broken again, as before.
    expect(drawn.lastIndexOf('\u001b[?7h')).toBeGreaterThan(drawn.lastIndexOf('\u001b[?7l'));
    await expect(left.replaceAll(directory, '<directory>')).toMatchFileSnapshot(`${GOLDEN}verify-80.txt`);
  });

  test('a verification that is interrupted ends with status 130, and leaves the terminal as it was', async () => {
    const directory = known();
    // It takes no room, and hours.
    truncateSync(rolloutPath(directory, IDS.hostile), 2 ** 42);
    const { status, output } = await interruptedInTerminal(['verify', directory], '/6');
    expect(status).toBe(130);
    const RESTORED = /\u001b\[\?7h\u001b8\u001b\[1G\u001b\[2K$/;
    expect(output).toMatch(RESTORED);
    const main = mutantCommand({ file: 'src/cli/main.js', find: 'process.once(name', replace: 'process.once(`not ${name}`' });
    expect((await interruptedInTerminal(['verify', directory], '/6', main)).output, 'the control').not.toMatch(RESTORED);
  });

  test.each([['NO_COLOR', '1'], ['TERM', 'dumb']])('with %s=%s has no colours', (name, value) => {
    const directory = known();
    const args = ['show', IDS.root, '--dir', directory];
    const { output } = lastwordInTerminal(args, { columns: 80, env: { [name]: value } });
    expect(output).not.toContain('\u001b');
    expect(output).toBe(lastwordInTerminal(args, { columns: 80 }).output.replaceAll(CONTROLS, ''));
  });
});

test.each(SCENES.map((scene) => [scene.name, scene] as const))('in a pipe, %s looks as it did', async (name, { status, args }) => {
  const { stderr, stdout, ...ran } = lastword(args(known()));
  expect([ran.status, stderr]).toEqual([status, '']);
  await expect(stdout).toMatchFileSnapshot(`${GOLDEN}${name}.txt`);
});
