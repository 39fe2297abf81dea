/** What is used of msgpackr: the declarations of this entry of the package do not resolve. */
declare module 'msgpackr/unpack' {
  export class Unpackr {
    constructor(options: { useRecords: false; mapsAsObjects: true });
    unpack(packed: Uint8Array): unknown;
  }
}
