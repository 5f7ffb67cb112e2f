import { once } from 'node:events';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { endWithParent } from '@workspace/program';

/** What a child reports to its parent, once. */
export type Started = { readonly type: 'started'; readonly port: number } | Failed;

interface Failed {
  readonly type: 'failed';
  readonly why: string;
}

/** The settings that the parent gave this process. */
export function givenSettings<T>(): T {
  return JSON.parse(process.argv[2] ?? '{}') as T;
}

export interface ServeOptions {
  /** 0, by default, for a free one. */
  readonly port?: number;
  /** Awaited at `SIGTERM`, when the last request is answered. */
  onClose?(): Promise<void>;
}

/**
 * Runs an HTTP server of a child process: listens on loopback, reports the port to its parent, and lives as long as the
 * parent does.
 */
export async function serve(server: Server, { port = 0, onClose }: ServeOptions = {}): Promise<void> {
  endWithParent();
  process.on('SIGTERM', () => {
    server.close(async () => {
      await onClose?.();
      process.exit();
    });
    // Connections that were busy just now become idle one by one, and nothing else closes them.
    setInterval(() => server.closeIdleConnections(), 20);
  });
  // An idle connection that the server closes can cross a request on the wire: leave closing to the client.
  server.keepAliveTimeout = 0;
  try {
    server.listen(port, '127.0.0.1');
    await once(server, 'listening');
    report({ type: 'started', port: (server.address() as AddressInfo).port });
  } catch (error) {
    report({ type: 'failed', why: (error as Error).message });
    process.disconnect();
  }
}

function report(started: Started): void {
  process.send?.(started);
}
