const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });

/** 1234567 as 1,234,567. */
export function whole(value: number): string {
  return WHOLE.format(value);
}

/** With as many digits as matter: 1,234 or 12.3 or 1.23. */
export function figure(value: number): string {
  if (!Number.isFinite(value)) return '–';
  if (value >= 100) return whole(value);
  return value >= 10 ? value.toFixed(1) : value.toFixed(2);
}

const BYTE_UNITS = ['B', 'kB', 'MB', 'GB', 'TB'] as const;

export function bytesText(bytes: number): string {
  const power = bytes < 1000 ? 0 : Math.min(BYTE_UNITS.length - 1, Math.floor(Math.log10(bytes) / 3));
  return `${power === 0 ? whole(bytes) : figure(bytes / 1000 ** power)} ${BYTE_UNITS[power] ?? 'B'}`;
}

/** Columns of equal width; the first is flush left, the others flush right. */
export function table(rows: readonly (readonly string[])[], indent = '  '): string {
  const widths: number[] = [];
  for (const row of rows) {
    for (const [column, cell] of row.entries()) widths[column] = Math.max(widths[column] ?? 0, cell.length);
  }
  const line = (row: readonly string[]): string => row
    .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
    .join('   ').trimEnd();
  return rows.map((row) => `${indent}${line(row)}\n`).join('');
}
