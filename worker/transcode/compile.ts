import { readFile } from 'node:fs/promises';

/** By file. */
const compiled = new Map<string, Promise<WebAssembly.Module>>();

/** The transcoder, compiled once for the process; both sides make instances of it. */
export function compileTranscoder(file: URL): Promise<WebAssembly.Module> {
  const known = compiled.get(file.href);
  if (known !== undefined) return known;
  const compiling = readFile(file).then((bytes) => WebAssembly.compile(bytes));
  compiled.set(file.href, compiling);
  // Another try may find it.
  compiling.catch(() => { compiled.delete(file.href); });
  return compiling;
}
