/** The project's own files, as text and as syntax. */
import { readFileSync, readdirSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

export const ROOT = fileURLToPath(new URL('../..', import.meta.url));

/** Paths from the root of all files below a folder, in order; none where the folder does not exist. */
export function filesBelow(folder: string, extension: string): string[] {
  let entries;
  try {
    entries = readdirSync(join(ROOT, folder), { recursive: true, withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
  return entries
    .filter((entry) => entry.isFile() && entry.name.endsWith(extension))
    .map((entry) => relative(ROOT, join(entry.parentPath, entry.name)))
    .sort();
}

export function read(path: string): string {
  return readFileSync(join(ROOT, path), 'utf8');
}

export function parse(path: string): ts.SourceFile {
  return ts.createSourceFile(path, read(path), ts.ScriptTarget.ES2022, true);
}

export function* nodesOf(node: ts.Node): Generator<ts.Node> {
  yield node;
  for (const child of childrenOf(node)) yield* nodesOf(child);
}

function childrenOf(node: ts.Node): ts.Node[] {
  const children: ts.Node[] = [];
  ts.forEachChild(node, (child) => void children.push(child));
  return children;
}

/** What a file imports, in whatever way, and the names it takes; `*` for all of a module. */
export function importsOf(source: ts.SourceFile): { specifier: string; names: string[] }[] {
  const imports: { specifier: string; names: string[] }[] = [];
  for (const node of nodesOf(source)) {
    if ((ts.isImportDeclaration(node) || ts.isExportDeclaration(node)) && node.moduleSpecifier !== undefined) {
      imports.push({ specifier: (node.moduleSpecifier as ts.StringLiteral).text, names: namesOf(node) });
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      imports.push({ specifier: (node.argument.literal as ts.StringLiteral).text, names: ['*'] });
    } else if (ts.isCallExpression(node) && isLoad(node)) {
      const [argument] = node.arguments;
      if (argument !== undefined && ts.isStringLiteralLike(argument)) imports.push({ specifier: argument.text, names: ['*'] });
    }
  }
  return imports;
}

function isLoad({ expression }: ts.CallExpression): boolean {
  return expression.kind === ts.SyntaxKind.ImportKeyword || (ts.isIdentifier(expression) && expression.text === 'require');
}

function namesOf(node: ts.ImportDeclaration | ts.ExportDeclaration): string[] {
  if (ts.isExportDeclaration(node)) {
    const { exportClause } = node;
    if (exportClause === undefined || ts.isNamespaceExport(exportClause)) return ['*'];
    return exportClause.elements.map(({ name, propertyName }) => (propertyName ?? name).text);
  }
  const bindings = node.importClause?.namedBindings;
  if (bindings === undefined || ts.isNamespaceImport(bindings)) return ['*'];
  const names = bindings.elements.map(({ name, propertyName }) => (propertyName ?? name).text);
  return node.importClause?.name === undefined ? names : ['*', ...names];
}

/** Full titles of all tests, or those of one file, from the outermost `describe` on, joined by ' > '; of a template the part before its first value. */
export function testTitles(file?: string): string[] {
  return (file === undefined ? filesBelow('test', '.test.ts') : [file]).flatMap((path) => titlesIn(parse(path), []));
}

function titlesIn(node: ts.Node, outer: readonly string[]): string[] {
  const [, kind] = ts.isCallExpression(node) ? /^(describe|test|it)\b/.exec(node.expression.getText()) ?? [] : [];
  const title = kind === undefined ? undefined : titleOf((node as ts.CallExpression).arguments[0]);
  const titles = title === undefined ? outer : [...outer, title];
  const inner = childrenOf(node).flatMap((child) => titlesIn(child, titles));
  return title === undefined || kind === 'describe' ? inner : [titles.join(' > '), ...inner];
}

function titleOf(argument: ts.Expression | undefined): string | undefined {
  if (argument === undefined) return undefined;
  if (ts.isStringLiteralLike(argument)) return argument.text;
  return ts.isTemplateExpression(argument) ? argument.head.text : undefined;
}
