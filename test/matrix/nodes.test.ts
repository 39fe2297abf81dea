/** The tests of test/integration on other lines of Node, and on the lowest version that package.json names, with the binaries that npm has. */
import { execFile } from 'node:child_process';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const BINARIES = join(ROOT, 'node_modules', '.cache', 'nodes');
const { engines: { node: range } } = JSON.parse(readFileSync(join(ROOT, 'package.json'), 'utf8')) as { engines: { node: string } };
const LOWEST = `${range.replace('>=', '')}.0`;
const VERSIONS = (process.env['LASTWORD_NODES'] ?? `${LOWEST},22,24,26`).split(',');
/** Of a program whose output says more than is kept. */
const OUTPUT_BYTES_MAX = 64 << 20;

const run = promisify(execFile);

test.each(VERSIONS)('every test of test/integration passes on Node %s', async (version) => {
  const prefix = join(BINARIES, version);
  mkdirSync(prefix, { recursive: true });
  await run('npm', ['install', '--prefix', prefix, '--no-audit', '--no-fund', '--no-save', `node-${process.platform}-${process.arch}@${version}`], { cwd: prefix });
  const node = join(prefix, 'node_modules', `node-${process.platform}-${process.arch}`, 'bin', 'node');
  const { stdout: said } = await run(node, ['--version']);
  expect(said).toMatch(new RegExp(`^v${version.replaceAll('.', '\\.')}(\\.|$)`, 'm'));
  const done = await run(node, [join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), 'run', 'test/integration'], { cwd: ROOT, maxBuffer: OUTPUT_BYTES_MAX })
    .catch((error: unknown) => error as { stdout: string });
  const [, passed, failed] = /^tests: (\d+) passed, (\d+) failed/m.exec(done.stdout) ?? [];
  console.log(`${said.trim()}: ${passed} passed, ${failed} failed`);
  const wrong = done.stdout.split('\n').filter((line) => line.includes(' FAIL '));
  expect(wrong.join('\n')).toBe('');
  expect(Number(passed)).toBeGreaterThan(0);
});
