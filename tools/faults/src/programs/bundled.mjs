import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { isAbsolute, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { threadId } from 'node:worker_threads';

const root = join(import.meta.dirname, '../../../..');
const usualFolder = join(root, 'node_modules/.cache/ashlar-programs');

/**
 * What a bundle was made of.
 *
 * @typedef {{ file: string, inputs: Record<string, string> }} Made
 */

/**
 * The path of one file that holds the program and all of the workspace that it imports. It is kept until one of its
 * sources, or what the packages export, has changed.
 *
 * @param {string} program an absolute path
 * @param {string} folder where it is kept; what is imported and not of the workspace is looked for from there
 */
export async function bundled(program, folder = usualFolder) {
  const name = createHash('sha256').update(program).digest('hex').slice(0, 16);
  const record = join(folder, `${name}.json`);
  const made = read(record);
  if (made !== undefined && Object.entries(made.inputs).every(([path, stamp]) => stampOf(path) === stamp))
    return join(folder, made.file);

  const beganMs = Date.now();
  const { code, sources } = await bundle(program);
  const file = `${name}-${createHash('sha256').update(code).digest('hex').slice(0, 16)}.mjs`;
  mkdirSync(folder, { recursive: true });
  place(join(folder, file), code);
  const paths = [...sources, ...manifests(), import.meta.filename];
  const inputs = Object.fromEntries(paths.map(path => [path, stampOf(path)]));
  // What was written while it was read may differ from what was read
  if (paths.every(path => (statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0) < beganMs)) {
    place(record, JSON.stringify({ file, inputs }));
    if (made !== undefined && made.file !== file) rmSync(join(folder, made.file), { force: true });
  }
  return join(folder, file);
}

/** @param {string} program */
async function bundle(program) {
  const { rolldown } = await import('rolldown');
  const build = await rolldown({
    input: program,
    cwd: root,
    platform: 'node',
    resolve: { conditionNames: ['@ashlar/source', 'node', 'import', 'default'] },
    // The compiler's own helpers are installed nowhere
    external: id => !isAbsolute(id) && !/^(\.|#|@ashlar\/|@workspace\/|@oxc-project\/runtime\/)/.test(id),
    transform: { target: 'node20.19' },
    logLevel: 'silent',
    plugins: [
      {
        name: 'addresses of the sources',
        transform: (code, id) =>
          code.includes('import.meta.url')
            ? code.replaceAll('import.meta.url', JSON.stringify(pathToFileURL(id).href))
            : null,
      },
    ],
  });
  const { output } = await build.generate({ format: 'esm', codeSplitting: false, keepNames: true });
  const sources = (await build.watchFiles).filter(path => isAbsolute(path));
  await build.close();
  return { code: output[0].code, sources };
}

/** They say what the names of packages stand for. */
function manifests() {
  return ['packages', 'tools'].flatMap(kind =>
    readdirSync(join(root, kind)).map(name => join(root, kind, name, 'package.json')),
  );
}

/**
 * When it was written, and how long it is.
 *
 * @param {string} path
 */
function stampOf(path) {
  const stats = statSync(path, { throwIfNoEntry: false });
  return stats === undefined ? 'gone' : `${stats.mtimeMs} ${stats.size}`;
}

/**
 * Writes a file at once, for others that read it now.
 *
 * @param {string} path
 * @param {string} text
 */
function place(path, text) {
  // Threads of one process write too
  const temporary = `${path}.${process.pid}.${threadId}`;
  writeFileSync(temporary, text);
  renameSync(temporary, path);
}

/**
 * @param {string} record
 * @returns {Made | undefined}
 */
function read(record) {
  try {
    return JSON.parse(readFileSync(record, 'utf8'));
  } catch {
    return undefined;
  }
}
