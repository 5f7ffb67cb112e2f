/** What the clients ask for. */
export interface Load {
  readonly name: string;
  readonly path: string;
  readonly method: 'GET' | 'POST';
  readonly bodyBytes: number;
}

export const loads: readonly Load[] = [
  { name: 'GET 1 KiB', path: '/', method: 'GET', bodyBytes: 0 },
  { name: 'GET 64 KiB', path: '/large', method: 'GET', bodyBytes: 0 },
  { name: 'POST 4 KiB', path: '/', method: 'POST', bodyBytes: 4_096 },
];
