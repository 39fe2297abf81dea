import { Transcoder } from '../../worker/transcode/transcoder.js';
import { PRODUCER_SCRATCH_OFFSET } from '../ring/layout.js';

export { compileTranscoder } from '../../worker/transcode/compile.js';

/** Measures payloads in the producer's memory, with an instance of the transcoder on its own scratch. */
export function depthOver(module: WebAssembly.Module, memory: WebAssembly.Memory): (payloadOffset: number, payloadBytes: number) => number {
  const transcoder = new Transcoder(module, memory, PRODUCER_SCRATCH_OFFSET);
  return (payloadOffset, payloadBytes) => transcoder.depth(payloadOffset, payloadBytes);
}
