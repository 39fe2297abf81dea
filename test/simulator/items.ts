/** What is recorded in the simulation: threads and items by number, so that each is known again. */
const HOUR_MS = 3_600_000;
const START_MS = Date.UTC(2026, 10, 21);

/** Items of some shapes, so that definitions come as the history goes. */
export function itemOf(item: number, bytes: number): { type: string; payload: { item: number; text: string } } {
  const more = item % 7 === 0 ? { [`key ${item % 21}`]: item / 2 } : {};
  return { type: 'response_item', payload: { item, text: '\u00e4'.repeat(bytes % 3) + 'x'.repeat(bytes), ...more } };
}

/** An id whose time spreads the threads over some folders. */
export function idOf(number: number): string {
  const time = (START_MS + (number % 3) * 12 * HOUR_MS).toString(16).padStart(12, '0');
  return `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${number.toString(16).padStart(12, '0')}`;
}
