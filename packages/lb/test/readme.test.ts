import { readdirSync, readFileSync } from 'node:fs';
import type { AshlarError } from '@ashlar/core';
import { describe, expect, it } from 'vitest';
import * as proxy from '../src/adapters/proxy.ts';
import * as dispatcher from '../src/adapters/undici.ts';
import * as index from '../src/index.ts';

const source = new URL('../src/', import.meta.url);
const read = (path: string) => readFileSync(new URL(path, source), 'utf8');
const readme = read('../README.md');

/** The tables of the README, by their first header cell: the cells of each row. */
const tables = new Map<string, string[][]>();
for (const [block] of readme.matchAll(/(?:^\|.*\n)+/gm)) {
  const rows = block
    .trim()
    .split('\n')
    .map(line =>
      line
        .slice(1, -1)
        .split('|')
        .map(cell => cell.trim()),
    );
  tables.set(rows[0]![0]!, rows);
}

/** Where the rules of each table of options are. */
const rules: Readonly<Record<string, readonly string[]>> = {
  '`new LoadBalancer({ … })`': ['load-balancer.ts'],
  '`retry`': ['requests/retry.ts'],
  '`hedge`': ['requests/hedge.ts'],
  '`outlier`': ['outlier/options.ts', 'outlier/success-rate.ts', 'outlier/failure-percent.ts'],
  '`health`': ['health/options.ts'],
  '`dnsDiscovery(name, { … })`': ['adapters/dns/options.ts'],
  '`register(store, endpoint, { … })`': ['adapters/registry/registration.ts'],
  'both `reverseProxy` and `balancedDispatcher`': ['adapters/http/options.ts'],
  '`reverseProxy(lb, { … })`': ['adapters/proxy/options.ts'],
  '`balancedDispatcher(lb, { … })`': ['adapters/undici/options.ts'],
  '`balancedChannel(lb, { … })`': ['adapters/grpc.ts'],
};

/** The default in the rule of an option, as code: `''` where that is no literal. */
function defaultOf(option: string, files: readonly string[]): string[] {
  const [group, name = group] = option.split('.');
  const room = group!.replace(/[A-Z]/g, letter => `-${letter.toLowerCase()}`);
  const own = files.filter(file => name === group || file.endsWith(`/${room}.ts`));
  const rule = new RegExp(`^ +${name}: \\w+\\(((?:[\\d_.]+|true|false|'[^']*'|undefined)?)[,)]`, 'm');
  return own.flatMap(file => rule.exec(read(file))?.[1] ?? []);
}

describe('the README', () => {
  it('gives the defaults that the options have', () => {
    let compared = 0;
    for (const [head, files] of Object.entries(rules)) {
      const [titles = [], , ...rows] = tables.get(head) ?? [];
      expect(titles[0]).toBe(head);
      for (const row of rows) {
        const said = row[titles.indexOf('default')]!.replace(/`/g, '').replace(/(?<=\d) (?=\d{3})/g, '');
        for (const option of row[0]!.split(',').map(cell => cell.trim().replace(/`/g, ''))) {
          const found = defaultOf(option, files).map(code => code.replace(/_/g, ''));
          // What is no literal is computed from other options
          if (found.every(code => code === '' || code === 'undefined')) continue;
          expect([option, found]).toEqual([option, expect.arrayContaining([said])]);
          compared++;
        }
      }
    }
    expect(compared).toBeGreaterThan(40);
  });

  it('lists every error, with its code and whether it may be retried', () => {
    const errors = Object.values({ ...index, ...proxy, ...dispatcher }).filter(
      (value): value is typeof AshlarError => typeof value === 'function' && Object.hasOwn(value, 'code'),
    );
    expect(errors.length).toBeGreaterThan(10);
    const rows = ['error', 'error of an adapter'].flatMap(head => tables.get(head)!.slice(2));
    const listed = new Map(
      rows.map(([name = '', ...cells]) => [name.replace(/`/g, '').split(' ')[0]!, cells]),
    );
    for (const { name, code, retryable } of errors) {
      const [said, ...rest] = listed.get(name) ?? [];
      expect([name, said]).toEqual([name, `\`${code}\``]);
      const may = rest[0] === 'yes' || rest.join().includes('`retryable`');
      expect([name, may]).toEqual([name, retryable]);
    }
  });

  it('names every channel', () => {
    const published = readdirSync(source, { recursive: true, encoding: 'utf8' })
      .filter(file => file.endsWith('.ts'))
      .flatMap(file => [...read(file).matchAll(/'ashlar:lb:([a-z-]+)'/g)].map(([, name]) => name));
    const [, list = ''] = /free without subscribers: ([^.]*)\./.exec(readme) ?? [];
    const named = [...list.matchAll(/`(?:ashlar:lb:)?([a-z-]+)`/g)].map(([, name]) => name);
    expect([...new Set(named)].sort()).toEqual([...new Set(published)].sort());
  });
});
