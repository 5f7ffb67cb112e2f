import type { IncomingMessage, ServerResponse } from 'node:http';
import type { ReverseProxy } from '@ashlar/lb/proxy';
import { describe, expect, it, vi } from 'vitest';
import { known } from '../../../fuzz/differences.ts';
import { fuzz } from '../../../fuzz/run.ts';
import { kindOf } from '../../../fuzz/verdict/difference.ts';
import type { Wrap } from '../../../fuzz/wire/subjects.ts';

/** Does something to each request and its response before the proxy sees them. */
function broken(harm: (request: IncomingMessage, response: ServerResponse) => void): Wrap {
  return proxy => {
    const handle = (request: IncomingMessage, response: ServerResponse) => {
      harm(request, response);
      return proxy(request, response);
    };
    return Object.assign(handle, {
      upgrade: proxy.upgrade,
      shutdown: proxy.shutdown,
      close: proxy.close,
      [Symbol.asyncDispose]: proxy.close,
    }) satisfies ReverseProxy;
  };
}

const short = { seed: 1, known, withinMs: 10_000, shrinkSteps: 30 };
// It ends with the first finding; a busy machine takes its time
const rules = { ...short, withinMs: 25_000, shrinkSteps: 0, runs: 1_500, peers: [], first: true };

/** Cases that began in time are played to their end, however busy the machine is; this only ends what hangs. */
vi.setConfig({ testTimeout: 240_000 });

describe('fuzzing the proxy', () => {
  it('finds nothing beside nginx and HAProxy that is not known', async () => {
    const { cases, findings, uncaught, skipped } = await fuzz({ ...short, runs: 250, withinMs: 7_000 });
    for (const reason of skipped) console.warn(`without a peer: ${reason}`);
    expect(findings).toEqual([]);
    expect(uncaught).toEqual([]);
    expect(cases).toBeGreaterThan(0);
  });

  const planted = {
    'a cut response that looks whole': {
      wrap: broken((_, response) => {
        const destroy = response.destroy.bind(response);
        response.destroy = error => (response.chunkedEncoding ? response.end() : destroy(error));
      }),
      found: /rule: cut response/,
    },
    'a body that is lost behind many headers': {
      wrap: broken(request => {
        if (request.rawHeaders.length < 200) return;
        delete request.headers['content-length'];
        delete request.headers['transfer-encoding'];
      }),
      found: /rule: request body/,
    },
    'a header of one connection that is sent on': {
      wrap: broken(request => {
        delete request.headers.connection;
      }),
      found: /rule: named in Connection/,
    },
  } as const satisfies Record<string, { wrap: Wrap; found: RegExp }>;
  for (const [fault, { wrap, found }] of Object.entries(planted)) {
    it(`finds ${fault}`, async () => {
      const { findings } = await fuzz({ ...rules, wrap });
      expect(findings.map(({ difference }) => kindOf(difference)).join('\n')).toMatch(found);
    });
  }
});
