import { fork } from 'node:child_process';
import { once } from 'node:events';
import { startHaproxy, startNginx } from '@workspace/services';

/** Something that listens on loopback and hands requests to the backends. */
export interface Subject {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** nginx, answering 1 KiB from memory on each of its ports: the cheapest backend there is. */
export async function startBackends(count: number): Promise<{ urls: string[]; stop(): Promise<void> }> {
  const body = 'x'.repeat(1024);
  const server = await startNginx({
    ports: count,
    config: ({ ports }) =>
      ports
        .map(
          port =>
            `server { listen 127.0.0.1:${port}; keepalive_requests 1000000; location / { return 200 "${body}"; } }`,
        )
        .join('\n'),
  });
  return { urls: server.ports.map(port => `http://127.0.0.1:${port}`), stop: () => server.stop() };
}

export const starters: Readonly<Record<string, (backends: readonly string[]) => Promise<Subject>>> = {
  '@ashlar/lb reverseProxy': backends => program('@ashlar/lb reverseProxy', 'ashlar', backends),
  'http-proxy': backends => program('http-proxy', 'http-proxy', backends),
  '@fastify/reply-from': backends => program('@fastify/reply-from', 'reply-from', backends),
  nginx: async backends => {
    const servers = backends.map(url => `server ${new URL(url).host};`).join(' ');
    const server = await startNginx({
      config: ({ port }) => `
        upstream backends { ${servers} keepalive 64; keepalive_requests 1000000; }
        server {
          listen 127.0.0.1:${port}; keepalive_requests 1000000;
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
