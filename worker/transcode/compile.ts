import { readFile } from 'node:fs/promises';

const WASM_URL = new URL('./transcoder.wasm', import.meta.url);

let compiled: Promise<WebAssembly.Module> | undefined;

/** The transcoder, compiled once for the process; both sides make instances of it. */
export function compileTranscoder(): Promise<WebAssembly.Module> {
  compiled ??= readFile(WASM_URL).then((bytes) => WebAssembly.compile(bytes));
  return compiled;
}
