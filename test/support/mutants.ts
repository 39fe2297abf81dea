/** Packages that are wrong on purpose: the built one with a patch, loaded from a folder of its own. */
import { cpSync, mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { onTestFinished } from 'vitest';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** A patch of the shipped text. Text that is not found exactly once is an error: the mutant would be no mutant. */
export interface Patch { readonly file: string; readonly find: string; readonly replace: string }

export function patched(text: string, { file, find, replace }: Patch): string {
  const found = text.split(find).length - 1;
  if (found !== 1) throw new Error(`the patch of ${file} applies ${found} times: ${find}`);
  return text.replace(find, () => replace);
}

/** The entry of a writer with the patches applied; to be given as `writerUrl`. */
export function mutantWriter(...patches: Patch[]): URL {
  return new URL('worker/main.js', mutantOf(patches));
}

/** The whole package with the patches applied: what a host imports in place of 'lastword', and its writer's entry. */
export function mutantPackage(...patches: Patch[]): { lastwordUrl: string; writerUrl: string } {
  const folder = mutantOf(patches);
  return { lastwordUrl: new URL('src/index.js', folder).href, writerUrl: new URL('worker/main.js', folder).href };
}

function mutantOf(patches: readonly Patch[]): URL {
  // Below node_modules, so that the mutant finds the same packages.
  const cache = join(ROOT, 'node_modules', '.cache');
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, 'lastword-mutant-'));
  onTestFinished(() => { rmSync(folder, { recursive: true, force: true }); });
  writeFileSync(join(folder, 'package.json'), '{ "type": "module" }');
  for (const part of ['src', 'worker']) cpSync(join(ROOT, 'dist', part), join(folder, part), { recursive: true });
  for (const patch of patches) {
    const path = join(folder, patch.file);
    writeFileSync(path, patched(readFileSync(path, 'utf8'), patch));
  }
  return pathToFileURL(`${folder}/`);
}

/** A writer that does what it is asked the first time, and never says so. */
export function withheldAnswer(command: string): URL {
  return mutantWriter({
    file: 'worker/control.js', find: `    ${command}(`,
    replace: `    async ${command}(command) {
        const reply = await this.answered${command}(command);
        if (Control.withheld === undefined) await new Promise((resolve) => { Control.withheld = resolve; });
        return reply;
    }
    answered${command}(`,
  });
}

/** The writer drops the sixth frame of one thread, however often it comes to it. */
export const DROPS_A_FRAME: Patch = {
  file: 'src/ring/ring-consumer.js', find: 'batch.addresses[batch.frames] = address;',
  replace: `const [slot, count] = [memory.words[(address >>> 2) + 2], memory.words[(address >>> 2) + 6]];
    if (count === 5 && (globalThis.dropped ??= slot) === slot) return bytes;
    batch.addresses[batch.frames] = address;`,
};

/** The writer passes over no ring while there is such a file. */
export function standsWhile(gate: string): Patch {
  return {
    file: 'worker/writer-loop.js', find: 'const frames = writer.pass();',
    replace: `const frames = (await import('node:fs')).existsSync(${JSON.stringify(gate)}) ? 0 : writer.pass();`,
  };
}

/** A writer that notices what others do to a file when it writes to it, and not before. */
export function unlookingWriter(): URL {
  return mutantWriter({ file: 'worker/interference.js', find: 'this.#look();', replace: '' });
}

/** A writer whose disk takes a second for what holds the text SLOW. */
export function slowWriter(): URL {
  return mutantWriter({
    file: 'worker/fs-ops.js', find: 'write: (descriptor, bytes, offset, length) => fs.writeSync(descriptor, bytes, offset, length),',
    replace: `write: (descriptor, bytes, offset, length) => {
        const isSlow = Buffer.from(bytes.buffer, bytes.byteOffset + offset, length).includes('SLOW');
        if (isSlow) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1_000);
        return fs.writeSync(descriptor, bytes, offset, length);
      },`,
  });
}
