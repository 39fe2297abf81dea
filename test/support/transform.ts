/**
 * Loads plain TypeScript source so that the explorer can run it step by step: every function that reaches an `Atomics`
 * operation becomes a generator, each such operation a `yield` of what it would do, and each plain access of an element
 * goes through the simulated memory. So do methods that a class calls on itself; a constructor becomes the method
 * `$construct`, see construct(). What this cannot turn is refused, never passed by.
 */
import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import ts from 'typescript';
import { ATOMICS, copyWithin, plainGet, plainSet, type Simulation } from './simulated-memory.js';

/** A bug put into the source on purpose: `find` occurs exactly once in the file. */
export interface Patch {
  readonly file: string;
  readonly find: string;
  readonly replace: string;
}

/** A module whose every function is called with `yield*`. */
export type Simulated<Module> = {
  readonly [Name in keyof Module]: Module[Name] extends (...args: infer Args) => infer Result
    ? (...args: Args) => Simulation<Result>
    : Module[Name];
};

/** An object of a simulated class whose every method is called with `yield*`. */
export type SimulatedObject<Type> = {
  readonly [Name in keyof Type]: Type[Name] extends (...args: infer Args) => infer Result ? (...args: Args) => Simulation<Result> : Type[Name];
};

/** `new Class(...args)` for a simulated class whose constructor and public methods all reach an operation. */
export function* construct<Type, Args extends readonly unknown[]>(simulated: new (...args: Args) => Type, ...args: Args): Simulation<SimulatedObject<Type>> {
  const made = new (simulated as unknown as new () => SimulatedObject<Type> & { $construct(...args: Args): Simulation<void> })();
  yield* made.$construct(...args);
  return made;
}

interface SourceModule {
  readonly path: string;
  readonly source: ts.SourceFile;
  /** Top-level functions, and methods as Class.method, that reach an operation on shared words. */
  readonly stepping: Set<string>;
  /** Local name to the module and name it is imported from. */
  readonly imports: Map<string, { from: SourceModule; name: string }>;
}

type Exports = Record<string, unknown>;
type StepFunction = (...args: unknown[]) => Simulation<unknown>;

const BULK_METHODS = new Set(['set', 'fill', 'subarray']);

export class SimulatedSource {
  readonly #patches: readonly Patch[];
  readonly #modules = new Map<string, SourceModule>();
  readonly #exports = new Map<string, Exports>();

  /** Parses the files and what they import. Patches name files by their last path segments. */
  constructor(files: readonly string[], patches: readonly Patch[] = []) {
    this.#patches = patches;
    for (const file of files) this.#parse(resolve(file));
    for (const { file } of patches) {
      if (![...this.#modules.keys()].some((path) => path.endsWith(`/${file}`))) throw new Error(`no such file: ${file}`);
    }
    this.#spread();
  }

  /** The functions of a file, each to be called with `yield*`. */
  load<Module>(file: string): Simulated<Module> {
    const module = this.#modules.get(resolve(file));
    if (module === undefined) throw new Error(`not among the files: ${file}`);
    const wrapped = Object.entries(this.#run(module)).map(([name, value]): [string, unknown] => {
      if (typeof value !== 'function' || module.stepping.has(name) || module.stepping.has(`${name}.$construct`)) return [name, value];
      const plain = value as (...args: unknown[]) => unknown;
      const step: StepFunction = function* (...args) {
        return plain(...args);
      };
      return [name, step];
    });
    return Object.fromEntries(wrapped) as Simulated<Module>;
  }

  #parse(path: string): SourceModule {
    const known = this.#modules.get(path);
    if (known !== undefined) return known;
    const source = ts.createSourceFile(path, this.#patched(path), ts.ScriptTarget.ES2022, true);
    const module: SourceModule = { path, source, stepping: new Set(), imports: new Map() };
    this.#modules.set(path, module);
    for (const statement of source.statements) {
      if (!ts.isImportDeclaration(statement) || statement.importClause?.phaseModifier === ts.SyntaxKind.TypeKeyword) continue;
      const specifier = (statement.moduleSpecifier as ts.StringLiteral).text;
      const bindings = statement.importClause?.namedBindings;
      if (!specifier.startsWith('.') || bindings === undefined || !ts.isNamedImports(bindings)) {
        throw new Error(`${path}: cannot follow the import of ${specifier}`);
      }
      const from = this.#parse(resolve(dirname(path), specifier.replace(/\.js$/, '.ts')));
      for (const { name, propertyName, isTypeOnly } of bindings.elements) {
        if (!isTypeOnly) module.imports.set(name.text, { from, name: (propertyName ?? name).text });
      }
    }
    return module;
  }

  #patched(path: string): string {
    let text = readFileSync(path, 'utf8');
    for (const { file, find, replace } of this.#patches) {
      if (!path.endsWith(`/${file}`)) continue;
      const found = text.split(find).length - 1;
      if (found !== 1) throw new Error(`the patch of ${file} does not apply: its text occurs ${found} times: ${find}`);
      text = text.replace(find, () => replace);
    }
    return text;
  }

  /** Finds the stepping functions: those with an operation of their own, then their callers, until nothing is added. */
  #spread(): void {
    for (let added = true; added;) {
      added = false;
      for (const module of this.#modules.values()) {
        for (const { name, node } of functionsOf(module.source)) {
          if (module.stepping.has(name) || !this.#reaches(module, node)) continue;
          module.stepping.add(name);
          added = true;
        }
      }
    }
  }

  #reaches(module: SourceModule, node: ts.Node): boolean {
    if (isOperation(node) || isCopy(node) || this.#isSteppingCall(module, node)) return true;
    return ts.forEachChild(node, (child) => this.#reaches(module, child)) ?? false;
  }

  #isSteppingCall(module: SourceModule, node: ts.Node): node is ts.CallExpression {
    if (!ts.isCallExpression(node)) return false;
    const { expression } = node;
    if (ts.isIdentifier(expression)) return this.#isStepping(module, expression.text);
    return ts.isPropertyAccessExpression(expression) && expression.expression.kind === ts.SyntaxKind.ThisKeyword
      && module.stepping.has(`${classOf(node)}.${expression.name.text}`);
  }

  #isStepping(module: SourceModule, name: string): boolean {
    const imported = module.imports.get(name);
    return imported === undefined ? module.stepping.has(name) : imported.from.stepping.has(imported.name);
  }

  #run(module: SourceModule): Exports {
    const known = this.#exports.get(module.path);
    if (known !== undefined) return known;
    const exports: Exports = {};
    this.#exports.set(module.path, exports);
    const { outputText } = ts.transpileModule(module.source.text, {
      fileName: module.path,
      compilerOptions: { module: ts.ModuleKind.CommonJS, target: ts.ScriptTarget.ES2022 },
      transformers: { before: [(context) => (source) => this.#turn(module, source, context)] },
    });
    const require = (specifier: string): Exports => {
      const path = resolve(dirname(module.path), specifier.replace(/\.js$/, '.ts'));
      const imported = this.#modules.get(path);
      if (imported === undefined) throw new Error(`${module.path}: ${specifier} was not parsed`);
      return this.#run(imported);
    };
    // The source is the project's own, turned above.
    // eslint-disable-next-line @typescript-eslint/no-implied-eval
    const body = new Function('exports', 'require', '$atomics', '$copy', '$get', '$set', outputText) as (...args: unknown[]) => void;
    body(exports, require, ATOMICS, copyWithin, plainGet, plainSet);
    return exports;
  }

  #turn(module: SourceModule, source: ts.SourceFile, context: ts.TransformationContext): ts.SourceFile {
    const { factory } = context;
    const refuse = (node: ts.Node, why: string): never => {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      throw new Error(`${module.path}:${line + 1}: cannot be simulated: ${why}`);
    };
    const call = (name: string, args: readonly ts.Expression[]): ts.Expression =>
      factory.createCallExpression(factory.createIdentifier(name), undefined, args);
    const visit = (node: ts.Node, inStepping: boolean): ts.Node => {
      const next = (child: ts.Node): ts.Node => visit(child, inStepping);
      if (ts.isTypeNode(node)) return node;
      if (ts.isFunctionDeclaration(node) && node.name !== undefined && module.stepping.has(node.name.text)) {
        if (node.parent !== source) refuse(node, 'a nested function has the name of a stepping one');
        const body = ts.visitEachChild(node, (child) => visit(child, true), context);
        const star = factory.createToken(ts.SyntaxKind.AsteriskToken);
        return factory.updateFunctionDeclaration(
          body, body.modifiers, star, body.name, body.typeParameters, body.parameters, body.type, body.body,
        );
      }
      if ((ts.isMethodDeclaration(node) || ts.isConstructorDeclaration(node)) && module.stepping.has(`${classOf(node)}.${nameOf(node)}`)) {
        const { modifiers, parameters, body } = ts.visitEachChild(node, (child) => visit(child, true), context);
        const star = factory.createToken(ts.SyntaxKind.AsteriskToken);
        return factory.createMethodDeclaration(modifiers, star, ts.isMethodDeclaration(node) ? node.name : '$construct', undefined, undefined, parameters, undefined, body);
      }
      if (ts.isFunctionLike(node)) return ts.visitEachChild(node, (child) => visit(child, false), context);
      if (isCopy(node)) {
        if (!inStepping) refuse(node, 'a copy outside a stepping function');
        const { expression, arguments: args } = ts.visitEachChild(node, next, context);
        const star = factory.createToken(ts.SyntaxKind.AsteriskToken);
        return factory.createYieldExpression(star, call('$copy', [(expression as ts.PropertyAccessExpression).expression, ...args]));
      }
      if (isOperation(node)) {
        if (!inStepping) refuse(node, 'an operation outside a top-level function');
        const { expression, arguments: args } = ts.visitEachChild(node, next, context);
        const { name } = expression as ts.PropertyAccessExpression;
        if (!(name.text in ATOMICS)) refuse(node, `Atomics.${name.text}`);
        return factory.createParenthesizedExpression(factory.createYieldExpression(undefined, call(`$atomics.${name.text}`, args)));
      }
      if (this.#isSteppingCall(module, node)) {
        if (!inStepping) refuse(node, 'a call of a stepping function outside a top-level function');
        const star = factory.createToken(ts.SyntaxKind.AsteriskToken);
        const { expression, arguments: args } = node;
        const turned = factory.updateCallExpression(node, expression, undefined, ts.visitNodes(args, next, ts.isExpression));
        return factory.createParenthesizedExpression(factory.createYieldExpression(star, turned));
      }
      if (ts.isBinaryExpression(node) && ts.isElementAccessExpression(node.left) && isAssignment(node.operatorToken.kind)) {
        if (node.operatorToken.kind !== ts.SyntaxKind.EqualsToken) refuse(node, 'a compound assignment to an element');
        const parts = [node.left.expression, node.left.argumentExpression, node.right];
        return call('$set', parts.map((part) => visit(part, inStepping) as ts.Expression));
      }
      if (ts.isElementAccessExpression(node)) {
        if (ts.isPrefixUnaryExpression(node.parent) || ts.isPostfixUnaryExpression(node.parent)) {
          const { operator } = node.parent;
          const isCount = operator === ts.SyntaxKind.PlusPlusToken || operator === ts.SyntaxKind.MinusMinusToken;
          if (isCount) refuse(node, 'an element counted up or down');
        }
        return call('$get', [node.expression, node.argumentExpression].map((part) => visit(part, inStepping) as ts.Expression));
      }
      if (ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)) {
        if (BULK_METHODS.has(node.expression.name.text)) refuse(node, `bytes by ${node.expression.name.text}()`);
      }
      if (ts.isIdentifier(node) && this.#isStepping(module, node.text) && isValue(node)) refuse(node, `${node.text} as a value`);
      return ts.visitEachChild(node, next, context);
    };
    return ts.visitEachChild(source, (node) => (ts.isImportDeclaration(node) ? node : visit(node, false)), context);
  }
}

function functionsOf(source: ts.SourceFile): { name: string; node: ts.Node }[] {
  return source.statements.flatMap((node): { name: string; node: ts.Node }[] => {
    if (ts.isFunctionDeclaration(node) && node.name !== undefined) return [{ name: node.name.text, node }];
    if (!ts.isClassDeclaration(node)) return [];
    const methods = node.members.filter((member) => ts.isMethodDeclaration(member) || ts.isConstructorDeclaration(member));
    return methods.map((method) => ({ name: `${classOf(method)}.${nameOf(method)}`, node: method }));
  });
}

function nameOf(method: ts.MethodDeclaration | ts.ConstructorDeclaration): string {
  return ts.isMethodDeclaration(method) ? method.name.getText() : '$construct';
}

/** Name of the class around the node. */
function classOf(node: ts.Node): string {
  for (let around = node.parent; !ts.isSourceFile(around); around = around.parent) {
    if (ts.isClassDeclaration(around)) return around.name?.text ?? '';
  }
  return '';
}

function isCopy(node: ts.Node): node is ts.CallExpression {
  return ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression) && node.expression.name.text === 'copyWithin';
}

function isOperation(node: ts.Node): node is ts.CallExpression {
  return ts.isCallExpression(node) && ts.isPropertyAccessExpression(node.expression)
    && ts.isIdentifier(node.expression.expression) && node.expression.expression.text === 'Atomics';
}

function isAssignment(kind: ts.SyntaxKind): boolean {
  return kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
}

/** Whether the identifier stands for a value here, and not for a member's name or in a declaration. */
function isValue(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent)) return parent.name !== node;
  return !ts.isFunctionDeclaration(parent) && !ts.isExportSpecifier(parent) && !ts.isPropertySignature(parent);
}
