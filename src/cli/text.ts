/** How things are written for a person. */
import stringWidth from 'string-width';

/** What a terminal acts on, and what turns the order of a line round: files may hold anything. Line ends and tabs are left. */
const ACTED_ON = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const SIZES = ['B', 'K', 'M', 'G', 'T'];

/** Shown as it would be escaped in JSON, and so harmless in JSON too. */
export function printable(text: string): string {
  return text.replaceAll(ACTED_ON, (found) => `\\u${found.charCodeAt(0).toString(16).padStart(4, '0')}`);
}

/** In one line. */
export function inline(text: string): string {
  return printable(text.replaceAll(/\s+/g, ' ').trim());
}

/** Cut to so many columns, with an ellipsis where something is left out. */
export function fit(text: string, columns: number): string {
  if (stringWidth(text) <= columns) return text;
  let kept = '';
  let width = 0;
  for (const { segment } of new Intl.Segmenter().segment(text)) {
    width += stringWidth(segment);
    if (width > columns - 1) break;
    kept += segment;
  }
  return columns > 0 ? `${kept}…` : '';
}

/** `1.2K`, five characters at most. */
export function sizeOf(bytes: number): string {
  let [size, place] = [bytes, 0];
  for (; size >= 999.5 && place < SIZES.length - 1; place += 1) size /= 1024;
  return `${place > 0 && size < 9.95 ? size.toFixed(1) : Math.round(size)}${SIZES[place]}`;
}

/** `2026-01-02 03:04:05`, UTC. */
export function timeOf(timestamp: string): string {
  return timestamp.slice(0, 19).replace('T', ' ');
}

/** `1 record`, `2 records`. */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? '' : 's'}`;
}
