import { read } from './source.js';

/** The table of a document whose first heading cell is `name`: rows by their first cell, cells by column. */
export function markdownTable(path: string, name: string): { columns: string[]; rows: Map<string, Map<string, string>> } {
  const lines = read(path).split('\n');
  const start = lines.findIndex((line) => cellsOf(line)[0] === name);
  if (start < 0) throw new Error(`${path} has no table of ${name}`);
  const [, ...columns] = cellsOf(lines[start] ?? '');
  const rows = new Map<string, Map<string, string>>();
  for (const line of lines.slice(start + 2)) {
    if (!line.startsWith('|')) break;
    const [method = '', ...cells] = cellsOf(line);
    rows.set(method, new Map(columns.map((column, index) => [column, cells[index] ?? ''])));
  }
  return { columns, rows };
}

function cellsOf(line: string): string[] {
  return line.startsWith('|') ? line.slice(1, -1).split('|').map((cell) => cell.trim().replaceAll('`', '')) : [];
}
