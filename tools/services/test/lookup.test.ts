import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { available, provide, startNats, startRedis, temporaryDirectory, urlOf } from '../src/index.ts';
import { type CatalogEntry, catalog, type ServiceName } from '../src/programs/catalog.ts';
import { locate } from '../src/programs/locate.ts';

afterEach(() => vi.unstubAllEnvs());

let services = 0;

/** A service of the test's own, whose programs are where the test puts them. */
function service(entry: Partial<CatalogEntry>): ServiceName {
  const name = `fake${services++}` as ServiceName;
  const whole = {
    file: 'fake-server',
    folders: [],
    order: 'path',
    debian: ['fake-server'],
    urls: [],
    ...entry,
  };
  (catalog as Record<ServiceName, CatalogEntry>)[name] = whole as CatalogEntry;
  return name;
}

function folderWith(file: string, text = '#!/bin/sh\n', mode = 0o755): string {
  const folder = temporaryDirectory('lookup');
  writeFileSync(join(folder, file), text);
  chmodSync(join(folder, file), mode);
  return folder;
}

it('takes the first program on the PATH, then of the usual folders', () => {
  const [first, second, usual] = [1, 2, 3].map(() => folderWith('fake-server')) as [string, string, string];
  const name = service({ folders: [usual] });
  expect(locate(name, { PATH: [first, second].join(delimiter) })).toBe(join(first, 'fake-server'));
  expect(locate(name, { PATH: '/nowhere' })).toBe(join(usual, 'fake-server'));
  expect(locate(service({}), { PATH: '' })).toBeUndefined();
});

it('takes the usual folders first where the PATH holds a wrapper', () => {
  const [path, usual] = [folderWith('fake-server'), folderWith('fake-server')];
  const name = service({ folders: [usual], order: 'folders' });
  expect(locate(name, { PATH: path })).toBe(join(usual, 'fake-server'));
});

it('takes the program that the environment names before all others, and no other in its place', () => {
  const [path, given] = [folderWith('fake-server'), folderWith('other-version')];
  const name = service({ folders: [path], order: 'folders' });
  const variable = `ASHLAR_${name.toUpperCase()}_PROGRAM`;
  const program = join(given, 'other-version');
  expect(locate(name, { PATH: path, [variable]: program })).toBe(program);
  expect(locate(name, { PATH: path, [variable]: '' })).toBe(join(path, 'fake-server'));
  expect(() => locate(name, { PATH: path, [variable]: given })).toThrow(
    `${variable} names no program: ${given}`,
  );
});

it('passes over folders and files that cannot be run', () => {
  const folder = temporaryDirectory('lookup');
  mkdirSync(join(folder, 'fake-server'));
  const path = [folder, folderWith('fake-server', '', 0o644)].join(delimiter);
  expect(locate(service({}), { PATH: path })).toBeUndefined();
});

it('takes the highest version of several, and none that is too old', () => {
  const root = temporaryDirectory('lookup');
  for (const version of ['9.6', '13', '17', '15']) {
    const folder = join(root, version, 'bin');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'fake-server'), `#!/bin/sh\necho "fake (Fake) ${version}"\n`, { mode: 0o755 });
  }
  const folders = [`${root}/*/bin`];
  expect(locate(service({ folders }), {})).toBe(join(root, '17', 'bin', 'fake-server'));
  expect(locate(service({ folders, atLeast: 17 }), {})).toBe(join(root, '17', 'bin', 'fake-server'));
  expect(locate(service({ folders, atLeast: 18 }), {})).toBeUndefined();
});

it('takes a URL before any program, unless an own server is asked for', async () => {
  vi.stubEnv('ASHLAR_INSTALL', '0');
  vi.stubEnv('FAKE_URL', 'fake://127.0.0.1:1');
  const name = service({ urls: ['ASHLAR_FAKE_URL', 'FAKE_URL'] });
  expect(urlOf(name)).toBe('fake://127.0.0.1:1');
  expect(urlOf(name, { ASHLAR_FAKE_URL: 'fake://127.0.0.1:2', FAKE_URL: 'x' })).toBe('fake://127.0.0.1:2');
  expect(urlOf(name, { ASHLAR_FAKE_URL: '' })).toBeUndefined();
  expect(await available(name)).toEqual({ ok: true });
  expect(await available({ own: name })).toEqual({
    ok: false,
    reason: `${name} cannot be had: ASHLAR_INSTALL=0 forbids \`apt-get install fake-server\``,
  });
});

it('says once and for all that a service cannot be had', async () => {
  vi.stubEnv('ASHLAR_INSTALL', '0');
  const name = service({});
  await expect(provide(name)).rejects.toMatchObject({ name: 'ServiceUnavailableError', service: name });
});

it('leaves a server that the user runs as it is', async () => {
  vi.stubEnv('ASHLAR_REDIS_URL', 'redis://127.0.0.1:1');
  vi.stubEnv('NATS_URL', 'nats://127.0.0.1:2');
  const redis = await startRedis();
  expect(redis).toMatchObject({ url: 'redis://127.0.0.1:1', port: 1, running: true, replicas: [] });
  await expect(redis.kill()).rejects.toThrow("redis at 127.0.0.1:1 is the user's");
  await expect(redis.restart()).rejects.toThrow("is the user's");
  expect(() => redis.pause()).toThrow("is the user's");
  await redis.stop();
  expect(await startNats()).toMatchObject({ url: 'nats://127.0.0.1:2', port: 2 });
});
