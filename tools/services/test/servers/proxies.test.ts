import { execFileSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  eventually,
  exchange,
  type MemcachedServer,
  type PortServer,
  providePath,
  startHaproxy,
  startMemcached,
  startNginx,
  startNutcracker,
  temporaryDirectory,
} from '../../src/index.ts';
import { isAlive, processTree } from '../../src/processes/processes.ts';
import { describeWith } from '../../src/tests/vitest.ts';
import { isPaused, soon } from '../support.ts';

const get = 'GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n';

describeWith('nginx', 'nginx', () => {
  let nginx: PortServer;
  beforeAll(async () => {
    nginx = await startNginx({
      ports: 2,
      config: ({ ports }) =>
        ports.map(port => `server { listen 127.0.0.1:${port}; return 200 "port ${port}"; }`).join('\n'),
    });
  });
  afterAll(() => nginx?.stop());

  it('answers on each of its ports', async () => {
    for (const port of nginx.ports) {
      expect(await exchange(port, get, reply => reply.includes(`port ${port}`))).toContain('200 OK');
    }
  });

  it('is gone with its workers after a kill, and comes back on the same port', async () => {
    const before = processTree(nginx.pid);
    expect(before.length).toBeGreaterThan(1);
    await nginx.kill();
    expect(before.filter(isAlive)).toEqual([]);
    expect(nginx.running).toBe(false);
    await nginx.restart();
    await exchange(nginx.port, get, reply => reply.includes('port'));
  });

  it('stands still with its workers while it is paused', async () => {
    nginx.pause();
    await eventually(
      async () => expect(processTree(nginx.pid).filter(isAlive).every(isPaused)).toBe(true),
      soon,
    );
    nginx.resume();
    await exchange(nginx.port, get, reply => reply.includes('200 OK'));
  });

  it('quotes what it says against a bad configuration', async () => {
    const started = startNginx({ config: () => 'no_such_directive on;' });
    await expect(started).rejects.toThrow(/nginx ended \(exit code 1\)[\s\S]*no_such_directive/);
  });
});

describeWith('haproxy', 'HAProxy', () => {
  it('answers with what it is configured to', async () => {
    const haproxy = await startHaproxy({
      config: ({ port }) => `
        defaults
          mode http
          timeout client 5s
          timeout connect 5s
          timeout server 5s
        frontend front
          bind 127.0.0.1:${port}
          http-request return status 200 content-type text/plain string "here"
      `,
    });
    try {
      await exchange(haproxy.port, get, reply => reply.includes('here'));
    } finally {
      await haproxy.stop();
    }
  });
});

describe('memcached behind twemproxy', () => {
  describeWith(['memcached', 'nutcracker'], 'a pool of two', () => {
    let servers: MemcachedServer[] = [];
    let proxy: PortServer;
    beforeAll(async () => {
      servers = await Promise.all([startMemcached(), startMemcached()]);
      proxy = await startNutcracker({
        config: ({ port }) =>
          [
            'pool:',
            `  listen: 127.0.0.1:${port}`,
            '  hash: fnv1a_64',
            '  distribution: ketama',
            '  servers:',
            ...servers.map((server, index) => `   - 127.0.0.1:${server.port}:1 node${index}`),
          ].join('\n'),
      });
    });
    afterAll(() => Promise.all([proxy, ...servers].map(server => server?.stop())));

    it('keeps its log in its own folder', async () => {
      expect(await proxy.log()).toContain('nutcracker');
    });

    it('stores a value and gives it back', async () => {
      await exchange(proxy.port, 'set a 0 0 1\r\nx\r\n', reply => reply === 'STORED\r\n');
      await exchange(proxy.port, 'get a\r\n', reply => reply === 'VALUE a 0 1\r\nx\r\nEND\r\n');
    });
  });
});

describeWith(['cc', 'libmemcached'], 'libmemcached', () => {
  it('compiles, links and runs', async () => {
    const directory = temporaryDirectory('compiled');
    const source = join(directory, 'version.c');
    const program = join(directory, 'version');
    writeFileSync(
      source,
      '#include <libmemcached/memcached.h>\n#include <stdio.h>\nint main(void) { puts(memcached_lib_version()); }\n',
    );
    execFileSync(await providePath('cc'), [source, '-o', program, '-lmemcached']);
    expect(execFileSync(program, { encoding: 'utf8' })).toMatch(/^\d+\.\d+/);
  });
});
