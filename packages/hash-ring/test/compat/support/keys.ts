import { seededRandom } from '@ashlar/core';

const words = ['user', 'cart', 'größe', 'ключ', '商品', '🛒', 'session', 'naïve', 'a', '{tag}', 'x{1}y'];

/** Keys of many shapes without blanks: short and long, ASCII and not, paths and numbers; each at most `maxBytes` long. */
export function sampleKeys(count: number, seed: number, maxBytes = 240): string[] {
  const random = seededRandom(seed);
  const below = (limit: number) => Math.floor(random() * limit);
  return Array.from({ length: count }, (_, i) => {
    const parts = Array.from({ length: 1 + below(i % 10 === 0 ? 40 : 4) }, () =>
      below(2) === 0 ? words[below(words.length)]! : below(10 ** (1 + below(12))).toString(1 + below(35) + 1),
    );
    const text = parts.join([':', '/', '-'][below(3)]);
    return cut(below(2) === 0 ? `${text}${i}` : `${i}${text}`, maxBytes);
  });
}

/** Without breaking a character. */
function cut(text: string, maxBytes: number): string {
  const characters = [...text];
  while (Buffer.byteLength(characters.join('')) > maxBytes) characters.splice(0, 1);
  return characters.join('');
}
