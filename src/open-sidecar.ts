import { randomBytes } from 'node:crypto';
import { tmpdir } from 'node:os';
import { LastwordError } from './errors.js';
import { resolveOptions, type SidecarOptions } from './options.js';
import { compileTranscoder, depthOver } from './producer/depth.js';
import { Encoder } from './producer/encode.js';
import { ItemProducer } from './producer/item-producer.js';
import { createProducerWasmMemory, createSidecarMemory, viewProducerMemory } from './ring/memory.js';
import type { Sidecar } from './types.js';
import { transcoderFile, writerEntry } from './worker-files.js';

/**
 * Starts the writer and resolves when it is ready; creates the directory (0700).
 * @throws LASTWORD_INVALID_OPTION, LASTWORD_WRITER_EXITED, LASTWORD_TIMEOUT (the writer did not start)
 */
export async function openSidecar(options: SidecarOptions): Promise<Sidecar> {
  const resolved = resolveOptions(options);
  const { ringBytes, overflowBytes, openFilesMax, syncIntervalMs, unsyncedBytes, writerUrl } = resolved;
  // In two goes: Node opens all files that one go needs at once, and a process may have few descriptors.
  const { OpenSidecar } = await import('./sidecar.js').catch((cause: unknown) => {
    throw new LastwordError('LASTWORD_WRITER_EXITED', 'the sidecar could not be loaded', {}, { cause });
  });
  const file = transcoderFile(writerUrl);
  const transcoder = await compileTranscoder(file).catch((cause: unknown) => {
    throw new LastwordError('LASTWORD_WRITER_EXITED', 'the transcoder could not be loaded', { path: file.pathname }, { cause });
  });
  const memory = createSidecarMemory();
  const wasmMemory = createProducerWasmMemory(ringBytes, overflowBytes);
  const ring = viewProducerMemory(wasmMemory.buffer, ringBytes, overflowBytes);
  const encoder = new Encoder({ itemBytesMax: resolved.itemBytesMax, memory: ring.buffer });
  const producer = new ItemProducer(ring, memory, encoder, { ...resolved, depth: depthOver(transcoder, wasmMemory) });
  const data = {
    sidecar: memory.buffer, rings: [{ producer: 0, memory: wasmMemory, ringBytes, overflowBytes }], transcoder, openFilesMax, syncIntervalMs, unsyncedBytes,
    temporaryFolder: tmpdir(),
    owner: { instance: randomBytes(8).toString('hex'), since: new Date().toISOString() },
  };
  const sidecar = new OpenSidecar(resolved, memory, ring, producer, data);
  await sidecar.start(writerEntry(writerUrl));
  return sidecar;
}
