import { fork } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startHaproxy, startNginx } from '@workspace/services';

/** Something that listens on loopback and hands requests to the backends. */
export interface Subject {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** nginx, answering 1 KiB from memory and 64 KiB from a file on each of its ports: the cheapest backend there is. */
export async function startBackends(count: number): Promise<{ urls: string[]; stop(): Promise<void> }> {
  const small = 'x'.repeat(1_024);
  const server = await startNginx({
    ports: count,
    config: ({ ports, directory }) => {
      writeFileSync(join(directory, 'large'), 'x'.repeat(65_536));
      const answers = `
        root ${directory}; keepalive_requests 1000000;
        location / { return 200 "${small}"; }
        location = /large { }`;
      const servers = ports.map(port => `server { listen 127.0.0.1:${port}; ${answers} }`);
      return ['sendfile on; open_file_cache max=10;', ...servers].join('\n');
    },
  });
  return { urls: server.ports.map(port => `http://127.0.0.1:${port}`), stop: () => server.stop() };
}

export const starters: Readonly<Record<string, (backends: readonly string[]) => Promise<Subject>>> = {
  '@ashlar/lb reverseProxy': backends => program('@ashlar/lb reverseProxy', 'ashlar', backends),
  // What no proxy on these libraries can do without
  'floor: node:http and undici': backends => program('floor: node:http and undici', 'bare-undici', backends),
  'floor: bytes over node:net': backends => program('floor: bytes over node:net', 'bytes', backends),
  'http-proxy': backends => program('http-proxy', 'http-proxy', backends),
  'http-proxy-3': backends => program('http-proxy-3', 'http-proxy-3', backends),
  '@fastify/reply-from': backends => program('@fastify/reply-from', 'reply-from', backends),
  nginx: async backends => {
    const servers = backends.map(url => `server ${new URL(url).host};`).join(' ');
    const server = await startNginx({
      config: ({ port }) => `
        upstream backends { ${servers} keepalive 64; keepalive_requests 1000000; }
        server {
          listen 127.0.0.1:${port}; keepalive_requests 1000000;
          # All of a response of 64 KiB in memory, as the others have it
          proxy_buffer_size 16k; proxy_buffers 8 16k; proxy_busy_buffers_size 64k;
          location / { proxy_pass http://backends; proxy_http_version 1.1; proxy_set_header Connection ""; }
        }`,
    });
    return {
      name: 'nginx',
      url: `http://127.0.0.1:${server.port}`,
      pid: server.pid,
      stop: () => server.stop(),
    };
  },
  haproxy: async backends => {
    const servers = backends.map((url, i) => `  server s${i} ${new URL(url).host}`).join('\n');
    const server = await startHaproxy({
      config: ({ port }) => `
global
  nbthread 1
defaults
  mode http
  timeout connect 5s
  timeout client 30s
  timeout server 30s
frontend in
  bind 127.0.0.1:${port}
  default_backend out
backend out
${servers}
`,
    });
    return {
      name: 'haproxy',
      url: `http://127.0.0.1:${server.port}`,
      pid: server.pid,
      stop: () => server.stop(),
    };
  },
};

async function program(name: string, file: string, backends: readonly string[]): Promise<Subject> {
  const child = fork(new URL(`./programs/${file}.ts`, import.meta.url), backends, {
    execArgv: ['--import', 'tsx'],
  });
  const [port] = await Promise.race([once(child, 'message'), once(child, 'exit').then(() => [undefined])]);
  if (typeof port !== 'number') throw new Error(`${name} ended before it listened`);
  const stop = async () => {
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  };
  return { name, url: `http://127.0.0.1:${port}`, pid: child.pid!, stop };
}
