import { readFileSync } from 'node:fs';

// A key that everybody knows, for localhost and 127.0.0.1
const file = (name: string): Buffer => readFileSync(new URL(`./tls/${name}.pem`, import.meta.url));

export const key: Buffer = file('key');
export const cert: Buffer = file('cert');
