import { memoryDriver, messages, Queue } from '@ashlar/queue';

/** A page that somebody has looked at. */
export interface View {
  readonly product: string;
  readonly fromCache: boolean;
  /** Who it was, as far as the browser says so. */
  readonly visit?: string;
}

type Messages = { 'page.viewed': View };

export interface ViewCounts {
  /** Views that were counted. */
  readonly recorded: number;
  /** Views that could not be published. */
  readonly dropped: number;
  /** The products that were viewed most, with their views. */
  readonly top: readonly (readonly [product: string, views: number])[];
}

const topCount = 10;

/**
 * Who views what, counted off the request: a page is answered as soon as its view is published, and the counting happens in
 * batches. In this process's memory, so a replica that is killed takes its last views along; `redisStreams` would keep them.
 */
export class PageViews implements AsyncDisposable {
  readonly #queue = new Queue(memoryDriver(), { messages: messages<Messages>(), name: 'page-views' });
  readonly #views = new Map<string, number>();
  #recorded = 0;
  #dropped = 0;

  /** @param seen is told of every view, in batches */
  static async open(seen: (views: readonly View[]) => void = () => {}): Promise<PageViews> {
    const views = new PageViews();
    const handle = (batch: readonly View[]) => {
      views.#count(batch);
      seen(batch);
    };
    await views.#queue.subscribe('page.viewed', handle, {
      group: 'statistics',
      batch: { size: 100, waitMs: 100 },
    });
    return views;
  }

  /** Never throws or delays: a page is worth more than its view. */
  record(view: View): void {
    this.#queue.publish('page.viewed', view).catch(() => void this.#dropped++);
  }

  counts(): ViewCounts {
    const top = [...this.#views].sort((a, b) => b[1] - a[1]).slice(0, topCount);
    return { recorded: this.#recorded, dropped: this.#dropped, top };
  }

  /** Counts what is on its way first. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#queue.close();
  }

  #count(batch: readonly View[]): void {
    for (const { product } of batch) this.#views.set(product, (this.#views.get(product) ?? 0) + 1);
    this.#recorded += batch.length;
  }
}
