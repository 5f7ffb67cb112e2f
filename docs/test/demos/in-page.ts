import { join } from 'node:path';
import { runInThisContext } from 'node:vm';
import { build } from 'rolldown';

const theme = join(import.meta.dirname, '../../.vitepress/theme');

/** What Node has and a page has not. */
const ofNode: readonly string[] = [
  'Buffer',
  'clearImmediate',
  'global',
  'module',
  'process',
  'require',
  'setImmediate',
];

/**
 * A module of the theme as a page has it: bundled for a browser, without what only Node has.
 * To hide `process` and the like from a test would hide them from the test runner too, which uses them meanwhile.
 *
 * @param without what it is not to have either
 */
export async function inPage<Module>(path: string, without: readonly string[] = []): Promise<Module> {
  const absent = new Set<string | symbol>([...ofNode, ...without]);
  const { output } = await build({
    input: join(theme, path),
    platform: 'browser',
    transform: { target: 'es2023' },
    resolve: { conditionNames: ['@ashlar/source', 'browser', 'import', 'default'] },
    output: { format: 'iife', name: 'page' },
    write: false,
    logLevel: 'silent',
  });
  const globals = new Proxy(
    {},
    { get: (_, name) => (absent.has(name) ? undefined : Reflect.get(globalThis, name)) },
  );
  const parameters = ['globalThis', ...absent].join(', ');
  const script = runInThisContext(`(function (${parameters}) { ${output[0].code}; return page; })`);
  return script(globals);
}
