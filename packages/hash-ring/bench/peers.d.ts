declare module 'consistent-hash' {
  export default class ConsistentHash {
    constructor(options?: { weight?: number; range?: number });
    add(node: string, weight?: number): this;
    remove(node: string): this;
    get(key: string): string;
  }
}

declare module 'node-hashring' {
  export default class HashRing {
    constructor(nodes: readonly string[], virtualNodes?: number);
    findNode(key: string): string;
    addNode(node: string): void;
    removeNode(node: string): void;
  }
}
