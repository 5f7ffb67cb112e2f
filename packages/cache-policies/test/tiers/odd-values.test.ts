import { describe, expect, it } from 'vitest';
import { memoryTier } from '../../src/index.ts';
import { manualCache, settle } from '../support/caches.ts';
import { InvalidOptionErrorOf } from '../support/faces.ts';

const lone = ['n:\ud83d', '\ude00:n', 'a\ud83db'];

describe('a key or tag that is no well-formed string', () => {
  it.each(lone)('is refused where it would become bytes: %j', async key => {
    const remote = memoryTier();
    const { cache } = manualCache({ remote, load: async () => 'loaded' });
    const error = InvalidOptionErrorOf('`key` must be a well-formed string');
    await expect(cache.get(key)).rejects.toThrow(error);
    await expect(cache.getMany(['a', key])).rejects.toThrow(error);
    await expect(cache.set(key, 'x')).rejects.toThrow(error);
    await expect(cache.delete(key)).rejects.toThrow(error);
    await expect(remote.get(key)).rejects.toThrow(error);
    expect(() => cache.peek(key)).toThrow(error);
    expect(remote.snapshot()).toMatchObject({ size: 0, leases: 0 });
  });

  it.each(lone)('is refused from `keyOf`: %j', async key => {
    const { cache } = manualCache({ remote: memoryTier(), keyOf: () => key, load: async () => 'x' });
    await expect(cache.get('a')).rejects.toThrow(
      InvalidOptionErrorOf('`keyOf` must return well-formed strings'),
    );
  });

  it.each(lone)('is refused as a tag, over a shared tier or not: %j', async tag => {
    const error = InvalidOptionErrorOf('`tags` must be an array of well-formed strings');
    for (const own of [{}, { remote: memoryTier() }]) {
      const { cache } = manualCache({ ...own, load: async () => 'loaded' });
      await expect(cache.invalidateTags([tag])).rejects.toThrow(error);
      await expect(cache.get('a', { tags: [tag] })).rejects.toThrow(error);
      await expect(cache.set('a', 'x', { tags: [tag] })).rejects.toThrow(error);
    }
  });

  it('is a key like others in one process', async () => {
    const { cache } = manualCache({ load: async key => `row ${key}` });
    expect(await cache.getMany(lone)).toEqual(new Map(lone.map(key => [key, `row ${key}`])));
  });

  it('pairs of surrogates are well-formed', async () => {
    const { cache } = manualCache({ remote: memoryTier(), load: async key => key });
    expect(await cache.get('😀', { tags: ['😀'] })).toBe('😀');
    await settle();
    expect(await cache.get('😀')).toBe('😀');
  });
});
