import { sha256 } from './sha256.ts';

interface CryptoModule {
  createHash(algorithm: 'sha256'): { update(bytes: Uint8Array): { digest(encoding: 'base64'): string } };
}

interface ProcessLike {
  getBuiltinModule?(id: string): CryptoModule | undefined;
}

const encoder = new TextEncoder();

/** SHA-256 in base64: of a text, of its UTF-8. In a browser too, as the one of WebCrypto returns promises alone. */
export function digestOf(content: Uint8Array | string): string {
  const bytes = typeof content === 'string' ? encoder.encode(content) : content;
  const { process } = globalThis as { process?: ProcessLike };
  const native = process?.getBuiltinModule?.('node:crypto');
  if (native !== undefined) return native.createHash('sha256').update(bytes).digest('base64');
  return btoa(String.fromCharCode(...sha256(bytes)));
}
