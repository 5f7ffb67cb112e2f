// #region program
import { subscribe } from 'node:diagnostics_channel';
import type { ConnectionMessage, LoadMessage, TierFailedMessage } from '@ashlar/cache-policies';
import type { DiscoveryFailedMessage, EjectMessage, ReturnMessage } from '@ashlar/lb';
import type { Logger } from 'pino';

/** Logs what an operator wants to see. pino writes the stack of an error only if the field is called `err`. */
function logEvents(log: Logger): void {
  subscribe('ashlar:lb:eject', message => {
    log.warn(message as EjectMessage, 'endpoint ejected');
  });
  subscribe('ashlar:lb:return', message => {
    log.info(message as ReturnMessage, 'endpoint returned');
  });
  subscribe('ashlar:lb:discovery-failed', message => {
    const { error, ...rest } = message as DiscoveryFailedMessage;
    log.error({ ...rest, err: error }, 'discovery failed');
  });
  subscribe('ashlar:cache-policies:load', message => {
    const { error, ...rest } = message as LoadMessage;
    if (error !== undefined) log.error({ ...rest, err: error }, 'load failed');
  });
  subscribe('ashlar:cache-policies:tier-failed', message => {
    const { error, ...rest } = message as TierFailedMessage;
    log.warn({ ...rest, err: error }, 'shared tier failed');
  });
  subscribe('ashlar:cache-policies:connection', message => {
    const { error, ...rest } = message as ConnectionMessage;
    log.info({ ...rest, err: error }, 'shared tier connection');
  });
}

// #endregion program

import { Cache } from '@ashlar/cache-policies';
import { LoadBalancer } from '@ashlar/lb';
import pino from 'pino';

const lines: string[] = [];
logEvents(pino({}, { write: line => lines.push(line) }));

const load = async () => {
  throw new Error('the database is down');
};
const cache = new Cache<string, string>({ name: 'products', max: 100, load });
await cache.get('42').catch(() => {});
await cache.close();
const { msg, key, err } = JSON.parse(lines.shift() ?? '');
console.log(msg, key, err.message, err.stack.includes('at load')); // load failed 42 the database is down true

const lb = new LoadBalancer({ endpoints: [{ id: 'replica-1' }, { id: 'replica-2' }] });
for (let n = 0; n < 5; n++) lb.pick({ exclude: ['replica-2'] }).done({ ok: false });
await lb.close();
const ejected = JSON.parse(lines.shift() ?? '');
console.log(ejected.msg, ejected.endpoint); // endpoint ejected replica-1
