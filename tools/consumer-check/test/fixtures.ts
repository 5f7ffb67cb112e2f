import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

type Fields = { readonly name: string; readonly [field: string]: unknown };
type Files = Readonly<Record<string, string>>;

const manifest = {
  version: '1.0.0',
  type: 'module',
  description: 'A fixture.',
  license: 'MIT',
  engines: { node: '>=20.19' },
  files: ['dist', 'src'],
  sideEffects: false,
};

const peer = { name: 'the-peer', private: true, exports: './index.js' };
const nodeTypes = { name: '@types/node', private: true };

/** A folder of packages outside the workspace, one sound, one with every fault, and one with nothing in it. */
export class PackagesFolder implements AsyncDisposable {
  readonly path: string;
  readonly toolchain: readonly string[];

  private constructor(path: string) {
    this.path = path;
    this.toolchain = [`@types/node@file:${join(path, 'node')}`];
  }

  static async create(): Promise<PackagesFolder> {
    const folder = new PackagesFolder(await mkdtemp(join(tmpdir(), 'ashlar-packages-')));
    await folder.#add(peer, { 'index.js': '' });
    await folder.#add(nodeTypes, { 'index.d.ts': 'declare const console: { log(text: unknown): void };\n' });
    await folder.#addSound();
    await folder.#addUnsound();
    await folder.#add({ name: '@fixture/bare', exports: {} }, {});
    return folder;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.path, { recursive: true, force: true, maxRetries: 3 });
  }

  async #addSound(): Promise<void> {
    const name = '@fixture/sound';
    const fields = this.#fields(name, { '.': 'index', './backend': 'adapters/backend' });
    await this.#add(
      {
        ...fields,
        imports: { '#peer': { module: 'the-peer', require: 'the-peer', default: './dist/adapters/peer.js' } },
      },
      {
        LICENSE: 'MIT',
        'README.md': readme(
          `import { one } from '${name}';\nconst two: number = one + 1;\nconsole.log(two);`,
        ),
        ...module('index', 'export const one = 1;'),
        ...module('adapters/backend', "import '#peer';", 'export const one = 1;'),
        ...module(
          'adapters/peer',
          "import { createRequire } from 'node:module';",
          "try { createRequire(import.meta.url)('the-peer'); }",
          "catch (cause) { throw new Error('the-peer is missing: npm install the-peer', { cause }); }",
        ),
      },
    );
  }

  async #addUnsound(): Promise<void> {
    const name = '@fixture/unsound';
    const entries = {
      '.': 'index',
      './awaits': 'awaits',
      './backend': 'adapters/backend',
      './engine': 'engine',
      './meta': 'meta',
    };
    const fields = this.#fields(name, {
      ...entries,
      './gone': 'gone',
      './noisy': 'noisy',
      './nameless': 'nameless',
    });
    await this.#add(
      { ...fields, files: ['dist', 'src', 'test'], sideEffects: undefined },
      {
        'README.md': readme(`import { one } from '${name}';\nthrow new Error(\`one is \${one}\`);`),
        ...module('index', 'export const one = 1;'),
        ...module('awaits', 'await 0;', 'export const one = 1;'),
        ...module('adapters/backend', "import 'the-peer';", 'export const one = 1;'),
        ...module('engine', "import 'the-peer';", 'export const one = 1;'),
        ...module('meta', 'export const one = import.meta.url;'),
        ...module('noisy', "console.log('hello');", 'export const one = 1;'),
        'dist/noisy.d.ts': "export declare const one: import('no-such-package').One;\n",
        'src/hidden.ts': '',
        'dist/hidden.d.ts': 'export interface Hidden { readonly one: number }\n',
        ...module('nameless', 'export const one = 1;'),
        'dist/nameless.d.ts': nameless,
        'dist/stale.js': '',
        'test/index.test.ts': '',
      },
    );
  }

  #fields(name: string, entries: Record<string, string>): Fields {
    const exported = Object.entries(entries).map(([specifier, path]) => [
      specifier,
      { '@ashlar/source': `./src/${path}.ts`, types: `./dist/${path}.d.ts`, default: `./dist/${path}.js` },
    ]);
    return {
      name,
      exports: Object.fromEntries(exported),
      peerDependencies: { 'the-peer': '>=1' },
      peerDependenciesMeta: { 'the-peer': { optional: true } },
      devDependencies: { 'the-peer': `file:${join(this.path, 'the-peer')}` },
    };
  }

  async #add(fields: Fields, files: Files): Promise<void> {
    const folder = join(this.path, fields.name.replace(/^.*\//, ''));
    const all = { 'package.json': JSON.stringify({ ...manifest, ...fields }), ...files };
    for (const [file, text] of Object.entries(all)) {
      await mkdir(dirname(join(folder, file)), { recursive: true });
      await writeFile(join(folder, file), text);
    }
  }
}

const nameless = `import type { Hidden } from './hidden.js';
export declare const one: number;
export declare function hide(): Hidden;
export interface Shown {
  readonly hidden: Hidden;
  readonly one: number;
  /** For the package itself. @internal */
  readonly inside: Hidden;
}
`;

function readme(program: string): string {
  return `# A fixture\n\n\`\`\`ts\n${program}\n\`\`\`\n`;
}

/** A source and what it is built to; each has one export, \`one\`. */
function module(path: string, ...lines: string[]): Files {
  return {
    [`src/${path}.ts`]: '',
    [`dist/${path}.js`]: `${lines.join('\n')}\n`,
    [`dist/${path}.d.ts`]: 'export declare const one: number;\n',
  };
}
