import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { temporaryFolder } from '../support/sidecars.js';

const ROOT = new URL('../..', import.meta.url);

const EXAMPLES = {
  'record.ts': /^1 items in .+rollouts\/sessions\/.+\.jsonl\n0 session_meta\n1 event_msg\n$/,
  'closing.ts': /^the agent had its last word\ntrue\n$/,
};

for (const [name, output] of Object.entries(EXAMPLES)) {
  test(`the example ${name} of the README is the one in examples, and does what it says`, () => {
    const source = readFileSync(new URL(`examples/${name}`, ROOT), 'utf8');
    expect(readFileSync(new URL('README.md', ROOT), 'utf8')).toContain(`\`\`\`ts\n${source}\`\`\``);
    const program = fileURLToPath(new URL(`dist/examples/${name.replace('.ts', '.js')}`, ROOT));
    const { status, stdout, stderr } = spawnSync(process.execPath, [program], { cwd: temporaryFolder(), encoding: 'utf8' });
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    expect(stdout).toMatch(output);
  });
}
