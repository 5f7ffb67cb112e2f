import type { MessagePort } from 'node:worker_threads';
import type { Capabilities, Driver } from '../driver.ts';
import { RemoteDriver } from './client.ts';
import type { ClientMessage, ServerMessage } from './protocol.ts';
import { Server } from './server.ts';

/** Lets the other side of the port use the driver, until the port closes. Does not keep the thread alive. */
export function servePort(port: MessagePort, driver: Driver, closed: () => void): void {
  const server = new Server({ driver, send: (message: ServerMessage) => port.postMessage(message) });
  port.on('message', (message: unknown) => {
    try {
      server.receive(message);
    } catch {
      // Nobody waits for an answer to what is no message
    }
  });
  port.on('close', () => {
    server.close();
    closed();
  });
  port.unref();
}

export interface PortSettings<K extends Capabilities> {
  readonly kind: string;
  readonly capabilities: K;
  readonly leaseMs: number;
  readonly timeoutMs: number;
}

/** The driver that the other side of the port has. Keeps the thread alive while calls wait for their answer. */
export function connectPort<K extends Capabilities>(
  port: MessagePort,
  settings: PortSettings<K>,
): RemoteDriver<K> {
  return new RemoteDriver({
    ...settings,
    server: `the ${settings.kind} driver of another thread`,
    maxUnconfirmedBytes: 2 ** 26,
    reopens: false,
    open: ({ received, ended }) => {
      port.on('message', received);
      port.on('close', () => ended(new Error('the thread that owns it has closed it or is gone')));
      port.unref();
      return {
        send: (message: ClientMessage) => port.postMessage(message),
        close: () => port.close(),
      };
    },
    waits: isWaiting => (isWaiting ? port.ref() : port.unref()),
  });
}
