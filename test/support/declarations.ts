/** Names of a declaration file or module, as the compiler sees them. */
import { join } from 'node:path';
import ts from 'typescript';
import { ROOT } from './source.js';

export interface Declaration {
  /** `flush`, `Thread.flush`, `Durability 'synced'`. */
  readonly name: string;
  readonly isMethod: boolean;
  readonly isDocumented: boolean;
}

let program: ts.Program | undefined;

function checkerOf(path: string): { checker: ts.TypeChecker; exports: ts.Symbol[] } {
  if (program === undefined) {
    const { config } = ts.readConfigFile(join(ROOT, 'tsconfig.json'), (file) => ts.sys.readFile(file)) as { config: { compilerOptions: object } };
    const { options } = ts.convertCompilerOptionsFromJson(config.compilerOptions, ROOT);
    program = ts.createProgram(['src/index.ts', 'src/jobs/index.ts', 'test/support/contract.d.ts'].map((path) => join(ROOT, path)), options);
  }
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(join(ROOT, path));
  const module = source === undefined ? undefined : checker.getSymbolAtLocation(source);
  if (module === undefined) throw new Error(`no module: ${path}`);
  return { checker, exports: checker.getExportsOfModule(module) };
}

/** Everything a file exports: functions, types, members of interfaces and classes, words of a type that is a choice of words. */
export function declarationsOf(path: string): Map<string, Declaration> {
  const { checker, exports } = checkerOf(path);
  const declarations = new Map<string, Declaration>();
  const add = (name: string, symbol: ts.Symbol): void => {
    const isDocumented = symbol.getDocumentationComment(checker).length > 0;
    const [declaration] = symbol.declarations ?? [];
    const isMethod = declaration !== undefined && (ts.isMethodSignature(declaration) || ts.isMethodDeclaration(declaration) || ts.isFunctionDeclaration(declaration));
    declarations.set(name, { name, isMethod, isDocumented });
  };
  for (const exported of exports) {
    const symbol = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported;
    add(exported.name, symbol);
    for (const member of symbol.members?.values() ?? []) {
      if (isPublic(member)) add(`${exported.name}.${member.name}`, member);
    }
    for (const word of wordsOf(checker, symbol)) declarations.set(`${exported.name} '${word}'`, { name: word, isMethod: false, isDocumented: true });
  }
  return declarations;
}

function isPublic({ flags, name }: ts.Symbol): boolean {
  const kinds = ts.SymbolFlags.Property | ts.SymbolFlags.Method | ts.SymbolFlags.Accessor;
  return (flags & kinds) !== 0 && !name.startsWith('__');
}

function wordsOf(checker: ts.TypeChecker, symbol: ts.Symbol): string[] {
  if ((symbol.flags & ts.SymbolFlags.TypeAlias) === 0) return [];
  const type = checker.getDeclaredTypeOfSymbol(symbol);
  if (!type.isUnion()) return [];
  const words = type.types.flatMap((member) => (member.isStringLiteral() ? [member.value] : []));
  return words.length === type.types.length ? words : [];
}
