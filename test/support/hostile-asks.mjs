/** Every entry that takes an id, with the ids of a file: node hostile-asks.mjs <lastword> <directory> <ids> <marks>. Prints the codes that it met. */
import { existsSync, readFileSync } from 'node:fs';
import { asksOf } from './every-entry.mjs';

const [, , lastword, directory, idsPath, mark] = process.argv;
const { openSidecar } = await import(lastword);
const sidecar = await openSidecar({ directory, logger: false });
const stored = await sidecar.createThread();
await stored.close();
const ask = async (id) => Promise.all(Object.values(asksOf(sidecar, stored.id, id)).map(async (act) => {
  try {
    return typeof await act();
  } catch (error) {
    return error.code ?? String(error);
  }
}));
// What is loaded at the first use is loaded.
await ask(stored.id.toUpperCase());
await sidecar.listThreads({ sort: 'updated' });
existsSync(`${mark}-begin`);
const codes = new Set();
for (const id of JSON.parse(readFileSync(idsPath, 'utf8'))) for (const code of await ask(id)) codes.add(code);
existsSync(`${mark}-end`);
console.log(JSON.stringify([...codes].sort()));
process.exit(0);
